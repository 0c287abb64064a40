"""The emulated DSP as a `Machine`. Counting disturbs nobody and is disturbed by nobody: all cores work at once."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from hltune.machine.bandwidth import CopySpecJob, copy_schedule
from hltune.machine.hexagon.identity import PACKETS_PER_S, identify
from hltune.machine.hexagon.jobs import CountJob, Emulator, EmulatorJob, InputFileJob
from hltune.machine.hexagon.options import emulator_options
from hltune.machine.hexagon.toolchain import find_tools
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.reference import Reference
from hltune.machine.task import DEFAULT_REFERENCE, NumPyReference, Task
from hltune.pipeline.target import HOST, TargetInfo
from hltune.runtime.worker import Worker, run_each
from hltune.values.cost import Cost, Counters, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import PipelineSpec

_COUNTING_PRELOAD = ("halide", "numpy", "hltune.machine.hexagon.jobs", "hltune.pipeline.build", "hltune.schedule.apply")
"""All that a `CountJob` imports: a fork that had to import would do so for every schedule."""


class HexagonMachine:
    """A `Machine`.

    Args:
        target: what to compile for.
        options: how to measure.
        workers: processes that compile and emulate.

    Raises:
        InputError: a tool is missing, or this version cannot be emulated.
    """

    def __init__(self, target: TargetInfo, options: MeasureOptions, workers: int) -> None:
        self.identity = identify(target, options)
        self.target = target
        own = emulator_options(options)
        # Spelled out: jobs are the same bytes whether or not somebody gave the defaults.
        self._options = replace(options, machine_options=own)
        self._heap_limit_bytes, self._cache = own.heap_limit_bytes, own.cache
        self._job = EmulatorJob(find_tools(with_cache=self._cache is not None), self._cache is not None)
        self._emulator: Emulator | None = None
        self.host = Worker(environment=options.environment, preload=("halide", "numpy"))
        self._workers = tuple(
            Worker(environment=options.environment, preload=_COUNTING_PRELOAD, reproducible=True)
            for _ in range(workers)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in (self.host, *self._workers):
            worker.close()

    def session(
        self,
        spec: PipelineSpec,
        inputs: Inputs,
        *,
        reference: Schedule = DEFAULT_REFERENCE,
        numpy_reference: NumPyReference | None = None,
    ) -> HexagonSession:
        """See `Machine.session`."""
        if self._emulator is None:
            self._emulator = self.host.run(self._job)
        # Expected outputs are computed on this computer, with the same algorithm.
        task = Task(spec=spec, schedule=reference, target=HOST, inputs=inputs)
        return HexagonSession(self, Reference(task, self._options, self.host, numpy_reference))

    def write_inputs(self, spec: PipelineSpec, inputs: Inputs, file: Path) -> None:
        """Makes the file that the harness reads."""
        self.host.run(InputFileJob(spec=spec, inputs=inputs, heap_limit_bytes=self._heap_limit_bytes, file=file))

    def count(
        self, schedules: Iterable[tuple[str, Schedule]], spec: PipelineSpec, input_file: Path, *, reference: Path | None
    ) -> Generator[tuple[str, Measurement]]:
        """Measures schedules side by side and yields them as they are done."""
        assert self._emulator is not None
        emulator = self._emulator

        def job(schedule: Schedule) -> CountJob:
            return CountJob(
                spec=spec,
                schedule=schedule,
                target=self.target.name,
                emulator=emulator,
                reference=reference,
                input_file=input_file,
                options=self._options,
            )

        jobs = ((key, job(schedule)) for key, schedule in schedules)
        with contextlib.closing(run_each(jobs, self._workers)) as outcomes:
            for key, outcome in outcomes:
                yield key, outcome if isinstance(outcome, Failure) else self._cost(outcome)

    def _cost(self, counters: Counters) -> Cost:
        value = float(counters.packets)
        if self._cache is not None:
            assert counters.line_misses is not None
            value += self._cache.miss_weight * counters.line_misses
        return Cost(unit=self.identity.unit, turns=((value / PACKETS_PER_S,),), counters=counters)


class HexagonSession:
    """A `Session` of a `HexagonMachine`."""

    side_by_side = True

    def __init__(self, machine: HexagonMachine, reference: Reference) -> None:
        self._machine = machine
        self._reference = reference
        self._spec = reference.task.spec
        self._input_file = reference.directory / "input.job"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reference.close()

    def ready(self) -> None:
        """See `Session.ready`."""
        self._reference.ready()
        if not self._input_file.exists():
            self._machine.write_inputs(self._spec, self._reference.task.inputs, self._input_file)

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """See `Session.measure`."""
        measured = dict(self.measure_each(schedules.items(), best=None))
        return {key: measured[key] for key in schedules}

    def measure_with_bound(self, schedules: Mapping[str, Schedule]) -> tuple[dict[str, Measurement], Measurement]:
        """See `Session.measure_with_bound`."""
        self.ready()
        machine, file = self._machine, self._reference.directory / "copy.job"
        spec = machine.host.run(CopySpecJob(self._spec))
        machine.write_inputs(spec, Inputs(), file)
        schedule = copy_schedule(spec, vector_bytes=machine.target.vector_bytes)
        copy = dict(machine.count([("copy", schedule)], spec, file, reference=None))
        return self.measure(schedules), copy["copy"]

    def measure_each(
        self,
        schedules: Iterable[tuple[str, Schedule]],
        *,
        best: float | None,  # noqa: ARG002 - counting a slow schedule takes hardly longer than counting a fast one
    ) -> Generator[tuple[str, Measurement]]:
        """See `Session.measure_each`."""
        self.ready()
        yield from self._machine.count(schedules, self._spec, self._input_file, reference=self._reference.directory)
