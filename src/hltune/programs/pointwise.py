"""Kinds of stages that look at one element of each of their inputs."""

import halide as hl

from hltune.pipeline.build import halide_type
from hltune.programs.bounded import Bounded, zero
from hltune.programs.draft import Draft, Image, c, place, x, y
from hltune.programs.stencils import combined

_DOUBLE = {"uint8": "uint16", "uint16": "uint32", "int8": "int16", "int16": "int32"}


def relu(draft: Draft) -> Image | None:
    """Negative values become 0; the element type may become narrower."""
    candidates = [image for image in draft.images if image.low < 0 < image.high]
    if not candidates:
        return None
    image = draft.draw.recent(candidates)
    return draft.pure(image.at(x, y, c).rectified(), image.extents, [image])


def unary(draft: Draft) -> Image | None:
    """A smooth function of floats."""
    image = draft.recent()
    value = image.at(x, y, c)
    if not draft.affordable(image.extents, 20) or value.low == value.high:
        return None
    value = value.as_real().limited(4)
    # Roots and logarithms only of what is far from 0, where rounding would show.
    results = {
        "exp": Bounded(hl.exp(value.expr), 0, 55, True),
        "log": Bounded(hl.log(value.expr + 5), 0, 2.2, True),
        "sqrt": Bounded(hl.sqrt(value.expr + 5), 1, 3, True),
        "tanh": Bounded(hl.tanh(value.expr), -1, 1, True),
    }
    return draft.pure(results[draft.draw.choice(tuple(results))], image.extents, [image])


def binary(draft: Draft) -> Image | None:
    """Two images, the second one stretched to the size of the first: of one alone, a difference would be nothing."""
    a = draft.recent()
    others = [each for each in draft.images if each is not a]
    if not others:
        return None
    b = draft.draw.choice(others)
    value = combined(draft, [a.at(x, y, c), b.resampled(a.extents)])
    return None if value.low == value.high else draft.pure(value, a.extents, [a, b])


def threshold(draft: Draft) -> Image | None:
    """One of two integer images, as a third one says."""
    draw, whole = draft.draw, draft.integers()
    if not whole:
        return None
    judge, a, b = draw.recent(whole), draw.choice(whole), draw.choice(whole)
    value = judge.at(x, y, c)
    limit = hl.cast(hl.Int(32), int(value.high) // draw.between(2, 5))
    left, right = a.resampled(judge.extents), b.resampled(judge.extents)
    chosen = hl.select(value.expr > limit, left.expr, right.expr)
    value = Bounded(chosen, min(left.low, right.low), max(left.high, right.high), False)
    return draft.pure(value, judge.extents, [judge, a, b])


def lookup(draft: Draft) -> Image | None:
    """A table with 256 entries."""
    draw, whole = draft.draw, draft.integers()
    if not whole:
        return None
    image = draw.recent(whole)
    dtype = draw.choice(("uint8", "uint8", "uint16", "float32"))
    table, low, high = draft.input(dtype, (256,))
    index = image.at(x, y, c).narrowed("uint8")
    value = Bounded.wide(table[hl.clamp(index.expr, 0, 255)], dtype, low, high)
    return draft.pure(value, image.extents, [image, table], dtype)


def fixed_point(draft: Draft) -> Image | None:
    """Arithmetic of narrow integers as filters for 8 and 16 bits do it: widened, rounded, saturated."""
    draw = draft.draw
    narrow = [image for image in draft.images if image.dtype in _DOUBLE]
    if not narrow:
        return None
    image = draw.recent(narrow)
    kind, wide = halide_type(image.dtype), halide_type(_DOUBLE[image.dtype])
    i, j = draw.choice(((1, 0), (0, 1), (1, 1), (2, 0)))
    a, b = image.element(x, y, c), image.element(place(x, i), place(y, j), c)
    weight = draw.between(1, 15)
    wide_a, wide_b = hl.cast(wide, a), hl.cast(wide, b)
    weighted, mean = (wide_a * weight + wide_b * (16 - weight) + 8) >> 4, (wide_a + wide_b + 1) >> 1
    expressions = (
        hl.cast(kind, weighted if image.dtype == "uint8" else mean),
        hl.saturating_add(a, b),
        hl.saturating_sub(a, b),
        hl.cast(kind, hl.absd(a, b) >> 1),
        hl.saturating_cast(kind, (wide_a * wide_b) >> kind.bits() // 2),
    )
    func = draft.func()
    func[x, y, c] = draw.choice(expressions)
    low = 0 if image.dtype.startswith("u") else -(2 ** (kind.bits() - 1))
    largest = Bounded(a, low, 2 ** kind.bits() - 1, False)
    return draft.defined(func, image.dtype, image.extents, largest, [image])


def padding(draft: Draft) -> Image | None:
    """Zeros outside of a frame."""
    draw, image = draft.draw, draft.recent()
    width, height, _ = image.extents
    left, top = draw.between(0, 3), draw.between(1, 3)
    inside = (x >= left) & (x < width - left) & (y >= top) & (y < height - top)
    value = image.at(x, y, c)
    chosen = hl.select(inside, value.expr, zero(value.real))
    value = Bounded(chosen, min(0, value.low), max(0, value.high), value.real)
    return draft.pure(value, image.extents, [image], image.dtype)
