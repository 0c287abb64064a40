"""How far the elements of an output are from the expected ones, one part of the arrays after the other.

All distances at once would fit into no cache, and need several times the memory of a large output.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hltune.pipeline.images import Array

PART = 1 << 14
"""Elements whose distances are looked at together: those of doubles fit into the second cache."""
_LEAST_ITEMSIZE, _LARGEST_QUICK_LEVEL, _QUICK_SHARE = 4, 0.1, 0.9
"""Where the rounding of the floats themselves cannot mislead who looks whether distances are below a level."""

Counts = np.ndarray[Any, np.dtype[np.int64]]
"""(levels, 1 + dimensions): elements above each level in the output, and in the slice of each axis that has most."""


def distances(found: Array, expected: Array, near_zero: float) -> Array:
    """How far elements are: integers in units, floats relative to the value; infinite where only one is a number.

    Truths are the bytes that they are in memory, for one that nobody wrote is neither true nor false.
    """
    check_shapes(found, expected)
    if found.dtype.kind != "f":
        wide = (found.view(np.uint8), expected.view(np.uint8)) if found.dtype.kind == "b" else (found, expected)
        return np.maximum(*wide).astype(np.uint64) - np.minimum(*wide).astype(np.uint64)
    result = np.empty(found.shape)
    for _, part in parts(found.shape):
        ours, wanted = found[part].astype(np.float64), expected[part].astype(np.float64)
        with np.errstate(all="ignore"):
            far = np.abs(ours - wanted) / (np.abs(wanted) + near_zero)
        same = (ours == wanted) | (np.isnan(ours) & np.isnan(wanted))
        result[part] = np.where(same, 0.0, np.where(np.isfinite(far), far, math.inf))
    return result


def check_shapes(found: Array, expected: Array) -> None:
    """Raises a `ValueError` if two arrays cannot be compared."""
    if found.shape != expected.shape:
        raise ValueError(f"an output of shape {found.shape} is compared with one of shape {expected.shape}")


def far_ones(found: Array, expected: Array, near_zero: float, level: float) -> Iterator[tuple[Array, Array]]:
    """Places [N, dimensions] and distances [N] of elements that are farther than this, in the order of memory.

    One part of the arrays after the other, for all distances at once would not fit into a cache.
    """
    check_shapes(found, expected)
    for start, part in parts(found.shape):
        ours, wanted = found[part], expected[part]
        suspects = _suspects(ours, wanted, near_zero, level)
        if not suspects.any():
            continue
        far = distances(ours[suspects], wanted[suspects], near_zero)
        differ = far > level
        if differ.any():
            yield np.argwhere(suspects)[differ] + np.array(start, np.int64), far[differ]


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


def parts(shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """Where each part of an array begins, and its slices: elements of the first axis of which several fit into one."""
    if not shape:
        yield (), (...,)
        return
    sizes = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    axis = next(axis for axis, size in enumerate(sizes) if size <= PART)
    step = PART // max(1, sizes[axis])
    for outer in np.ndindex(shape[:axis]):
        for first in range(0, shape[axis], step):
            start = (*outer, first, *[0] * (len(shape) - axis - 1))
            yield start, (*(slice(each, each + 1) for each in outer), slice(first, first + step))


class Counter:
    """Counts elements above each level, see `Counts`, of which it is told one part after the other."""

    def __init__(self, levels: Sequence[float], shape: tuple[int, ...]) -> None:
        self._levels = np.array(levels)
        self._shape = shape
        self._all = np.zeros(len(levels) + 1, np.int64)
        self._slices: dict[int, Array] = {}
        """By axis and then by slice: elements that are above so many levels, as small as they can be counted."""

    def add(self, places: Array, values: Array) -> None:
        """Distances [N] of elements at places [N, dimensions]; of others it need not be told."""
        above, size = np.searchsorted(self._levels, values), len(self._all)
        self._all += np.bincount(above, minlength=size)
        for axis, extent in enumerate(self._shape):
            of_one = math.prod(self._shape) // extent
            if of_one == 1:  # each slice is an element
                continue
            if axis not in self._slices:
                self._slices[axis] = np.zeros(extent * size, np.min_scalar_type(of_one))
            first = int(places[:, axis].min())
            counts = np.bincount((places[:, axis] - first) * size + above)
            part = self._slices[axis][first * size :][: len(counts)]
            np.add(part, counts, out=part, casting="unsafe")

    def counts(self) -> Counts:
        """Of all so far."""
        levels = len(self._levels)
        counts = np.zeros((levels, 1 + len(self._shape)), np.int64)
        counts[:, 0] = self._all[::-1].cumsum()[-2::-1]
        counts[:, 1:] = np.minimum(counts[:, :1], 1)
        for axis, slices in self._slices.items():
            by_slice = slices.reshape(-1, levels + 1)
            total = np.zeros(len(by_slice), slices.dtype)
            for number in reversed(range(levels)):
                total += by_slice[:, number + 1]
                counts[number, 1 + axis] = total.max()
        return counts
