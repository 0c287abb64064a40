"""How many bytes, cache lines and pages a store's loops touch, from the innermost outwards.

For one access, loops and lanes are (extent, stride) pairs. Those of small strides are covered first: a stride that is
no larger than what is covered already extends it, a larger one makes further pieces. Accesses of the same buffer with
the same strides are one access, whose loops go further by their distances.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hltune.lowered.access import Access

LINE, PAGE = 64, 4096
"""Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What some accesses touch.

    Attributes:
        lines: bytes of whole cache lines.
        pages: whole ones, a number.
    """

    bytes: float = 0.0
    lines: float = 0.0
    pages: float = 0.0

    def __add__(self, other: Touched) -> Touched:
        return Touched(bytes=self.bytes + other.bytes, lines=self.lines + other.lines, pages=self.pages + other.pages)


@dataclass(frozen=True, slots=True)
class _Stream:
    """Accesses of a buffer with the same strides.

    Attributes:
        element: bytes.
        steps: extent and stride of each loop, the outermost first.
        further: of each loop, how many iterations further the accesses of one iteration are, as those of a stencil.
        lanes: the same of what one run accesses, of each piece.
        pieces: what one run accesses, where that is not one after the other: rows, say.
        scattered: nothing is known of where they go, but for the lanes of each if their stride is.
        whole: bytes of the buffer: however often it is accessed, no more is touched.
    """

    element: int
    steps: tuple[tuple[float, float], ...]
    lanes: tuple[float, float]
    pieces: float
    scattered: bool
    whole: float
    further: tuple[Sequence[float], ...] = ()


def touched(accesses: Iterable[Access], extents: Sequence[float]) -> tuple[Touched, ...]:
    """What one iteration of each loop touches, the outermost first, and at the end what one run touches.

    Element 0 is the whole of the loop nest, element d one iteration of the loop at depth d - 1.

    Args:
        extents: of the loops around all accesses, the outermost first.
    """
    streams = _streams(accesses, extents)
    return tuple(sum((_of_buffer(each, level) for each in streams), Touched()) for level in range(len(extents) + 1))


def _streams(accesses: Iterable[Access], extents: Sequence[float]) -> list[list[_Stream]]:
    """By buffer."""
    groups: dict[str, dict[tuple[object, ...], list[Access]]] = {}
    for each in accesses:
        alike = groups.setdefault(each.buffer, {})
        alike.setdefault((each.strides, each.lane_stride, each.lanes), []).append(each)
    return [[_merged(group, extents) for group in alike.values()] for alike in groups.values()]


def _of_buffer(streams: Sequence[_Stream], level: int) -> Touched:
    """Of all streams of a buffer, of which no more is touched than there is."""
    found, whole = sum((_touched(each, level) for each in streams), Touched()), streams[0].whole
    return Touched(
        bytes=min(found.bytes, whole),
        lines=min(found.lines, whole + LINE),
        pages=min(found.pages, (whole + PAGE) / PAGE),
    )


def _merged(group: Sequence[Access], extents: Sequence[float]) -> _Stream:
    """One stream of accesses that differ in their offsets."""
    first = group[0]
    steps = [(extent, abs(stride or 0.0)) for extent, stride in zip(extents, first.strides, strict=True)]
    lanes = (float(first.lanes), abs(first.lane_stride or 0.0))
    offsets = [each.offset for each in group if each.offset is not None]
    if first.lane_stride is None or None in first.strides or not offsets:
        if first.lane_stride is None:
            lanes = (lanes[0], math.inf)
        return _Stream(first.bytes, tuple(steps), lanes, float(len(group)), scattered=True, whole=first.buffer_bytes)
    span = max(1.0, lanes[0] * lanes[1])
    further, rest = _by_loops(offsets, [stride for _, stride in steps], span)
    pieces, covered = _pieces(rest, span)
    if covered > span:
        lanes = (covered / pieces / max(1.0, lanes[1]), max(1.0, lanes[1]))
    reach = tuple(further)
    return _Stream(
        first.bytes, tuple(steps), lanes, float(pieces), scattered=False, whole=first.buffer_bytes, further=reach
    )


def _by_loops(offsets: Sequence[float], strides: Sequence[float], span: float) -> tuple[list[list[float]], list[float]]:
    """How many iterations further of each loop the offsets are, from small to large, and what is left of them."""
    further = [{0.0} for _ in strides]
    order = [number for number, stride in enumerate(strides) if stride > span]
    order.sort(key=lambda number: -strides[number])
    rest: list[float] = []
    least = min(offsets)
    for offset in offsets:
        left = offset - least
        for number in order:
            whole = left // strides[number]
            further[number].add(whole)
            left -= whole * strides[number]
        rest.append(left)
    return [sorted(each) for each in further], rest


def _pieces(offsets: Sequence[float], span: float) -> tuple[int, float]:
    """Into how many pieces accesses of a span fall, and how much they cover altogether."""
    ordered = sorted(set(offsets))
    pieces, covered = 1, span
    for last, offset in pairwise(ordered):
        if offset - last > span:
            pieces += 1
            covered += span
        else:
            covered += offset - last
    return pieces, covered


def _touched(stream: _Stream, level: int) -> Touched:
    """By one iteration of the loops outside of a level, if the buffer has no end."""
    inner = stream.steps[level:]
    if stream.scattered:
        count = stream.pieces * math.prod(max(1.0, extent) for extent, _ in inner)
        return Touched(
            bytes=count * stream.lanes[0] * stream.element,
            lines=count * _scattered(stream, LINE),
            pages=count * _scattered(stream, PAGE) / PAGE,
        )
    # What one iteration of an outer loop reaches of others, as the rows of a stencil, is touched as well.
    around = [1.0] * level + [extent for extent, _ in inner]
    reached = [
        (_union(extent, further), stride)
        for extent, further, (_, stride) in zip(around, stream.further, stream.steps, strict=True)
    ]
    return Touched(
        bytes=_covered(stream, reached, stream.element),
        lines=_covered(stream, reached, LINE),
        pages=_covered(stream, reached, PAGE) / PAGE,
    )


def _union(extent: float, further: Sequence[float]) -> float:
    """Iterations of a loop in which something is touched, if each touches what is so many iterations further."""
    return extent + sum(min(extent, after - before) for before, after in pairwise(further))


def _scattered(stream: _Stream, unit: int) -> float:
    """Bytes of whole lines or pages, of that size, that one access touches."""
    lanes, stride = stream.lanes
    return (lanes - 1.0) * min(stride * stream.element, unit) + unit


def _covered(stream: _Stream, inner: Sequence[tuple[float, float]], unit: int) -> float:
    """Bytes of whole units of a size; within a unit, steps of any length leave nothing out."""
    covered, pieces = float(stream.element), stream.pieces
    for extent, stride in sorted((stream.lanes, *inner), key=lambda step: step[1]):
        step = stride * stream.element
        if step == 0.0 or extent <= 1.0:
            continue
        if step <= max(covered, unit):
            covered += step * (extent - 1.0)
        else:
            pieces *= extent
    return (covered + (unit - stream.element) * (covered % unit != 0)) * pieces
