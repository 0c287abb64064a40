"""A worker that measures: what is compiled in it, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from hltune.errors import Failure, JobFailed
from hltune.machine.jobs import PrepareJob, Task, TimeJob
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Cost, Measurement
from hltune.worker import Job, Worker

R = TypeVar("R")


@dataclass(slots=True)
class Entry:
    """A schedule under measurement.

    Attributes:
        key: what its compiled code goes by in the worker.
    """

    key: str
    task: Task
    repeats: list[float] = field(default_factory=list[float])
    failure: Failure | None = None
    stopped_early: bool = False

    @property
    def live(self) -> bool:
        """Whether further turns are of use."""
        return self.failure is None and not self.stopped_early

    def measurement(self) -> Measurement:
        """What is known when all turns are taken."""
        if self.failure is not None:
            return self.failure
        return Cost(unit="s", repeats=tuple(self.repeats), stopped_early=self.stopped_early)


class Lane:
    """One measuring process. When a schedule takes it down, the others are compiled again as they are needed."""

    def __init__(self, options: MeasureOptions) -> None:
        self._options = options
        self._compiled: set[str] = set()
        self.worker = Worker(
            environment=options.environment,
            preload=("halide", "numpy"),
        )

    def prepare(self, entry: Entry) -> None:
        """Compiles, runs once and verifies; notes in the entry what came of it."""
        entry.failure = self._run(PrepareJob(key=entry.key, task=entry.task, options=self._options))
        if entry.failure is None:
            self._compiled.add(entry.key)

    def take_turn(self, entry: Entry, *, last: bool) -> None:
        """Times an entry once more; after the last turn its code is dropped."""
        if entry.key not in self._compiled:  # another schedule took the process down
            self.prepare(entry)
        if entry.failure is not None:
            return
        job = TimeJob(key=entry.key, task=entry.task, options=self._options, last=last)
        outcome = self._run(job)
        if isinstance(outcome, Failure):
            entry.failure = outcome
        else:
            entry.repeats.extend(outcome)
        if last:
            self._compiled.discard(entry.key)

    def _run(self, job: Job[R | Failure]) -> R | Failure:
        try:
            return self.worker.run(job)
        except JobFailed as failed:
            if failed.failure.kind != "error":
                self._compiled.clear()
            return failed.failure
