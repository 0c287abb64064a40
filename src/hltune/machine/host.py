"""This machine: candidates are compiled in memory and timed alone, in a worker."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from hltune.errors import Failure, InputError, JobFailed
from hltune.machine.copy import COPY_SCHEDULE, CopySpecJob
from hltune.machine.inputs import Inputs
from hltune.machine.jobs import NumPyReference, Prepared, PrepareJob, ReferenceJob, Task, TimeJob
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Cost, Measurement
from hltune.pipeline.spec import PipelineSpec
from hltune.pipeline.target import TargetInfo
from hltune.schedule.directives import ComputeRoot, Schedule, Stage
from hltune.schedule.parse import parse_schedule
from hltune.worker import Job, Worker

R = TypeVar("R")

COPY = "copy"
"""Key of the copy among the measurements of `HostSession.measure_with_copy`."""


@dataclass(slots=True)
class _Entry:
    """A schedule under measurement."""

    task: Task
    prepared: Prepared | None = None
    repeats: list[float] = field(default_factory=list[float])
    failure: Failure | None = None
    stopped_early: bool = False

    def measurement(self) -> Measurement:
        if self.failure is not None:
            return self.failure
        return Cost(unit="s", repeats=tuple(self.repeats), stopped_early=self.stopped_early)


class HostSession:
    """A `Session` on this machine.

    The worker begins with the reference outputs as soon as the session exists, so that a search in another process
    can go on meanwhile; `ready` or the first measurement waits for them.

    Args:
        spec: the pipeline.
        target: what to compile for; has to run here.
        options: how to measure.
        inputs: what to run on.
        numpy_reference: an independent version of the algorithm that the default schedule is checked against.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        *,
        target: TargetInfo,
        options: MeasureOptions,
        inputs: Inputs,
        numpy_reference: NumPyReference | None = None,
    ) -> None:
        inputs.assign(spec)
        self._spec = spec
        self._target = target
        self._options = options
        self._inputs = inputs
        self._directory = tempfile.TemporaryDirectory(prefix="hltune-")
        self._reference = Path(self._directory.name)
        self._numpy_reference = numpy_reference
        self._in_process: set[str] = set()
        self._worker = Worker(
            environment={"HL_NUM_THREADS": str(options.threads), "HL_PERMIT_FAILED_UNROLL": "1"},
            preload=("halide", "numpy"),
            memory_bytes=options.memory_bytes,
        )
        self._pending: ReferenceJob | None = self._reference_job(Schedule())
        self._worker.start(self._pending, timeout_s=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.close()
        self._directory.cleanup()

    def ready(self) -> None:
        """Waits for the reference outputs.

        Raises:
            InputError: the inputs do not fit, or the pipeline cannot run on them at all.
            HltuneError: it computes something else than its NumPy reference.
        """
        if self._pending is None:
            return
        try:
            self._worker.finish(self._pending)
        except JobFailed as failed:
            if failed.failure.kind == "error":
                raise self._cannot_run(failed.failure) from None
            # Inlined everywhere, a deep pipeline can recompute for hours; at root it does not.
            self._run_reference(every_func_at_root(self._spec))
        self._pending = None

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """See `Session.measure`."""
        return self._measure({key: self._entry(schedule) for key, schedule in schedules.items()})

    def measure_with_copy(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """Measures a copy of the same number of bytes side by side with the schedules, under the key `COPY`."""
        self.ready()
        spec = self._worker.run(CopySpecJob(self._spec), timeout_s=60)
        text = COPY_SCHEDULE.format(vector_bytes=self._target.vector_bytes)
        task = Task(spec=spec, schedule=parse_schedule(text, spec.funcs), target=self._target.name, inputs=Inputs())
        return self._measure({COPY: _Entry(task), **{key: self._entry(s) for key, s in schedules.items()}})

    def _measure(self, entries: dict[str, _Entry]) -> dict[str, Measurement]:
        self.ready()
        self._in_process.clear()
        for key, entry in entries.items():
            self._prepare(key, entry)
        for number in range(self._options.rounds):
            last = number == self._options.rounds - 1
            # Back and forth, so that no schedule always follows the same neighbour.
            for key in sorted(entries, reverse=bool(number % 2)):
                self._take_turn(key, entries[key], last=last)
            self._stop_hopeless(entries)
        return {key: entry.measurement() for key, entry in entries.items()}

    def _take_turn(self, key: str, entry: _Entry, *, last: bool) -> None:
        if entry.failure is not None or entry.stopped_early:
            return
        if key not in self._in_process:  # another schedule took the process down
            self._prepare(key, entry)
        if entry.prepared is None:
            return
        job = TimeJob(
            key=key, task=entry.task, first_run_s=entry.prepared.first_run_s, options=self._options, last=last
        )
        outcome = self._run(job)
        if isinstance(outcome, Failure):
            entry.failure = outcome
        else:
            entry.repeats.extend(outcome)

    def _prepare(self, key: str, entry: _Entry) -> None:
        outcome = self._run(PrepareJob(key=key, task=entry.task, options=self._options))
        if isinstance(outcome, Failure):
            entry.failure = outcome
        else:
            entry.prepared = outcome
            self._in_process.add(key)

    def _run(self, job: Job[R | Failure]) -> R | Failure:
        try:
            return self._worker.run(job, timeout_s=60)
        except JobFailed as failed:
            if failed.failure.kind != "error":
                self._in_process.clear()
            return failed.failure

    def _stop_hopeless(self, entries: Mapping[str, _Entry]) -> None:
        live = [entry for entry in entries.values() if entry.repeats and entry.failure is None]
        best = min((min(entry.repeats) for key, entry in entries.items() if entry in live and key != COPY), default=0.0)
        for entry in live:
            # Where a turn holds many runs, further turns cost no more than the others' and keep the comparison fair.
            slow = min(entry.repeats) > self._options.turn_s
            entry.stopped_early |= slow and min(entry.repeats) > best * self._options.hopeless_ratio

    def _entry(self, schedule: Schedule) -> _Entry:
        return _Entry(self._task(schedule, reference=self._reference))

    def _task(self, schedule: Schedule, *, reference: Path | None = None) -> Task:
        return Task(
            spec=self._spec, schedule=schedule, target=self._target.name, inputs=self._inputs, reference=reference
        )

    def _reference_job(self, schedule: Schedule) -> ReferenceJob:
        return ReferenceJob(
            task=self._task(schedule),
            options=self._options,
            directory=self._reference,
            numpy_reference=self._numpy_reference,
        )

    def _run_reference(self, schedule: Schedule) -> None:
        try:
            self._worker.run(self._reference_job(schedule), timeout_s=60)
        except JobFailed as failed:
            raise self._cannot_run(failed.failure) from None

    def _cannot_run(self, failure: Failure) -> InputError:
        return InputError(
            "the pipeline cannot run on these inputs, whatever its schedule",
            where=self._spec.name,
            found=f"{failure.stage}: {failure.message}",
            todo="check that the estimates of inputs and outputs agree with what the pipeline reads",
        )


def every_func_at_root(spec: PipelineSpec) -> Schedule:
    """Computes every Func once, in full, before its consumers."""
    return Schedule(tuple(ComputeRoot(Stage(func.name)) for func in spec.funcs))
