"""This machine: candidates are compiled in memory and timed alone, in a worker."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from hltune.errors import HltuneError, JobFailed
from hltune.machine.copy import COPY_SCHEDULE, CopySpecJob
from hltune.machine.inputs import Inputs
from hltune.machine.jobs import NumPyReference, ReferenceJob, Task
from hltune.machine.lane import Entry, Lane
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Measurement
from hltune.pipeline.spec import PipelineSpec
from hltune.pipeline.target import TargetInfo
from hltune.schedule.directives import ComputeRoot, Schedule, Stage
from hltune.schedule.parse import parse_schedule
from hltune.worker import Worker

_COPY = "hltune's copy"
"""Key of the copy, which no schedule's name gets in the way of."""
DEFAULT_REFERENCE = Schedule()
"""The schedule without directives."""


class HostSession:
    """A `Session` on this machine.

    The worker begins with the reference outputs as soon as the session exists, so that a search in another process
    can go on meanwhile; `ready` or the first measurement waits for them.

    Args:
        spec: the pipeline.
        target: what to compile for; has to run here.
        options: how to measure.
        inputs: what to run on.
        lanes: processes to compile in, which stay open; without them the session has one of its own. `measure` uses
            the first one only, so that its schedules differ in nothing but themselves.
        reference: the schedule that computes the expected outputs.
        numpy_reference: an independent version of the algorithm that they are checked against.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        *,
        target: TargetInfo,
        options: MeasureOptions,
        inputs: Inputs,
        lanes: Sequence[Lane] = (),
        reference: Schedule = DEFAULT_REFERENCE,
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
        self._own = () if lanes else (Lane(options),)
        self._lanes = tuple(lanes or self._own)
        self._lane = self._lanes[0]
        self._pending: ReferenceJob | None = self._reference_job(reference)
        self._lane.worker.start(self._pending)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lane in self._own:
            lane.worker.close()
        self._directory.cleanup()

    def ready(self) -> None:
        """Waits for the reference outputs.

        Raises:
            InputError: the inputs do not fit, or the pipeline cannot run on them at all.
            HltuneError: it computes something else than its NumPy reference, or does not finish within its limits.
            JobFailed: it does not compile.
        """
        if self._pending is None:
            return
        try:
            self._lane.worker.finish(self._pending)
        except JobFailed as failed:
            if failed.failure.kind == "error":
                raise
            # Inlined everywhere, a deep pipeline can recompute for hours; at root it does not.
            self._run_at_root()
        self._pending = None

    def _run_at_root(self) -> None:
        try:
            self._lane.worker.run(self._reference_job(every_func_at_root(self._spec)))
        except JobFailed as failed:
            raise HltuneError(
                "the pipeline does not finish within its limits, neither inlined nor with every Func at root",
                where=self._spec.name,
                found=str(failed),
                todo="raise the limit, or schedule for a smaller size",
            ) from None

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """See `Session.measure`."""
        entries = self._entries(schedules)
        self._take_turns(entries)
        return {entry.key: entry.measurement() for entry in entries}

    def measure_with_copy(self, schedules: Mapping[str, Schedule]) -> tuple[dict[str, Measurement], Measurement]:
        """Measures a copy of the same number of bytes side by side with the schedules; returns both."""
        self.ready()
        spec = self._lane.worker.run(CopySpecJob(self._spec))
        text = COPY_SCHEDULE.format(vector_bytes=self._target.vector_bytes)
        schedule = parse_schedule(text, spec.funcs)
        copy = Entry(_COPY, Task(spec=spec, schedule=schedule, target=self._target.name, inputs=Inputs()))
        entries = self._entries(schedules)
        self._take_turns([copy, *entries])
        return {entry.key: entry.measurement() for entry in entries}, copy.measurement()

    def measure_each(
        self, schedules: Iterable[tuple[str, Schedule]], *, best: float | None
    ) -> Generator[tuple[str, Measurement]]:
        """See `Session.measure_each`: compiled on all lanes, timed alone."""
        self.ready()
        waiting = (Entry(key, self._task(schedule, reference=self._reference)) for key, schedule in schedules)
        busy: dict[Worker, tuple[Lane, Entry]] = {}
        best_s = math.inf if best is None else best
        try:
            for lane in self._lanes:
                _start_next(lane, waiting, self._limited(best_s), busy)
            while busy:
                lane, entry = busy.pop(Worker.wait_any(list(busy)))
                lane.finish(entry)
                if entry.live:
                    hopeless_s = best_s * self._options.hopeless_ratio
                    with Worker.paused(list(busy)):
                        lane.take_turn(entry, self._limited(best_s), last=True, hopeless_s=hopeless_s)
                if entry.failure is None:
                    best_s = min(best_s, entry.fastest_s)
                _start_next(lane, waiting, self._limited(best_s), busy)
                yield entry.key, entry.measurement()
        finally:
            for worker in busy:
                worker.recycle()

    def _limited(self, best_s: float) -> MeasureOptions:
        """For a schedule that has one turn, when the best one takes so long."""
        options = self._options
        limit_s = max(options.least_run_timeout_s, best_s * options.failed_ratio)
        return replace(options, turn_s=options.single_turn_s, run_timeout_s=min(options.run_timeout_s, limit_s))

    def _take_turns(self, entries: Sequence[Entry]) -> None:
        self.ready()
        for entry in entries:
            self._lane.prepare(entry, self._options)
        for number in range(self._options.rounds):
            last = number == self._options.rounds - 1
            # Back and forth, so that no schedule always follows the same neighbour.
            for entry in reversed(entries) if number % 2 else entries:
                if entry.live:
                    self._lane.take_turn(entry, self._options, last=last)
            self._stop_hopeless(entries)

    def _stop_hopeless(self, entries: Sequence[Entry]) -> None:
        live = [entry for entry in entries if entry.live and entry.turns and entry.key != _COPY]
        best = min((entry.fastest_s for entry in live), default=0.0)
        for entry in live:
            # Where a turn holds many runs, further turns cost no more than the others' and keep the comparison fair.
            slow = entry.fastest_s > self._options.turn_s
            entry.stopped_early = slow and entry.fastest_s > best * self._options.hopeless_ratio

    def _entries(self, schedules: Mapping[str, Schedule]) -> list[Entry]:
        return [Entry(key, self._task(schedule, reference=self._reference)) for key, schedule in schedules.items()]

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


def every_func_at_root(spec: PipelineSpec) -> Schedule:
    """Computes every Func once, in full, before its consumers."""
    return Schedule(tuple(ComputeRoot(Stage(func.name)) for func in spec.funcs))


def _start_next(
    lane: Lane, waiting: Iterator[Entry], options: MeasureOptions, busy: dict[Worker, tuple[Lane, Entry]]
) -> None:
    entry = next(waiting, None)
    if entry is not None:
        lane.start(entry, options)
        busy[lane.worker] = (lane, entry)
