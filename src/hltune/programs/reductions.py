"""Kinds of stages that look at many elements, or at their own results."""

import halide as hl

from hltune.programs.bounded import Bounded, dtype_of, total
from hltune.programs.draft import Draft, Image, c, place, x, y
from hltune.programs.stencils import accumulated, coefficients

_UNROLLED_CHANNELS = 16


def all_to_all(draft: Draft) -> Image | None:
    """Every channel from all channels: unrolled, as an update, or with `sum`."""
    draw, deep = draft.draw, draft.deep()
    if not deep:
        return None
    image = draw.recent(deep)
    channels = image.extents[2]
    if not draft.affordable(image.extents, channels):
        return None
    if channels <= _UNROLLED_CHANNELS and draw.chance(0.4):
        terms = [image.at(x, y, k).times(factor) for k, factor in enumerate(draw.mask(channels))]
        return draft.pure(total(terms) + image.at(x, y, c), image.extents, [image])
    kernel, coefficient = coefficients(draft, image, (channels, channels))
    r = draft.domain(channels)
    term = image.at(x, y, r.x) * coefficient(r.x, c)
    return accumulated(draft, term, channels, image.extents, [image, kernel])


def scan(draft: Draft) -> Image | None:
    """A recursive filter along x or y, forwards and then, sometimes, backwards."""
    draw, image = draft.draw, draft.recent()
    if not draft.affordable(image.extents, 2):
        return None
    axis = draw.between(0, 1)
    value = image.at(x, y, c).limited(2**24)
    func = draft.func()
    func[x, y, c] = value.expr
    r = hl.RDom([hl.Range(1, image.extents[axis] - 1)], f"r{len(draft.nodes)}")
    ways = [r.x, image.extents[axis] - 1 - r.x] if draw.chance(0.5) else [r.x]
    for way, step in zip(ways, (-1, 1), strict=False):
        here, there = ((way, y, c), (way + step, y, c)) if axis == 0 else ((x, way, c), (x, way + step, c))
        before = Bounded(hl.Expr(func[there]), 0, 0, value.real).halved(1)
        func[here] += before.expr
    factor = 2 ** len(ways)
    bounds = Bounded(value.expr, min(0, value.low * factor) - 2, max(0, value.high * factor) + 2, value.real)
    return draft.defined(func, dtype_of(value.real), image.extents, bounds, [image])


def tiled_histogram(draft: Draft) -> Image | None:
    """How often each value comes in each tile; the bins are the channels."""
    draw, whole = draft.draw, draft.integers()
    if not whole:
        return None
    image = draw.recent(whole)
    size, bins = draw.choice((8, 16, 32)), draw.choice((16, 32, 64))
    extents = (image.extents[0] // size, image.extents[1] // size, bins)
    if not draft.affordable(image.extents) or not draft.affordable(extents):
        return None
    r = draft.domain(size, size)
    value = image.at(place(x, r.x, size), place(y, r.y, size), 0).narrowed("uint16")
    value = value.limited(bins - 1)
    func = draft.func()
    func[x, y, c] = hl.cast(hl.Int(32), 0)
    func[x, y, hl.clamp(value.expr, 0, bins - 1)] += 1
    return draft.defined(func, "int32", extents, Bounded(value.expr, 0, size * size, False), [image])


def matrix_product(draft: Draft) -> Image | None:
    """Rows of one image times columns of another one, channel by channel."""
    draw = draft.draw
    a, b = draft.recent(), draft.recent()
    depth = draw.choice((8, 16, 32))
    size = draw.choice((64, 128, 256))
    extents = (size, size, min(a.extents[2], b.extents[2]))
    if not draft.affordable(extents, depth):
        return None
    r = draft.domain(depth)
    term = a.at(r.x, y, c) * b.at(x, r.x, c)
    return accumulated(draft, term, depth, extents, [a, b])
