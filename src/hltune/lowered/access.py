"""Loads and stores: where they go, from one lane and one iteration to the next, and how they reach memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hltune.lowered.evaluate import Value, is_vector, row
from hltune.lowered.tree import Type

PATTERNS = ("scalar", "broadcast", "dense", "aligned", "reversed", "strided", "gather")
LANE_BY_LANE = ("strided", "gather")
"""Those whose lanes are accessed one after the other."""
_SELDOM, _OFTEN = 0.05, 0.6
"""What moves in a share of the iterations between these moves slowly, as y / 2 and y / 8 do."""
_MOST = 0.5
"""Lanes are evenly spaced if they are so in this share of the iterations: boundaries are exceptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A load or a store.

    Attributes:
        lanes: elements at once.
        lane_stride: elements from lane to lane, on average if they are not evenly spaced; None if unknown.
        one_by_one: the code does not know that they are evenly spaced: it takes them one by one, wherever they are.
        strides: elements from one iteration to the next of each loop around, the outermost first, on average if they
            are often none; None if unknown.
        offset: the median of its positions in the buffer, in elements; None if unknown.
        by_data: it is unknown, and will be until something is loaded.
        aligned: the number of elements that Halide knows the position to be a multiple of.
        runs: how often the program says it.
        executed: how often the machine does it: what stays where it is in the innermost loops is kept in a register.
        enabled: the share of lanes that a predicate lets through.
        buffer_bytes: size of the whole buffer; infinite if it is unknown.
        registers: vectors of the processor that its lanes fill, each accessed for itself.
    """

    buffer: str
    type: Type
    lanes: int
    lane_stride: float | None
    one_by_one: bool
    strides: tuple[float | None, ...]
    offset: float | None
    by_data: bool
    aligned: int
    runs: float
    executed: float
    enabled: float = 1.0
    buffer_bytes: float = math.inf
    registers: float = 1.0

    @property
    def instructions(self) -> float:
        """How many the machine executes for it, one for each register."""
        return self.executed * self.registers

    @property
    def bytes(self) -> int:
        """Size of an element."""
        return max(1, self.type.bits // 8)


def pattern(access: Access) -> str:
    """One of `PATTERNS`; a scalar that no loop moves, and a vector of one element, is a broadcast."""
    if access.lanes == 1:
        return "broadcast" if access.strides and access.strides[-1] == 0.0 else "scalar"
    match None if access.one_by_one else access.lane_stride:
        case None:
            return "gather"
        case 0.0:
            return "broadcast"
        case 1.0:
            return "aligned" if access.aligned >= access.lanes else "dense"
        case -1.0:
            return "reversed"
        case _:
            return "strided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where an access goes; see `Access`."""

    lane_stride: float | None
    strides: tuple[float | None, ...]
    offset: float | None


def places_of(value: Value, lanes: int, *, depth: int, known_stride: float | None) -> Places:
    """What an evaluated index says of an access within so many loops.

    Args:
        known_stride: how far lanes are apart by the form of the index, for one whose value depends on data.
    """
    if value is None:
        return Places(lane_stride=known_stride, strides=(None,) * depth, offset=None)
    lane_stride: float | None = 0.0
    scalar = value
    if is_vector(value):
        lanes_at = np.asarray(value, np.float64)
        scalar = lanes_at[0]
        step = _median(lanes_at[1] - lanes_at[0])
        spaced = np.count_nonzero(lanes_at[2] - lanes_at[0] == step * (lanes - 1))
        # Those that are clamped at a border are no further from each other than the first is from the last.
        mean = _median(lanes_at[2] - lanes_at[0]) / max(1, lanes - 1)
        lane_stride = step if spaced >= _MOST * scalar.size else mean
    return Places(lane_stride=lane_stride, strides=_strides(scalar, depth), offset=_median(np.asarray(row(scalar))))


def _strides(value: Value, depth: int) -> tuple[float, ...]:
    """The usual distance from one iteration of each loop to the next."""
    if not isinstance(value, np.ndarray) or value.ndim == 0 or value.shape[0] <= depth:
        return (0.0,) * depth
    return tuple(map(_stride, value[1 : depth + 1] - value[0]))


def _stride(steps: np.ndarray) -> float:
    """The usual one of some steps; where they are often none, per iteration, so that y/2 and (y + 1)/2 move alike."""
    moves = np.count_nonzero(steps) / len(steps)
    if _SELDOM <= moves <= _OFTEN:
        return _median(steps[steps != 0]) / round(1 / moves)
    return _median(steps)


def _median(array: np.ndarray) -> float:
    """One of the values themselves, so that accesses side by side stay side by side."""
    values = np.sort(array, axis=None)
    return float(values[len(values) // 2])
