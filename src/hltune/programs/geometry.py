"""Kinds of stages that move elements: borders, resampling, pyramids, slices."""

import halide as hl

from hltune.programs.bounded import Bounded, total
from hltune.programs.draft import Draft, Extents, Image, c, place, x, y
from hltune.programs.stencils import strided

BORDERS = ("repeat_edge", "constant_exterior", "repeat_image", "mirror_image", "mirror_interior")


def border(draft: Draft) -> Image | None:
    """Values beyond the edges of an image, by any of Halide's conditions, and a shift that makes them show."""
    draw, image = draft.draw, draft.recent()
    kind = draw.choice(BORDERS)
    bounded = bordered(image.func, kind, image.extents)
    i, j = draw.between(-4, 4), draw.between(-4, 4)
    low, high = min(0, image.low), max(0, image.high)
    at = Bounded.wide(hl.Expr(bounded[place(x, i), place(y, j), c]), image.dtype, low, high)
    return draft.pure(at, image.extents, [image], image.dtype)


def bordered(source: hl.Func | hl.ImageParam, kind: str, extents: Extents) -> hl.Func:
    """A function that is defined everywhere, from one that is worth reading in [0, extents)."""
    # With the extents of the input itself, which only a run knows, Halide infers bounds of `%` that are too wide.
    bounds = [hl.Range(0, extent) for extent in extents]
    if kind == "constant_exterior":
        return hl.BoundaryConditions.constant_exterior(source, hl.cast(source.type(), 0), bounds)
    return getattr(hl.BoundaryConditions, kind)(source, bounds)


def downsampling(draft: Draft) -> Image | None:
    """Every second, third or fourth element along x and y, or the mean of them all."""
    draw, image = draft.draw, draft.recent()
    factor = draw.choice((2, 2, 3, 4))
    extents = strided(image.extents, factor, factor)
    if not draft.affordable(extents, factor * factor):
        return None
    if draw.chance(0.4):
        value = image.at(x * factor, y * factor, c)
    else:
        value = total(image.window(factor, factor, factor)).halved((factor * factor).bit_length() - 1)
    return draft.pure(value, extents, [image], image.dtype)


def upsampling(draft: Draft) -> Image | None:
    """More elements along x and y: the nearest one, or a mixture of neighbours."""
    draw, image = draft.draw, draft.recent()
    factor = draw.choice((2, 2, 2, 4))
    extents = (image.extents[0] * factor, image.extents[1] * factor, image.extents[2])
    if not draft.affordable(extents, 4):
        return None
    if draw.chance(0.4):
        value = image.at(x / factor, y / factor, c)
        return draft.pure(value, extents, [image], image.dtype)
    return _enlarged(draft, image, extents, factor)


def pyramid(draft: Draft) -> Image | None:
    """Smaller and smaller versions, enlarged again and combined."""
    image = draft.recent()
    levels = draft.draw.between(2, 3)
    sizes = [strided(image.extents, 2**level, 2**level) for level in range(levels + 1)]
    if not all(draft.affordable(extents, 16) for extents in sizes) or image.extents[0] % 8 or image.extents[1] % 8:
        return None
    down = [image]
    for extents in sizes[1:]:
        rows = [down[-1].at(place(x, i - 1, 2), y * 2, c).times(factor) for i, factor in enumerate((1, 2, 1))]
        columns = [down[-1].at(x * 2, place(y, j, 2), c).times(2) for j in (-1, 1)]
        down.append(draft.pure(total(rows + columns).halved(3), extents, [down[-1]], image.dtype))
    result = down.pop()
    for finer in reversed(down):
        large = _enlarged(draft, result, finer.extents, 2)
        value = finer.at(x, y, c) + large.at(x, y, c).halved(1)
        result = draft.pure(value, finer.extents, [finer, large], image.dtype)
    return result


def channel_slice(draft: Draft) -> Image | None:
    """A channel that another image chooses, element by element."""
    deep, whole = draft.deep(), draft.integers()
    if not deep or not whole:
        return None
    image, judge = draft.draw.recent(deep), draft.draw.recent(whole)
    width, height, channels = image.extents
    extents = (width, height, 1)
    index = judge.resampled(extents).expr % channels
    value = image.at(x, y, hl.clamp(index, 0, channels - 1))
    return draft.pure(value, extents, [image, judge], image.dtype)


def _enlarged(draft: Draft, image: Image, extents: Extents, factor: int) -> Image:
    """Linear interpolation between neighbours, along x and then along y."""

    def between(left: Bounded, right: Bounded, part: hl.Expr) -> Bounded:
        a, b = left.limited(2**24 / factor), right.limited(2**24 / factor)
        part = hl.cast(hl.Float(32), part) if a.real else part
        expr = a.expr * (factor - part) + b.expr * part
        return Bounded(expr, a.low * factor, a.high * factor, a.real).halved(factor.bit_length() - 1)

    along_x = between(image.at(x / factor, y, c), image.at(x / factor + 1, y, c), x % factor)
    wide = (extents[0], image.extents[1], image.extents[2])
    rows = draft.pure(along_x, wide, [image], image.dtype)
    along_y = between(rows.at(x, y / factor, c), rows.at(x, y / factor + 1, c), y % factor)
    return draft.pure(along_y, extents, [rows], image.dtype)
