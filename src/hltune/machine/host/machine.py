"""This machine: candidates are compiled in memory and timed alone, in a worker."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from hltune.machine.bandwidth import CopySpecJob, copy_schedule
from hltune.machine.host.identity import identify
from hltune.machine.host.jobs import NumPyReference, Task
from hltune.machine.host.lane import Lane, Trial
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.reference import DEFAULT_REFERENCE, Reference
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Worker
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.pipeline import PipelineSpec

_COPY = "hltune's copy"
"""Key of the copy, which no schedule's name gets in the way of."""


class HostMachine:
    """A `Machine`: this one.

    Args:
        target: what to compile for; has to run here.
        options: how to measure.
        lanes: processes that compile; one of them times at a time.
    """

    def __init__(self, target: TargetInfo, options: MeasureOptions, *, lanes: int) -> None:
        self.identity = identify(target, options)
        self.target = target
        self.options = options
        self._lanes = [Lane(options)]
        self._most_lanes = lanes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lane in self._lanes:
            lane.worker.close()

    def session(
        self,
        spec: PipelineSpec,
        inputs: Inputs,
        *,
        reference: Schedule = DEFAULT_REFERENCE,
        numpy_reference: NumPyReference | None = None,
    ) -> HostSession:
        """See `Machine.session`."""
        return HostSession(spec, inputs, self, reference, numpy_reference)

    def lanes(self) -> tuple[Lane, ...]:
        """All of them; those after the first are started when they are first asked for."""
        self._lanes += [Lane(self.options) for _ in range(self._most_lanes - len(self._lanes))]
        return tuple(self._lanes)

    @property
    def lane(self) -> Lane:
        """The first one."""
        return self._lanes[0]


class HostSession:
    """A `Session` of a `HostMachine`.

    `measure` uses the first lane only, so that its schedules differ in nothing but themselves.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        inputs: Inputs,
        machine: HostMachine,
        reference: Schedule,
        numpy_reference: NumPyReference | None,
    ) -> None:
        self._spec = spec
        self._machine = machine
        self._target = machine.target
        self._options = machine.options
        self._inputs = inputs
        self._lane = machine.lane
        self._directory = tempfile.TemporaryDirectory(prefix="hltune-")
        self._reference = Reference(
            spec,
            target=self._target.name,
            options=self._options,
            inputs=inputs,
            directory=Path(self._directory.name),
            worker=self._lane.worker,
            schedule=reference,
            numpy_reference=numpy_reference,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reference.abandon()
        self._directory.cleanup()

    side_by_side = False

    def ready(self) -> None:
        """See `Session.ready`."""
        self._reference.ready()

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """See `Session.measure`."""
        trials = self._trials(schedules)
        self._take_turns(trials)
        return {trial.key: trial.measurement() for trial in trials}

    def measure_with_bound(self, schedules: Mapping[str, Schedule]) -> tuple[dict[str, Measurement], Measurement]:
        """Measures a copy of the same number of bytes side by side with the schedules; returns both."""
        self.ready()
        spec = self._lane.worker.run(CopySpecJob(self._spec))
        schedule = copy_schedule(spec, vector_bytes=self._target.vector_bytes)
        copy = Trial(_COPY, Task(spec=spec, schedule=schedule, target=self._target.name, inputs=Inputs()))
        trials = self._trials(schedules)
        self._take_turns([copy, *trials])
        return {trial.key: trial.measurement() for trial in trials}, copy.measurement()

    def measure_each(
        self, schedules: Iterable[tuple[str, Schedule]], *, best: float | None
    ) -> Generator[tuple[str, Measurement]]:
        """See `Session.measure_each`: compiled on all lanes, timed alone."""
        self.ready()
        waiting = (Trial(key, self._task(schedule)) for key, schedule in schedules)
        busy: dict[Worker, tuple[Lane, Trial]] = {}
        best_s = math.inf if best is None else best
        try:
            for lane in self._machine.lanes():
                _start_next(lane, waiting, self._limited(best_s), busy)
            while busy:
                lane, trial = busy.pop(Worker.wait_any(list(busy)))
                lane.finish(trial)
                if trial.live:
                    prune_s = best_s * self._options.prune_ratio
                    with Worker.paused(list(busy)):
                        lane.take_turn(trial, self._limited(best_s), last=True, prune_s=prune_s)
                if trial.failure is None:
                    best_s = min(best_s, trial.fastest_s)
                _start_next(lane, waiting, self._limited(best_s), busy)
                yield trial.key, trial.measurement()
        finally:
            for worker in busy:
                worker.recycle()

    def _limited(self, best_s: float) -> MeasureOptions:
        """For a schedule that has one turn, when the best one takes so long."""
        options = self._options
        limit_s = max(options.least_run_timeout_s, best_s * options.abort_ratio)
        return replace(options, turn_s=options.single_turn_s, run_timeout_s=min(options.run_timeout_s, limit_s))

    def _take_turns(self, trials: Sequence[Trial]) -> None:
        self.ready()
        for trial in trials:
            self._lane.prepare(trial, self._options)
        for number in range(self._options.rounds):
            last = number == self._options.rounds - 1
            # Back and forth, so that no schedule always follows the same neighbour.
            for trial in reversed(trials) if number % 2 else trials:
                if trial.live:
                    self._lane.take_turn(trial, self._options, last=last)
            self._prune(trials)

    def _prune(self, trials: Sequence[Trial]) -> None:
        live = [trial for trial in trials if trial.live and trial.turns and trial.key != _COPY]
        best = min((trial.fastest_s for trial in live), default=0.0)
        for trial in live:
            # Where a turn holds many runs, further turns cost no more than the others' and keep the comparison fair.
            slow = trial.fastest_s > self._options.turn_s
            trial.pruned = slow and trial.fastest_s > best * self._options.prune_ratio

    def _trials(self, schedules: Mapping[str, Schedule]) -> list[Trial]:
        return [Trial(key, self._task(schedule)) for key, schedule in schedules.items()]

    def _task(self, schedule: Schedule) -> Task:
        return Task(
            spec=self._spec,
            schedule=schedule,
            target=self._target.name,
            inputs=self._inputs,
            reference=self._reference.directory,
        )


def _start_next(
    lane: Lane, waiting: Iterator[Trial], options: MeasureOptions, busy: dict[Worker, tuple[Lane, Trial]]
) -> None:
    trial = next(waiting, None)
    if trial is not None:
        lane.start(trial, options)
        busy[lane.worker] = (lane, trial)
