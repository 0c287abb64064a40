"""How fast equal computers are: the same schedule, timed on all of them from time to time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hltune.values.cost import Cost, Measurement

_UNSTEADY = 1.25
"""A node whose speed changes by as much from one time to the next says nothing about schedules."""
_LEAST_SEEN = 3
_ENOUGH = 3
"""Nodes of which the median does not follow the one that has changed."""
_LATEST = 3
"""Pipelines that say together that a node has changed: with any single one, equal computers may differ."""
_REMEMBERED = 64
"""Occasions that tell how fast nodes are; computers change from hour to hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """When all nodes time the same schedule: at the beginning of a round of a session."""

    session: int
    round: int


class Speeds:
    """Of nodes, by their names, relative to the one on which schedules are compared in the end.

    What counts for the times of a pipeline is how fast nodes are with that one, for equal computers may differ in their
    memory alone. Whether they change shows with all of them, from one to the next.
    """

    def __init__(self) -> None:
        self._times: dict[Occasion, dict[str, float]] = {}
        self._first = ""

    def saw(self, occasion: Occasion, node: str, measurement: Measurement, *, nodes: Sequence[str]) -> dict[str, str]:
        """A schedule was timed that all nodes time; returns who cannot be believed any more, and why.

        Args:
            nodes: all that time at present, the one of the final comparison first.
        """
        if not isinstance(measurement, Cost):
            return {}
        self._first = nodes[0]
        self._times.setdefault(occasion, {})[node] = measurement.value
        while len(self._times) > _REMEMBERED:
            del self._times[next(iter(self._times))]
        return {
            each: f"the same schedule takes {change:.2f} times as long as before, compared with other nodes"
            for each, change in self._changed(occasion, nodes).items()
            if max(change, 1 / change) >= _UNSTEADY
        }

    def factor(self, node: str, session: int) -> float:
        """How many times as long as on the first node everything takes; 1 as long as nobody knows."""
        return statistics.median(self._ratios(node, [each for each in self._times if each.session == session]) or [1.0])

    def corrected(self, node: str, measurement: Measurement, *, session: int) -> Measurement:
        """As it would be on the first node."""
        factor = self.factor(node, session)
        if not isinstance(measurement, Cost) or factor == 1.0:
            return measurement
        return replace(measurement, turns=tuple(tuple(each / factor for each in turn) for turn in measurement.turns))

    def _changed(self, occasion: Occasion, nodes: Sequence[str]) -> dict[str, float]:
        """How many times as long as before nodes take, with this pipeline; or with several, if this one is new."""
        before = [each for each in self._times if each != occasion]
        own = [each for each in before if each.session == occasion.session]
        if len(own) + 1 >= _LEAST_SEEN:
            return self._changes(occasion, own, nodes)
        latest = [*before[1 - _LATEST :], occasion]
        changes = [self._changes(each, before[: 1 - _LATEST], nodes) for each in latest]
        everywhere = set[str].intersection(*map(set, changes))
        return {node: statistics.median(each[node] for each in changes) for node in nodes if node in everywhere}

    def _changes(self, occasion: Occasion, before: Sequence[Occasion], nodes: Sequence[str]) -> dict[str, float]:
        """The same on one occasion, of those who are known."""
        now = {each: seconds for each, seconds in self._times[occasion].items() if each in nodes}
        if len(now) < min(_ENOUGH, len(nodes)):
            return {}
        ratios = {each: self._ratios(each, before) for each in now}
        known = {each: now[each] / statistics.median(found) for each, found in ratios.items() if found}
        if len(known) < 2:
            return {}
        usual = statistics.median_low(known.values())  # of two, the slower one has changed: computers throttle
        return {each: seconds / usual for each, seconds in known.items() if len(ratios[each]) + 1 >= _LEAST_SEEN}

    def _ratios(self, node: str, occasions: Sequence[Occasion]) -> list[float]:
        found = (self._times[each] for each in occasions)
        return [each[node] / each[self._first] for each in found if node in each and self._first in each]
