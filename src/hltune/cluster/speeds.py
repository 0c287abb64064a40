"""How fast equal computers are: the same schedule, timed on all of them from time to time."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule

_UNSTEADY = 1.25
"""A node whose speed changes by as much from one time to the next says nothing about schedules."""
_LEAST_SEEN = 3
_ENOUGH = 3
"""Nodes of which the median does not follow the one that has changed."""


class Speeds:
    """Of nodes, by their names, relative to the one on which schedules are compared in the end.

    An occasion is a round and the schedule that all nodes time at its beginning, which may be the same in many rounds.
    """

    def __init__(self) -> None:
        self._times: dict[tuple[int, Schedule], dict[str, float]] = defaultdict(dict)
        self._first = ""

    def saw(
        self, occasion: tuple[int, Schedule], node: str, measurement: Measurement, *, nodes: Sequence[str]
    ) -> dict[str, str]:
        """A schedule was timed that all nodes time; returns who cannot be believed any more, and why.

        Args:
            nodes: all that time at present, the one of the final comparison first.
        """
        if not isinstance(measurement, Cost):
            return {}
        self._first = nodes[0]
        self._times[occasion][node] = measurement.value
        now = {each: seconds for each, seconds in self._times[occasion].items() if each in nodes}
        if len(now) < min(_ENOUGH, len(nodes)):
            return {}
        before = {each: self._ratios(each, without=occasion) for each in now}
        known = {each: now[each] / statistics.median(ratios) for each, ratios in before.items() if ratios}
        if len(known) < 2:
            return {}
        usual = statistics.median_low(known.values())  # of two, the slower one has changed: computers throttle
        changed = {each: seconds / usual for each, seconds in known.items() if len(before[each]) + 1 >= _LEAST_SEEN}
        return {
            each: f"the same schedule takes {change:.2f} times as long as before, compared with other nodes"
            for each, change in changed.items()
            if max(change, 1 / change) >= _UNSTEADY
        }

    def factor(self, node: str) -> float:
        """How many times as long as on the first node everything takes; 1 as long as nobody knows."""
        return statistics.median(self._ratios(node) or [1.0])

    def corrected(self, node: str, measurement: Measurement) -> Measurement:
        """As it would be on the first node."""
        factor = self.factor(node)
        if not isinstance(measurement, Cost) or factor == 1.0:
            return measurement
        return replace(measurement, turns=tuple(tuple(each / factor for each in turn) for turn in measurement.turns))

    def _ratios(self, node: str, *, without: tuple[int, Schedule] | None = None) -> list[float]:
        found = (
            each
            for occasion, each in self._times.items()
            if occasion != without and node in each and self._first in each
        )
        return [each[node] / each[self._first] for each in found]
