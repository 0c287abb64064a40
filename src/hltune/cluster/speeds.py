"""How fast equal computers are: the same schedule, timed on all of them from time to time."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import replace

from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule

_UNSTEADY = 1.25
"""A node whose speed changes by as much from one time to the next says nothing about schedules."""
_LEAST_SEEN = 3


class Speeds:
    """Of nodes, by their names, relative to the one on which schedules are compared in the end."""

    def __init__(self) -> None:
        self._times: dict[Schedule, dict[str, float]] = defaultdict(dict)
        self._first = ""

    def saw(self, schedule: Schedule, node: str, first: str, measurement: Measurement) -> str | None:
        """A schedule was timed that all nodes time; why this one cannot be believed, if it cannot."""
        if not isinstance(measurement, Cost):
            return None
        self._first = first
        self._times[schedule][node] = measurement.value
        ratios = self._ratios(node)
        if len(ratios) < _LEAST_SEEN:
            return None
        usual, now = statistics.median(ratios), ratios[-1]
        if max(usual, now) < _UNSTEADY * min(usual, now):
            return None
        return f"the same schedule takes {now:.2f} times as long as on another node, and {usual:.2f} times before"

    def factor(self, node: str) -> float:
        """How many times as long as on the first node everything takes; 1 as long as nobody knows."""
        return statistics.median(self._ratios(node) or [1.0])

    def corrected(self, node: str, measurement: Measurement) -> Measurement:
        """As it would be on the first node."""
        factor = self.factor(node)
        if not isinstance(measurement, Cost) or factor == 1.0:
            return measurement
        return replace(measurement, turns=tuple(tuple(each / factor for each in turn) for turn in measurement.turns))

    def _ratios(self, node: str) -> list[float]:
        found = (each for each in self._times.values() if node in each and self._first in each)
        return [each[node] / each[self._first] for each in found]
