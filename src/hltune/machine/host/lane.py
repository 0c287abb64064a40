"""A worker that measures: what is compiled in it, and what became of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from hltune.machine.heap import ENVIRONMENT
from hltune.machine.host.jobs import Prepared, PrepareJob, TimeJob
from hltune.machine.host.waiting import Waiting
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Task
from hltune.runtime.worker import Running, Worker
from hltune.values.cost import Cost, Heap, Measurement, failed_repair
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, JobFailed
from hltune.values.unit import MILLISECONDS

R = TypeVar("R")

_PRELOAD = ("halide", "numpy")
"""What every process that measures imports at once."""
_RECYCLED_AFTER = 200
"""Schedules that one process compiles, or a few more, until none of them has turns to take: Halide and LLVM never give
all memory back."""


@dataclass(slots=True, eq=False)
class Trial:
    """A schedule under measurement.

    Attributes:
        key: what its compiled code goes by in the worker.
        task: with the schedule that was given.
        turns: seconds of all repeats.
        pruned: it was too slow for further turns.
        repair: what is measured in its place; None if it stays inside of its images.
        heap: what a call takes from the heap; None as long as nobody knows.
    """

    key: str
    task: Task
    turns: list[tuple[float, ...]] = field(default_factory=list[tuple[float, ...]])
    failure: Failure | None = None
    pruned: bool = False
    repair: Schedule | None = None
    heap: Heap | None = None

    @property
    def scheduled(self) -> Task:
        """The task with the schedule that is compiled, as far as that is known."""
        return self.task if self.repair is None else replace(self.task, schedule=self.repair)

    @property
    def live(self) -> bool:
        """True if further turns are of use."""
        return self.failure is None and not self.pruned

    @property
    def unlucky(self) -> bool:
        """It failed, and may work when nothing else runs."""
        return self.failure is not None and self.failure.by_chance

    def begin_again(self) -> None:
        """Nothing of what was measured so far counts: it is of another moment."""
        self.turns, self.failure, self.pruned, self.repair, self.heap = [], None, False, None, None

    @property
    def fastest(self) -> float:
        """The fastest of all repeats so far, in seconds."""
        return min((min(turn) for turn in self.turns), default=math.inf)

    def measurement(self) -> Measurement:
        """What is known when all turns are taken."""
        if self.failure is not None:
            return self.failure if self.repair is None else failed_repair(self.failure, self.repair)
        turns = tuple(self.turns)
        return Cost(unit=MILLISECONDS, turns=turns, pruned=self.pruned, heap=self.heap, repair=self.repair)


def measuring_worker(options: MeasureOptions) -> Worker:
    """A process in which pipelines run as they do in a fresh one."""
    return Worker(environment={**options.environment, **ENVIRONMENT}, preload=_PRELOAD, spare_main_thread=True)


class Lane:
    """One measuring process. When a schedule, or the system, takes it down, others are compiled again as needed."""

    def __init__(self, options: MeasureOptions, waiting: Waiting) -> None:
        self._compiled: dict[str, int | None] = {}  # by key, in which process
        self._begun = 0
        self._waiting = waiting
        self.worker = measuring_worker(options)

    def prepare(self, trial: Trial, options: MeasureOptions) -> None:
        """Compiles, runs once and verifies; notes in the trial what came of it."""
        self.finish(trial, self.start(trial, options))

    def start(self, trial: Trial, options: MeasureOptions) -> Running[Prepared | Failure]:
        """Begins with `prepare` and returns; `finish` waits for it."""
        self._begun += 1
        if self._begun > _RECYCLED_AFTER and self.worker.process not in self._compiled.values():
            self.worker.recycle()
            self._begun = 1
        return self.worker.start(PrepareJob(key=trial.key, task=trial.scheduled, options=options))

    def finish(self, trial: Trial, running: Running[Prepared | Failure]) -> None:
        """The second half of `prepare`."""
        outcome = self._outcome(running)
        if isinstance(outcome, Failure):
            trial.failure = outcome
            return
        trial.heap = outcome.heap
        if outcome.schedule != trial.task.schedule:
            trial.repair = outcome.schedule
        self._compiled[trial.key] = self.worker.process

    def holds(self, trial: Trial) -> bool:
        """Its code is there, unless the process that has it is gone."""
        process = self.worker.process
        return process is not None and self._compiled.get(trial.key) == process

    def take_turn(
        self, trial: Trial, options: MeasureOptions, *, last: bool, prune_s: float = math.inf, long_s: float = math.inf
    ) -> bool:
        """Times a trial once more; see `TimeJob`. True if that was its last turn, and its code is gone."""
        if not self.holds(trial):  # another schedule, or the system, took the process down
            self.prepare(trial, options)
        if trial.failure is not None:
            return True
        job = TimeJob(key=trial.key, options=options, last=last, prune_s=prune_s, long_s=long_s)
        outcome = self._outcome(self.worker.start(job))
        if isinstance(outcome, Failure):
            trial.failure = outcome
        else:
            self._waiting.add(outcome.waited_s, outcome.timed_s)
            trial.turns.append(outcome.repeats)
            last = last or min(outcome.repeats) > long_s
            trial.pruned = last and trial.fastest > prune_s
        ended = last or trial.failure is not None
        if ended:
            self._compiled.pop(trial.key, None)
        return ended

    def forget(self, trials: Iterable[Trial]) -> None:
        """Nobody takes further turns with these; the code goes when the process does."""
        for each in trials:
            self._compiled.pop(each.key, None)

    def _outcome(self, running: Running[R]) -> R | Failure:
        try:
            return running.result()
        except JobFailed as failed:
            return failed.failure
