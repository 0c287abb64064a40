"""How far an output may be from the expected one: exact for integers, measured where floats take part.

Two schedules hardly ever round floats alike. So the reference is computed in several ways that are all right
(`hltune.machine.sensitivity`), and how they differ is what candidates may do, in size and in number. Differences are
counted above levels that grow in steps: an element may be off by twice or four times as much as was seen, and three
times as many elements may be, in the whole output and in each of its slices. A wrong row, or a channel in place of
another, is too many in one slice, even where single elements may differ by anything, as where rounded floats index a
table.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hltune.pipeline.images import Array

FLOAT_TOLERANCE = {2: 1e-2, 4: 1e-4, 8: 1e-9}
"""What floats may always differ by, by element size in bytes; relative to the value, see `Tolerance.near_zero`."""

_NEAR_ZERO = 100
_SMALL_SHARE = 0.1
"""A value is small if a tenth of those that are not zero are smaller; near zero is a hundredth of that."""
_FLOAT_STEP = 4.0
_LARGEST_FLOAT_LEVEL = 10.0
_LEAST_INTEGER_BITS = 19
_MORE = 3
_FEW = 4
"""Three times as many elements as were seen may differ, and a few more, for small numbers are chance."""
_ELEMENTS_PER_FEW = 256
"""One more for so many elements: of a single number, the few would be all."""
_ROUNDED_SHARE = 1e-4
"""Share of rounded integers that may be off by one, although the reference never was; truths have no ones between."""
_PART = 1 << 14
"""Elements whose distances are looked at together: those of doubles fit into the second cache."""
_LEAST_ITEMSIZE, _LARGEST_QUICK_LEVEL, _QUICK_SHARE = 4, 0.1, 0.9
"""Where the rounding of the floats themselves cannot mislead who looks whether distances are below a level."""
_WILD_SHARE, _WILD_SLICE_SHARE = 0.02, 0.5
"""Shares that may be off wildly, at most; a program that needs more is chaotic."""
_WILD_FLOAT, _WILD_INTEGER = 0.1, 1 / 16
"""What is wild: relative to the value, and to the range of the output's values."""

Counts = np.ndarray[Any, np.dtype[np.int64]]
"""(levels, 1 + dimensions): elements above each level in the output, and in the slice of each axis that has most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How many elements of one output may differ by more than each level.

    Attributes:
        levels: distances, see `distances`, from small to large.
        allowed: per level, in the whole output and then in any slice of each axis.
        text: what that means, for people.
        reason: why.
        chaotic: the reference itself differs more than anything could allow.
        advice: how to allow more, where that may be right.
        near_zero: what is added to a float before a difference is related to it, so that small floats may differ by
            what is lost where large ones cancel out.
    """

    output: str
    levels: tuple[float, ...]
    allowed: tuple[tuple[int, ...], ...]
    text: str
    reason: str
    chaotic: bool = False
    advice: str = ""
    near_zero: float = 0.0

    def broken(self, found: Array, expected: Array) -> float | None:
        """The least level above which too many elements are; None if the output is right."""
        places, values = _far_ones(found, expected, self.near_zero, self.levels[0])
        counts = _count_above(places, values, self.levels)
        wrong = (counts > np.array(self.allowed)).any(axis=1)
        return self.levels[int(wrong.argmax())] if wrong.any() else None


EXACT = "computed by integers alone"


def exact(output: str, expected: Array) -> Tolerance:
    """No element may differ."""
    return limited(output, expected, 0, text="equal", reason=EXACT)


def limited(
    output: str, expected: Array, most: float, *, text: str, reason: str, variants: Sequence[Array] = ()
) -> Tolerance:
    """No element may differ by more than this; variants tell what is near zero, as in `measured`."""
    return Tolerance(
        output=output,
        levels=(most,),
        allowed=((0,) * (1 + expected.ndim),),
        text=text,
        reason=reason,
        near_zero=_near_zero(expected, variants),
    )


def measured(output: str, expected: Array, variants: Sequence[tuple[str, Array]]) -> Tolerance:
    """What the same output, computed in other ways, says that schedules may do."""
    levels = _levels(expected)
    near_zero = _near_zero(expected, [found for _, found in variants])
    far = {name: distances(found, expected, near_zero) for name, found in variants}
    each = {name: count_above(values, levels) for name, values in far.items()}
    seen = np.maximum.reduce([np.zeros((len(levels), 1 + expected.ndim), np.int64), *each.values()])
    sizes = _sizes(expected)
    allowed, chaotic = _allowed(seen, levels, sizes, expected)
    return Tolerance(
        output=output,
        levels=levels,
        allowed=tuple(tuple(map(int, row)) for row in allowed),
        text=_text(allowed, levels, expected),
        reason=_reason(far, expected),
        chaotic=chaotic,
        advice=_advice(expected),
        near_zero=near_zero,
    )


def _advice(expected: Array) -> str:
    flag = "--tolerance" if expected.dtype.kind == "f" else "--integer-tolerance"
    return f"give {flag}, or schedule for a --target with strict_float"


def distances(found: Array, expected: Array, near_zero: float) -> Array:
    """How far elements are: integers in units, floats relative to the value; infinite where only one is a number.

    Truths are the bytes that they are in memory, for one that nobody wrote is neither true nor false.
    """
    _check_shapes(found, expected)
    if found.dtype.kind != "f":
        wide = (found.view(np.uint8), expected.view(np.uint8)) if found.dtype.kind == "b" else (found, expected)
        return np.maximum(*wide).astype(np.uint64) - np.minimum(*wide).astype(np.uint64)
    result = np.empty(found.shape)
    for _, part in _parts(found.shape):
        ours, wanted = found[part].astype(np.float64), expected[part].astype(np.float64)
        with np.errstate(all="ignore"):
            far = np.abs(ours - wanted) / (np.abs(wanted) + near_zero)
        same = (ours == wanted) | (np.isnan(ours) & np.isnan(wanted))
        result[part] = np.where(same, 0.0, np.where(np.isfinite(far), far, math.inf))
    return result


def _check_shapes(found: Array, expected: Array) -> None:
    if found.shape != expected.shape:
        raise ValueError(f"an output of shape {found.shape} is compared with one of shape {expected.shape}")


def _near_zero(expected: Array, variants: Sequence[Array]) -> float:
    """What floats have to be near zero for, see `Tolerance.near_zero`; no more than a hundredth of the largest one.

    One large value would hide all others behind that. So where there are variants it is as much less as they allow:
    what nearly all of their elements differ by, beyond what is relative to the value, is then below the least level.
    """
    if expected.dtype.kind != "f":
        return 0.0
    sizes = np.abs(expected[np.isfinite(expected)])
    most = float(sizes.max(initial=0.0)) / _NEAR_ZERO
    if not variants or not most:
        return most
    level = _levels(expected)[0]
    beyond = [np.empty(0)]
    for _, part in _parts(expected.shape):
        wanted = expected[part].astype(np.float64)
        with np.errstate(all="ignore"):
            far = np.stack([np.abs(found[part] - wanted) for found in variants]) - level * np.abs(wanted)
        far = np.where(np.isfinite(far), far, 0.0).max(axis=0)
        beyond.append(far[far > 0])
    noise = _lower_quantile(np.concatenate(beyond), 1 - _WILD_SHARE, of=expected.size)
    small = _lower_quantile(sizes[sizes > 0], _SMALL_SHARE)
    return min(most, max(noise / level, small / _NEAR_ZERO))


def _lower_quantile(positive: Array, share: float, *, of: int | None = None) -> float:
    """`np.quantile` by the method "lower" of numbers above 0, or of so many, all others of which are 0."""
    count = len(positive) if of is None else of
    place = math.floor(share * (count - 1)) - (count - len(positive))
    return 0.0 if place < 0 else float(np.partition(positive, place)[place])


def count_above(far: Array, levels: Sequence[float]) -> Counts:
    """Elements above each level; see `Counts`."""
    differ = np.asarray(far) > levels[0]
    return _count_above(np.argwhere(differ), np.asarray(far)[differ], levels)


def _count_above(places: Array, values: Array, levels: Sequence[float]) -> Counts:
    """The same of elements [N] at places [N, dimensions], all others being below the first level."""
    dimensions = places.shape[1]
    counts = np.zeros((len(levels), 1 + dimensions), np.int64)
    for number, level in enumerate(levels):
        above = values > level
        counts[number, 0] = int(above.sum())
        if counts[number, 0] == 0:
            break
        for axis in range(dimensions):
            counts[number, 1 + axis] = int(np.bincount(places[above, axis]).max())
    return counts


def _far_ones(found: Array, expected: Array, near_zero: float, level: float) -> tuple[Array, Array]:
    """Places [N, dimensions] and distances [N] of elements that are farther than this.

    One part of the arrays after the other, for all distances at once would not fit into a cache.
    """
    _check_shapes(found, expected)
    places, values = [np.empty((0, found.ndim), np.int64)], [np.empty(0)]
    for start, part in _parts(found.shape):
        ours, wanted = found[part], expected[part]
        suspects = _suspects(ours, wanted, near_zero, level)
        if not suspects.any():
            continue
        far = distances(ours[suspects], wanted[suspects], near_zero)
        differ = far > level
        places.append(np.argwhere(suspects)[differ] + start)
        values.append(far[differ])
    return np.concatenate(places), np.concatenate(values)


def _suspects(ours: Array, wanted: Array, near_zero: float, level: float) -> Array:
    """Where distances may be above a level; most of the others are told quickly."""
    if ours.dtype.kind == "b":
        return ours.view(np.uint8) != wanted.view(np.uint8)  # see `distances`
    if ours.dtype.kind != "f" or ours.itemsize < _LEAST_ITEMSIZE or level > _LARGEST_QUICK_LEVEL:
        return ~(ours == wanted)
    limit = _QUICK_SHARE * level
    with np.errstate(all="ignore"):
        # What is not a number, and what is infinite, is below no limit.
        return ~(np.abs(ours - wanted) < limit * np.abs(wanted) + limit * near_zero)


def _parts(shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """Where each part of an array begins, and its slices: elements of the first axis of which several fit into one."""
    if not shape:
        yield (), (...,)
        return
    sizes = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    axis = next(axis for axis, size in enumerate(sizes) if size <= _PART)
    step = _PART // max(1, sizes[axis])
    for outer in np.ndindex(shape[:axis]):
        for first in range(0, shape[axis], step):
            start = (*outer, first, *[0] * (len(shape) - axis - 1))
            yield start, (*(slice(each, each + 1) for each in outer), slice(first, first + step))


def _levels(expected: Array) -> tuple[float, ...]:
    if expected.dtype.kind != "f":
        wild, bits = _wild(expected), _LEAST_INTEGER_BITS
        while 2**bits - 1 < wild:  # else nothing that these values differ by would be wild
            bits += 1
        return tuple(float(2**each - 1) for each in range(bits + 1))
    found = [FLOAT_TOLERANCE[expected.dtype.itemsize] / _FLOAT_STEP]
    while found[-1] < _LARGEST_FLOAT_LEVEL:
        found.append(found[-1] * _FLOAT_STEP)
    return tuple(found)


def _sizes(expected: Array) -> Counts:
    """Elements of the output, and of one slice of each axis."""
    return np.array([expected.size, *(expected.size // max(1, extent) for extent in expected.shape)], np.int64)


def _allowed(seen: Counts, levels: Sequence[float], sizes: Counts, expected: Array) -> tuple[Counts, bool]:
    """Per level what was seen one level below, and more; whether the program is chaotic."""
    is_float = expected.dtype.kind == "f"
    below = np.vstack([seen[:1], seen[:-1]])
    few = np.minimum(min(_FEW, expected.size // _ELEMENTS_PER_FEW), sizes // 16 + 1)
    allowed = np.where(below > 0, np.minimum(_MORE * below + few, sizes), 0)
    if is_float:
        allowed[0] = sizes
    elif expected.dtype.kind != "b" and few[0]:
        allowed[0] = np.maximum(allowed[0], np.maximum(few, np.ceil(_ROUNDED_SHARE * sizes).astype(np.int64)))
    wild = np.array([level >= _wild(expected) for level in levels])
    caps = np.ceil(np.array([_WILD_SHARE, *[_WILD_SLICE_SHARE] * expected.ndim]) * sizes).astype(np.int64)
    chaotic = bool((seen[wild, 0] > caps[0]).any())
    allowed[wild] = np.minimum(allowed[wild], np.maximum(caps, few))
    return allowed, chaotic


def _wild(expected: Array) -> float:
    if expected.dtype.kind == "f":
        return _WILD_FLOAT
    if expected.dtype.kind == "b":
        return 0.0
    if expected.size == 0:
        return 1.0
    return max(2.0, (float(expected.max()) - float(expected.min())) * _WILD_INTEGER)


def _text(allowed: Counts, levels: Sequence[float], expected: Array) -> str:
    """How many elements may differ at all, and how many by most."""
    first = 1 if expected.dtype.kind == "f" else 0
    rows = [number for number in range(first, len(levels)) if allowed[number, 0]]
    base = amount(levels[first], expected) if first else "equal"
    if not rows:
        return base
    last = rows[-1]
    many, few = (_percent(allowed[row, 0] / max(1, expected.size)) for row in (rows[0], last))
    most = "by anything" if last + 1 == len(levels) else f"by up to {amount(levels[last + 1], expected)}"
    if last == rows[0]:
        return f"{base}, but {many} of the elements may be off {most}"
    return f"{base}, but {many} of the elements may be off, and {few} {most}"


def _reason(far: Mapping[str, Array], expected: Array) -> str:
    """How far the variants are from the reference, the worst ones named."""
    if not far:
        return "floats take part; how much they matter could not be measured"
    counts = {name: int((values > 0).sum()) for name, values in far.items()}
    most = max(counts.values())
    if not most:
        return f"floats take part; the reference does not differ from itself ({', '.join(far)})"
    largest = max(float(values.max(initial=0.0)) for values in far.values())
    causes = ", ".join(name for name, count in counts.items() if 2 * count >= most)
    share = _percent(most / max(1, expected.size))
    size = f"by up to {amount(largest, expected)} in {share}"
    return f"floats take part; the reference differs from itself {size} ({causes})"


def amount(distance: float, expected: Array) -> str:
    """A distance between elements, for people."""
    return f"a relative {distance:.1g}" if expected.dtype.kind == "f" else f"{distance:.0f}"


def _percent(share: float) -> str:
    return f"{float(f'{100 * share:.2g}'):g}%"
