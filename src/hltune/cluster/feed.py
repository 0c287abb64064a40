"""What a node has to measure, and what it has measured that does not count yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hltune.cluster.head import Member
from hltune.cluster.outcome import Outcome
from hltune.cluster.queue import COMMON, Queue
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure

_MORE = 1.1
"""So much more memory is more than what kernels of equal computers keep for themselves."""


@dataclass(eq=False, slots=True)
class Feed:
    """What a node measures at present.

    Attributes:
        depth: how much it needs in hand, so that none of its lanes has to wait.
        taking: Ray's reference to what it measures next; None if nobody has asked since it measured something.
        under_way: what it was given and has not measured.
        held: what it has measured as long as its speed is not known.
        compared: it was given what all nodes time.
        given: how many schedules it was given.
        hungry: it waits for more, whatever it has in hand: some of that is measured in the end only.
        last: it was told that nothing more comes.
        end: what has come of all; None as long as there may be more.
    """

    member: Member
    depth: int
    taking: Any = None
    under_way: dict[str, Schedule] = field(default_factory=dict[str, Schedule])
    held: dict[str, tuple[Schedule, Measurement]] = field(default_factory=dict[str, tuple[Schedule, Measurement]])
    compared: bool = False
    given: int = 0
    hungry: bool = False
    last: bool = False
    end: Outcome | None = None

    @property
    def open(self) -> bool:
        """Whether it measures what it is given."""
        return not self.last and self.end is None

    @property
    def total(self) -> int | None:
        """How many schedules it is given in all; None as long as more may come."""
        return self.given if self.last else None

    @property
    def unasked(self) -> bool:
        """Whether it may measure something that nobody waits for."""
        return self.taking is None and self.end is None

    @property
    def times_common(self) -> bool:
        """Whether it is still to time what all nodes time."""
        return COMMON in self.under_way and self.end is None

    @property
    def room(self) -> bool:
        """Whether more can be given to it. What is held is done: whoever waits for its speed has to go on meanwhile."""
        return self.hungry or len(self.under_way) < self.depth

    @property
    def idle(self) -> bool:
        """Whether it has nothing in hand but what all nodes time."""
        return not self.under_way.keys() - {COMMON}

    @property
    def load(self) -> float:
        """What a node has to do, of what it can do at a time."""
        return len(self.under_way) / self.member.about.workers

    def give(self, key: str, schedule: Schedule) -> None:
        """It is to measure a schedule."""
        self.under_way[key] = schedule
        self.given += 1
        self.hungry = False

    def hold(self, key: str, measurement: Measurement) -> None:
        """Something was measured; what was given twice, or not at all, is not taken again."""
        if key in self.under_way:
            self.held[key] = self.under_way.pop(key), measurement

    def released(self) -> list[tuple[str, tuple[Schedule, Measurement]]]:
        """What was held, once."""
        found, self.held = list(self.held.items()), {}
        return found

    def give_back(self, queue: Queue, *, lost: bool = False) -> None:
        """Others measure all that does not count.

        Args:
            lost: the node has gone, and one of those under way may be why.
        """
        (queue.lost if lost else queue.again)(self.under_way)
        queue.again({key: schedule for key, (schedule, _) in self.held.items()})
        self.under_way, self.held = {}, {}


def may_fit_elsewhere(measurement: Measurement, member: Member, timing: Sequence[Member]) -> bool:
    """Whether it has failed for want of memory, of which another node has more: the failure would be that of all."""
    failed = isinstance(measurement, Failure) and measurement.kind == "memory"
    return failed and any(each.about.memory_bytes > _MORE * member.about.memory_bytes for each in timing)
