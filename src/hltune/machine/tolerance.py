"""How far an output may be from the expected one: exact for integers, measured where floats take part.

Two schedules hardly ever round floats alike. So the reference is computed in several ways that are all right
(`hltune.machine.sensitivity`), and how they differ is what candidates may do, in size and in number. Differences are
counted above levels that grow in steps: an element may be off by twice or four times as much as was seen, and three
times as many elements may be, in the whole output and in each of its slices. A wrong row, or a channel in place of
another, is too many in one slice, even where single elements may differ by anything, as where rounded floats index a
table.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hltune.machine.distances import PART, Counter, Counts, check_shapes, distances, far_ones, parts
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
_WILD_SHARE, _WILD_SLICE_SHARE = 0.02, 0.5
"""Shares that may be off wildly, at most; a program that needs more is chaotic. No element of a small output may."""
_WILD_FLOAT, _WILD_INTEGER = 0.1, 1 / 16
"""What is wild: relative to the value, and to the range of the output's values; of a small output, with 0 in it."""

_LEAST_SPREAD = 100.0
"""Where values lie this close to each other, in units of what they may always differ by, they may differ by less."""
_LOWER_LEVELS, _LOWER_SIZE = 3, 256
"""By so many levels, of outputs of so many elements: the spread of a few says nothing."""
_OF_SEEN, _OF_STEPS = 4.0, 8.0
"""They may always differ by so many times what was seen, and by so many of the steps of their type."""

_FEW_LABELS = 3.0
"""Integers from 0 to no more than this are no amounts that are rounded, but say which of a few things is there."""
_MOST_STEPS = 4
"""So many shares of elements have their amounts said."""
_ALL = "100%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How many elements of one output may differ by more than each level.

    Attributes:
        levels: distances, see `hltune.machine.distances`, from small to large.
        allowed: per level, in the whole output and then in any slice of each axis.
        text: what that means, for people.
        reason: why.
        chaotic: the reference itself differs more than anything could allow.
        advice: what people can do where what is called wrong may be right.
        near_zero: what is added to a float before a difference is related to it, so that small floats may differ by
            what is lost where large ones cancel out.
        origin: the output's coordinates of its first element, Halide's first dimension first; empty if these are 0.
    """

    output: str
    levels: tuple[float, ...]
    allowed: tuple[tuple[int, ...], ...]
    text: str
    reason: str
    chaotic: bool = False
    advice: str = ""
    near_zero: float = 0.0
    origin: tuple[int, ...] = ()

    @property
    def disputed(self) -> bool:
        """Right schedules compute other values, of which none may differ: what is expected are integers alone."""
        return self.reason == EXACT and bool(self.advice)

    def of_all(self, size: int) -> float:
        """What each of so many elements may be off by."""
        rows = zip(self.levels, self.allowed, strict=True)
        return next((level for level, (count, *_) in rows if count < max(1, size)), math.inf)

    def broken(self, found: Array, expected: Array) -> float | None:
        """The least level above which too many elements are; None if the output is right."""
        counter = Counter(self.levels, expected.shape)
        for places, values in far_ones(found, expected, self.near_zero, self.levels[0]):
            counter.add(places, values)
        counts = counter.counts()
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
    near_zero = _near_zero(expected, [found for _, found in variants])
    levels = _lowered(_levels(expected), expected, [found for _, found in variants], near_zero)
    each = {name: _seen(found, expected, near_zero, levels) for name, found in variants}
    nothing = np.zeros((len(levels), 1 + expected.ndim), np.int64)
    seen = np.maximum.reduce([nothing, *(one.counts for one in each.values())])
    sizes = _sizes(expected)
    allowed, chaotic = _allowed(seen, levels, sizes, expected)
    text = _text(allowed, levels, expected)
    return Tolerance(
        output=output,
        levels=levels,
        allowed=tuple(tuple(map(int, row)) for row in allowed),
        text=text,
        reason=_reason(each, expected),
        chaotic=chaotic,
        advice=f"allowed is: {text}; to allow more, {_more(expected)}",
        near_zero=near_zero,
    )


def _more(expected: Array) -> str:
    flag = "--tolerance" if expected.dtype.kind == "f" else "--integer-tolerance"
    return f"give {flag}, or schedule for a --target with strict_float"


def _near_zero(expected: Array, variants: Sequence[Array]) -> float:
    """What floats have to be near zero for, see `Tolerance.near_zero`; no more than a hundredth of the largest one.

    One large value would hide all others behind that. So where there are variants it is as much less as they allow:
    what nearly all of their elements differ by, beyond what is relative to the value, is then below the least level.
    """
    if expected.dtype.kind != "f":
        return 0.0
    sizes = np.abs(expected)
    sizes = sizes[np.isfinite(sizes)]
    most = float(sizes.max(initial=0.0)) / _NEAR_ZERO
    if not variants or not most:
        return most
    sizes = sizes[sizes > 0]
    place = math.floor(_SMALL_SHARE * (len(sizes) - 1))
    sizes.partition(place)
    level = _levels(expected)[0]
    return min(most, max(_noise(expected, variants, level) / level, float(sizes[place]) / _NEAR_ZERO))


def _noise(expected: Array, variants: Sequence[Array], level: float) -> float:
    """What nearly all elements differ by at most, beyond a level relative to the value."""

    def beyond() -> Iterator[Array]:
        for _, part in parts(expected.shape):
            wanted = expected[part].astype(np.float64)
            with np.errstate(all="ignore"):
                far = np.stack([np.abs(found[part] - wanted) for found in variants]) - level * np.abs(wanted)
            far = np.where(np.isfinite(far), far, 0.0).max(axis=0)
            yield far[far > 0]

    count = expected.size - math.floor((1 - _WILD_SHARE) * (expected.size - 1))
    found = _largest(beyond(), count)
    return float(found.min()) if len(found) == count else 0.0


def _largest(parts: Iterable[Array], count: int) -> Array:
    """So many numbers, or all if there are fewer; most of the others are let go on the way."""
    kept, new, fresh = np.empty(0), list[Array](), 0
    for part in parts:
        new.append(part)
        fresh += len(part)
        if fresh >= max(count, PART):
            kept, new, fresh = _top(np.concatenate([kept, *new]), count), [], 0
    return _top(np.concatenate([kept, *new]), count)


def _top(values: Array, count: int) -> Array:
    return values if len(values) <= count else np.partition(values, -count)[-count:]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """How one variant differs from the reference: elements that differ at all, and the largest distance."""

    counts: Counts
    differ: int
    largest: float


def _seen(found: Array, expected: Array, near_zero: float, levels: Sequence[float]) -> _Seen:
    """Part by part, for all distances would take several times the memory of the output."""
    check_shapes(found, expected)
    counter, differ, largest = Counter(levels, expected.shape), 0, 0.0
    for start, part in parts(expected.shape):
        far = np.asarray(distances(found[part], expected[part], near_zero))
        differ += int(np.count_nonzero(far))
        largest = max(largest, float(far.max(initial=0)))
        above = far > levels[0]
        if above.any():
            counter.add(np.argwhere(above) + np.array(start, np.int64), far[above])
    return _Seen(counts=counter.counts(), differ=differ, largest=largest)


def _levels(expected: Array) -> tuple[float, ...]:
    if expected.dtype.kind != "f":
        wild, bits = _wild(expected), _LEAST_INTEGER_BITS
        while 2**bits - 1 < wild:  # else nothing that these values differ by would be wild
            bits += 1
        return tuple(float(2**each - 1) for each in range(min(bits + 1, _bits(expected))))
    found = [FLOAT_TOLERANCE[expected.dtype.itemsize] / _FLOAT_STEP]
    while found[-1] < _LARGEST_FLOAT_LEVEL:
        found.append(found[-1] * _FLOAT_STEP)
    return tuple(found)


def _lowered(
    levels: tuple[float, ...], expected: Array, variants: Sequence[Array], near_zero: float
) -> tuple[float, ...]:
    """With further levels below, where all that varies would be allowed to be wrong, for the floats are much alike.

    Whole numbers that come out the same however they are computed, such as counts and labels, hardly differ at all.
    """
    if expected.dtype.kind != "f" or expected.size < _LOWER_SIZE or not variants:
        return levels
    least, most = value_range(expected)
    if least == most:
        return levels
    same = _are_whole_and_same(expected, variants)
    wanted = 0.0 if same else (most - least) / max(abs(least), abs(most)) / _LEAST_SPREAD
    if wanted * _FLOAT_STEP > levels[1]:
        return levels
    seen = 0.0 if same else max(_seen(found, expected, near_zero, levels).largest for found in variants)
    lower = (levels[0] / _FLOAT_STEP**step for step in range(_LOWER_LEVELS, 0, -1))
    least_allowed = max(wanted, _OF_SEEN * seen, _OF_STEPS * float(np.finfo(expected.dtype).eps))
    return (*(level for level in lower if level * _FLOAT_STEP >= least_allowed), *levels)


def _are_whole_and_same(expected: Array, variants: Sequence[Array]) -> bool:
    """All are the same whole numbers, looked at one part after the other."""
    return all(
        np.array_equal(wanted := expected[part], np.rint(wanted), equal_nan=True)
        and all(np.array_equal(found[part], wanted, equal_nan=True) for found in variants)
        for _, part in parts(expected.shape)
    )


def value_range(output: Array) -> tuple[float, float]:
    """The least and the largest number among the values; both the same if there are none."""
    values = output[np.isfinite(output)] if output.dtype.kind == "f" else output
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _bits(expected: Array) -> int:
    """No two integers are farther apart than all these say, and no two bytes, which truths are in memory."""
    return 8 * expected.dtype.itemsize


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
    caps = np.array([_most_wild(expected), *np.ceil(_WILD_SLICE_SHARE * sizes[1:])], np.int64)
    chaotic = bool((seen[wild, 0] > caps[0]).any())
    allowed[wild] = np.minimum(allowed[wild], caps)
    return allowed, chaotic


def _most_wild(expected: Array) -> int:
    """Elements of the output that may be off wildly; rounded up, a single one would be all of a small output."""
    return math.floor(_WILD_SHARE * expected.size)


def _wild(expected: Array) -> float:
    if expected.dtype.kind == "f":
        return _WILD_FLOAT
    if expected.dtype.kind == "b":
        return 0.0
    if expected.size == 0:
        return 1.0
    least, most = float(expected.min()), float(expected.max())
    if least >= 0 and 1 <= most <= _FEW_LABELS:  # truths and labels: more than the next one, or any for two, is another
        return most // 2
    if not _most_wild(expected):  # the range of a few values that are alike says nothing of how large they are
        least, most = min(least, 0.0), max(most, 0.0)
    return max(2.0, (most - least) * _WILD_INTEGER)


def _text(allowed: Counts, levels: Sequence[float], expected: Array) -> str:
    """How much all elements may be off, and how much more smaller and smaller shares of them may be."""
    (first, most), *more = _steps(allowed, levels, expected) or [(_ALL, None)]
    if most is None and first == _ALL:
        return amount(levels[1], expected) if expected.dtype.kind == "f" else "equal"
    if first != _ALL:
        base, more = "equal", [(first, most), *more]
    else:
        base = str(most) if expected.dtype.kind == "f" else f"off by {most} at most"
    if not more:
        return base
    said = [f"{share} may be any value" if most is None else f"{share} by up to {most}" for share, most in more]
    share, most = more[0]
    said[0] = f"{share} of the elements may be {'any value' if most is None else f'off by up to {most}'}"
    return f"{base}, but " + (", ".join(said[:-1]) + ", and " if said[1:] else "") + said[-1]


def _steps(allowed: Counts, levels: Sequence[float], expected: Array) -> list[tuple[str, str | None]]:
    """Shares of the elements, from large to small, and how much these may be off; None if they may be anything.

    Of many, some are left out, and the shares before them have the amounts of those.
    """
    shares = [_percent(count / max(1, expected.size)) for count in allowed[:, 0] if count]
    rows = [row for row, share in enumerate(shares) if not row or share != shares[row - 1]]
    anything = 1 if expected.dtype.kind == "b" else len(levels)
    if len(rows) > _MOST_STEPS:
        rows = [*rows[: _MOST_STEPS - 1], rows[-1]]
    ends = [*rows[1:], len(shares)] if rows else []
    return [
        (shares[row], None if end >= anything else amount(levels[end], expected))
        for row, end in zip(rows, ends, strict=True)
    ]


def _reason(seen: Mapping[str, _Seen], expected: Array) -> str:
    """How far the variants are from the reference, the worst ones named."""
    if not seen:
        return "floats take part; how much they matter could not be measured"
    most = max(each.differ for each in seen.values())
    if not most:
        return f"floats take part; the reference does not differ from itself ({', '.join(seen)})"
    largest = max(each.largest for each in seen.values())
    causes = ", ".join(name for name, each in seen.items() if 2 * each.differ >= most)
    share = _percent(most / max(1, expected.size))
    size = f"by up to {amount(largest, expected)} in {share}"
    return f"floats take part; the reference differs from itself {size} ({causes})"


def amount(distance: float, expected: Array) -> str:
    """A distance between elements, for people."""
    return f"a relative {distance:.1g}" if expected.dtype.kind == "f" else f"{distance:.0f}"


def _percent(share: float) -> str:
    return f"{float(f'{100 * share:.2g}'):g}%"
