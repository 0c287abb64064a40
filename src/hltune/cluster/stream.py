"""Schedules that come in and measurements that go out, on either side of the thread that measures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from hltune.cluster.outcome import NodeFailed, Outcome, outcome_of
from hltune.machine.protocol import Session
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule

TOGETHER = 2
"""Measurements that go to the head in one call, which is most of what they cost there."""
_TOGETHER_S = 1.0
"""How long one waits for another one; the node goes on meanwhile."""


@dataclass(frozen=True, slots=True)
class _Measured:
    key: str
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class _Hungry:
    """Whoever measures waits for a schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a node has to say.

    Attributes:
        measured: with their keys.
        hungry: it waits for schedules; what it was given may be measured, and not be told before it is given more.
        end: the outcome of all, when nothing more comes.
    """

    measured: tuple[tuple[str, Measurement], ...] = ()
    hungry: bool = False
    end: Outcome | None = None


class Stream:
    """What one call of `Session.measure_each` is fed, and what it measures."""

    def __init__(self) -> None:
        self._fed: SimpleQueue[tuple[str, Schedule] | None] = SimpleQueue()
        self._total: int | None = None
        self._measured: SimpleQueue[_Measured | _Hungry | Outcome] = SimpleQueue()
        self._stopped = False

    def feed(self, items: list[tuple[str, Schedule]], *, total: int | None) -> None:
        """Schedules to measure, and how many come in all, when that is known: calls may overtake each other."""
        if total is not None:
            self._total = total
        for item in (*items, None):  # None has whoever waits for schedules look whether there are more
            self._fed.put(item)

    def stop(self) -> None:
        """Nobody waits any more for what is measured."""
        self._stopped = True
        self._fed.put(None)

    def measure(self, session: Session, best: float | None) -> None:
        """On the machine's thread, until the last schedule."""

        def all_of_them() -> None:
            with contextlib.closing(session.measure_each(self._schedules(), best=best)) as measured:
                for key, measurement in measured:
                    self._measured.put(_Measured(key, measurement))
                    if self._stopped:
                        return

        outcome: Outcome = False, NodeFailed("the thread that measures has ended", where="a node of the cluster")
        try:
            outcome = outcome_of(all_of_them)
        finally:
            self._measured.put(outcome)

    def take(self) -> Taken:
        """Waits for what was measured, a few at a time."""
        found: list[tuple[str, Measurement]] = []
        item = self._measured.get()
        end_s = time.monotonic() + _TOGETHER_S
        while isinstance(item, _Measured):
            found.append((item.key, item.measurement))
            wait_s = end_s - time.monotonic() if len(found) < TOGETHER else 0.0
            try:
                item = self._measured.get(timeout=max(0.0, wait_s))
            except Empty:
                return Taken(measured=tuple(found))
        if isinstance(item, _Hungry):
            return Taken(measured=tuple(found), hungry=True)
        return Taken(measured=tuple(found), end=item)

    def _schedules(self) -> Generator[tuple[str, Schedule]]:
        count = 0
        while not self._stopped and (self._total is None or count < self._total):
            if self._fed.empty():
                self._measured.put(_Hungry())
            if (item := self._fed.get()) is not None and not self._stopped:
                count += 1
                yield item
