"""A worker that measures: what is compiled in it, and what became of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeVar

from hltune.errors import Failure, JobFailed
from hltune.machine.jobs import PrepareJob, Task, TimeJob
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Cost, Measurement
from hltune.machine.unit import MILLISECONDS
from hltune.worker import Job, Worker

R = TypeVar("R")

_RECYCLED_AFTER = 200
"""Schedules that one process compiles: Halide and LLVM never give all memory back."""


@dataclass(slots=True)
class Entry:
    """A schedule under measurement.

    Attributes:
        key: what its compiled code goes by in the worker.
    """

    key: str
    task: Task
    turns: list[tuple[float, ...]] = field(default_factory=list[tuple[float, ...]])
    failure: Failure | None = None
    stopped_early: bool = False

    @property
    def live(self) -> bool:
        """Whether further turns are of use."""
        return self.failure is None and not self.stopped_early

    @property
    def fastest_s(self) -> float:
        """Of all repeats so far."""
        return min((min(turn) for turn in self.turns), default=math.inf)

    def measurement(self) -> Measurement:
        """What is known when all turns are taken."""
        if self.failure is not None:
            return self.failure
        return Cost(unit=MILLISECONDS, turns=tuple(self.turns), stopped_early=self.stopped_early)


class Lane:
    """One measuring process. When a schedule takes it down, the others are compiled again as they are needed."""

    def __init__(self, options: MeasureOptions) -> None:
        self._compiled: set[str] = set()
        self._preparing: PrepareJob | None = None
        self._prepared = 0
        self.worker = Worker(
            environment=options.environment,
            preload=("halide", "numpy"),
        )

    def prepare(self, entry: Entry, options: MeasureOptions) -> None:
        """Compiles, runs once and verifies; notes in the entry what came of it."""
        self.start(entry, options)
        self.finish(entry)

    def start(self, entry: Entry, options: MeasureOptions) -> None:
        """Begins with `prepare` and returns; `finish` waits for it."""
        self._prepared += 1
        if self._prepared > _RECYCLED_AFTER and not self._compiled:
            self.worker.recycle()
            self._prepared = 1
        self._preparing = PrepareJob(key=entry.key, task=entry.task, options=options)
        self.worker.start(self._preparing)

    def finish(self, entry: Entry) -> None:
        """The second half of `prepare`."""
        assert self._preparing is not None
        entry.failure = self._outcome(self._preparing)
        self._preparing = None
        if entry.failure is None:
            self._compiled.add(entry.key)

    def take_turn(self, entry: Entry, options: MeasureOptions, *, last: bool, hopeless_s: float = math.inf) -> None:
        """Times an entry once more; after the last turn its code is dropped.

        Args:
            entry: takes the repeats, or the failure.
            options: how to time.
            last: whether this is the last turn.
            hopeless_s: a run that takes longer is the only one.
        """
        if entry.key not in self._compiled:  # another schedule took the process down
            self.prepare(entry, options)
        if entry.failure is not None:
            return
        job = TimeJob(key=entry.key, task=entry.task, options=options, last=last, hopeless_s=hopeless_s)
        self.worker.start(job)
        outcome = self._outcome(job)
        if isinstance(outcome, Failure):
            entry.failure = outcome
        else:
            entry.turns.append(outcome)
            entry.stopped_early = entry.fastest_s > hopeless_s
        if last:
            self._compiled.discard(entry.key)

    def _outcome(self, job: Job[R | Failure]) -> R | Failure:
        try:
            return self.worker.finish(job)
        except JobFailed as failed:
            if failed.failure.kind != "error":
                self._compiled.clear()
            return failed.failure
