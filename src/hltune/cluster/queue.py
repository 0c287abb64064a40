"""What a cluster has to measure and no node has at present."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping

from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure

COMMON = "\0common"
"""Key of the schedule that every node times, which no hash gets in the way of."""
_MOST_LOST = 2
"""Nodes that may be lost that had a schedule in hand beside others, and then that had nothing else."""


class Queue:
    """Schedules that no node has at present; true as long as there may be any."""

    def __init__(self, schedules: Iterator[tuple[str, Schedule]]) -> None:
        self._schedules = schedules
        self._exhausted = False
        self._again: deque[tuple[str, Schedule]] = deque()
        self._suspects: deque[tuple[str, Schedule]] = deque()
        self._losses: Counter[str] = Counter()
        self._alone: Counter[str] = Counter()
        self._given_up: list[tuple[str, Measurement]] = []

    def __bool__(self) -> bool:
        return bool(self._again or self._suspects) or not self._exhausted

    @property
    def suspects_common(self) -> bool:
        """Several nodes were lost while they timed what all nodes time, which may be why."""
        return self._losses[COMMON] >= _MOST_LOST

    def suspect(self) -> tuple[str, Schedule] | None:
        """One that several lost nodes had, which may be why: it is to be measured alone. None if there is none."""
        return self._suspects.popleft() if self._suspects else None

    def next(self) -> tuple[str, Schedule] | None:
        """The next one that nobody suspects; None if there is none."""
        if self._again:
            return self._again.popleft()
        item = None if self._exhausted else next(self._schedules, None)
        self._exhausted = item is None
        return item

    def first(self) -> tuple[str, Schedule] | None:
        """What `next` returns then."""
        if (item := self.next()) is not None:
            self._again.appendleft(item)
        return item

    def again(self, schedules: Mapping[str, Schedule]) -> None:
        """A node had these, and has not measured them."""
        self._again.extend((key, schedule) for key, schedule in schedules.items() if key != COMMON)

    def lost(self, schedules: Mapping[str, Schedule]) -> None:
        """A node was lost that had these: one of them may be why, and company is no proof."""
        for key, schedule in schedules.items():
            (self._alone if len(schedules) == 1 and key != COMMON else self._losses)[key] += 1
            if key == COMMON:
                continue
            if self._alone[key] == _MOST_LOST:
                message = f"{_MOST_LOST} nodes were lost that had it, and nothing else"
                self._given_up.append((key, Failure(stage="run on a node", kind="crash", message=message)))
            elif self._alone[key] or self._losses[key] >= _MOST_LOST:
                self._suspects.append((key, schedule))
            else:
                self._again.append((key, schedule))

    def given_up(self) -> list[tuple[str, Measurement]]:
        """Those that are not measured any more, once."""
        found, self._given_up = self._given_up, []
        return found
