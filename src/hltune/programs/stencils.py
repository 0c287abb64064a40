"""Kinds of stages that combine neighbours: convolutions, pooling, separable filters."""

from collections.abc import Callable
from functools import reduce

import halide as hl

from hltune.programs.bounded import Bounded, dtype_of, total, zero
from hltune.programs.draft import Draft, Extents, Image, Index, Source, c, place, x, y

_UNROLLED_TAPS = 27
"""Terms that are written out in one expression at most."""
_ACCUMULATED = 2**28
_BINOMIAL = {3: (1, 2, 1), 5: (1, 4, 6, 4, 1), 7: (1, 6, 15, 20, 15, 6, 1)}


def convolution_1d(draft: Draft) -> Image | None:
    """Along x or y, with a stride now and then; unrolled, as an update, or with `sum`."""
    draw, image = draft.draw, draft.recent()
    axis, taps = draw.between(0, 1), draw.between(2, 9)
    stride = draw.choice((1, 1, 1, 2))
    extents = strided(image.extents, *((stride, 1) if axis == 0 else (1, stride)))
    if not draft.affordable(extents, taps):
        return None

    def tap(offset: Index) -> Bounded:
        if axis == 0:
            return image.at(place(x, offset, stride), y, c)
        return image.at(x, place(y, offset, stride), c)

    if draw.chance(0.5):
        mask = draw.mask(taps)
        value = total([tap(k - taps // 2).times(factor) for k, factor in enumerate(mask)])
        return draft.pure(value, extents, [image])
    kernel, coefficient = coefficients(draft, image, (taps,))
    r = draft.domain(taps)
    return accumulated(draft, tap(r.x - taps // 2) * coefficient(r.x), taps, extents, [image, kernel])


def convolution_2d(draft: Draft) -> Image | None:
    """Over a window and all channels, as in a network: new channels, unrolled, as an update, or with `sum`."""
    draw, image = draft.draw, draft.recent()
    size = draw.choice((1, 3, 3, 3, 5))
    stride = draw.choice((1, 1, 2))
    channels, filters = image.extents[2], draw.choice((1, 3, 4, 8, 16, 32))
    width, height, _ = strided(image.extents, stride, stride)
    extents, taps = (width, height, filters), size * size * channels
    if not draft.affordable(extents, taps):
        return None
    kernel, coefficient = coefficients(draft, image, (size, size, channels, filters))
    half = size // 2

    def product(i: hl.RVar | int, j: hl.RVar | int, k: hl.RVar | int) -> Bounded:
        return image.at(place(x, i - half, stride), place(y, j - half, stride), k) * coefficient(i, j, k, c)

    if taps <= _UNROLLED_TAPS and draw.chance(0.5):
        terms = [product(i, j, k) for k in range(channels) for j in range(size) for i in range(size)]
        return draft.pure(total(terms), extents, [image, kernel])
    r = draft.domain(size, size, channels)
    return accumulated(draft, product(r.x, r.y, r.z), taps, extents, [image, kernel])


def stencil_2d(draft: Draft) -> Image | None:
    """A window of one channel with constant coefficients, or with another way to combine its elements."""
    draw, image = draft.draw, draft.recent()
    width, height = draw.choice(((3, 3), (3, 3), (3, 3), (3, 3), (2, 2), (2, 2), (5, 5), (3, 5), (5, 3)))
    if not draft.affordable(image.extents, width * height):
        return None
    window = image.window(width, height, middle=(width // 2, height // 2))
    if draw.chance(0.6):
        value = total([tap.times(factor) for tap, factor in zip(window, draw.mask(len(window)), strict=True)])
    else:
        value = combined(draft, window)
    return draft.pure(value, image.extents, [image])


def separable(draft: Draft) -> Image | None:
    """A binomial filter along x, then along y: two stages, the first one with a few bits more."""
    draw, image = draft.draw, draft.recent()
    mask = _BINOMIAL[draw.choice((3, 5, 7))]
    if not draft.affordable(image.extents, len(mask)):
        return None
    half, bits = len(mask) // 2, len(mask) - 1
    dtype = {"uint8": "uint16", "uint16": "uint32", "int8": "int16"}.get(image.dtype, dtype_of(image.real))
    rows = draft.pure(
        total([image.at(place(x, k - half), y, c).times(factor) for k, factor in enumerate(mask)]),
        image.extents,
        [image],
        dtype,
    )
    value = total([rows.at(x, place(y, k - half), c).times(factor) for k, factor in enumerate(mask)])
    return draft.pure(value.halved(2 * bits), image.extents, [rows], image.dtype)


def pooling(draft: Draft) -> Image | None:
    """The largest, the smallest or the mean element of a window, which often is as large as the step."""
    draw, image = draft.draw, draft.recent()
    size = draw.choice((2, 2, 3))
    stride = draw.choice((1, size, size))
    extents = strided(image.extents, stride, stride)
    if not draft.affordable(extents, size * size):
        return None
    kind = draw.choice(("max", "min", "mean"))
    if kind == "max" and draw.chance(0.4):
        r = draft.domain(size, size)
        tap = image.at(place(x, r.x, stride), place(y, r.y, stride), c)
        value = Bounded(hl.maximum(tap.expr, f"largest_{len(draft.nodes)}"), tap.low, tap.high, tap.real)
        return draft.pure(value, extents, [image], image.dtype)
    window = image.window(size, size, stride)
    if kind == "mean":
        value = total(window).halved((size * size).bit_length() - 1)
        return draft.pure(value, extents, [image])
    value = reduce(Bounded.max if kind == "max" else Bounded.min, window)
    return draft.pure(value, extents, [image], image.dtype)


def coefficients(draft: Draft, image: Image, extents: tuple[int, ...]) -> tuple[hl.ImageParam, Callable[..., Bounded]]:
    """A new input to multiply elements of an image by, and what reads an element of it."""
    dtype = "float32" if image.real else "int8"
    kernel, low, high = draft.input(dtype, extents)
    return kernel, lambda *at: Bounded.wide(kernel[at], dtype, low, high)


def accumulated(draft: Draft, term: Bounded, count: int, extents: Extents, reads: list[Source]) -> Image:
    """The sum of so many terms over the reduction domain in them: an update, or `sum` in an expression."""
    term = term.limited(_ACCUMULATED / count)
    value = Bounded(term.expr, min(0, term.low * count), max(0, term.high * count), term.real)
    if draft.draw.chance(0.5):
        inner = hl.sum(term.expr, f"sum_{len(draft.nodes)}")
        return draft.pure(Bounded(inner, value.low, value.high, value.real), extents, reads)
    func = draft.func()
    func[x, y, c] = zero(term.real)
    func[x, y, c] += term.expr
    return draft.defined(func, dtype_of(term.real), extents, value, reads)


def combined(draft: Draft, values: list[Bounded]) -> Bounded:
    """All values in one random expression."""
    add, subtract, multiply = Bounded.__add__, Bounded.__sub__, Bounded.__mul__
    operators = (add, add, subtract, Bounded.min, Bounded.max, multiply, Bounded.difference)
    while len(values) > 1:
        operator = draft.draw.choice(operators)
        pairs = zip(values[::2], values[1::2], strict=False)
        values = [operator(a, b) for a, b in pairs] + values[len(values) // 2 * 2 :]
    return values[0]


def strided(extents: Extents, i: int, j: int) -> Extents:
    """Fewer elements along x and y."""
    return max(1, extents[0] // i), max(1, extents[1] // j), extents[2]
