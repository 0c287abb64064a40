"""The emulated DSP as a `Machine`. Counting disturbs nobody and is disturbed by nobody: all cores work at once."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from hltune.machine.bandwidth import CopySpecJob, copy_schedule
from hltune.machine.hexagon.identity import PACKETS_PER_S, identify
from hltune.machine.hexagon.jobs import CountJob, Emulator, EmulatorJob, InputFileJob
from hltune.machine.hexagon.toolchain import find_tools
from hltune.machine.host.jobs import NumPyReference, Task
from hltune.machine.inputs import Inputs
from hltune.machine.options import CacheModel, MeasureOptions
from hltune.machine.reference import DEFAULT_REFERENCE, Reference
from hltune.pipeline.target import HOST, TargetInfo
from hltune.runtime.worker import Worker, run_each
from hltune.values.cost import Cost, Counters, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import PipelineSpec
from hltune.values.unit import Unit

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

    def __init__(self, target: TargetInfo, options: MeasureOptions, *, workers: int) -> None:
        self.identity = identify(target, options)
        self._target = target
        self._options = options
        with_cache = options.emulator.cache is not None
        self._job = EmulatorJob(find_tools(with_cache=with_cache), with_cache)
        self._emulator: Emulator | None = None
        self._host = Worker(environment=options.environment, preload=("halide", "numpy"))
        self._workers = tuple(
            Worker(environment=options.environment, preload=_COUNTING_PRELOAD, reproducible=True)
            for _ in range(workers)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in (self._host, *self._workers):
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
            self._emulator = self._host.run(self._job)
        counter = _Counter(self._target, self._emulator, self._options, self.identity.unit, self._host, self._workers)
        return HexagonSession(spec, inputs, counter, reference, numpy_reference)


class HexagonSession:
    """A `Session` of a `HexagonMachine`. Expected outputs are computed on this machine, with the same algorithm."""

    def __init__(
        self,
        spec: PipelineSpec,
        inputs: Inputs,
        counter: _Counter,
        reference: Schedule,
        numpy_reference: NumPyReference | None,
    ) -> None:
        self._spec = spec
        self._inputs = inputs
        self._counter = counter
        self._directory = tempfile.TemporaryDirectory(prefix="hltune-")
        self._input_file = Path(self._directory.name, "input.job")
        self._reference = Reference(
            spec,
            target=HOST,
            options=counter.options,
            inputs=inputs,
            directory=Path(self._directory.name),
            worker=counter.host,
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

    side_by_side = True

    def ready(self) -> None:
        """See `Session.ready`."""
        self._reference.ready()
        if not self._input_file.exists():
            self._counter.write_inputs(self._spec, self._inputs, self._input_file)

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """See `Session.measure`."""
        measured = dict(self.measure_each(schedules.items(), best=None))
        return {key: measured[key] for key in schedules}

    def measure_with_bound(self, schedules: Mapping[str, Schedule]) -> tuple[dict[str, Measurement], Measurement]:
        """See `Session.measure_with_bound`."""
        self.ready()
        counter = self._counter
        spec = counter.host.run(CopySpecJob(self._spec))
        file = Path(self._directory.name, "copy.job")
        counter.write_inputs(spec, Inputs(), file)
        schedule = copy_schedule(spec, vector_bytes=counter.target.vector_bytes)
        copy = dict(counter.count([("copy", schedule)], spec, file, reference=None))
        return self.measure(schedules), copy["copy"]

    def measure_each(
        self,
        schedules: Iterable[tuple[str, Schedule]],
        *,
        best: float | None,  # noqa: ARG002 - counting a slow schedule takes hardly longer than counting a fast one
    ) -> Generator[tuple[str, Measurement]]:
        """See `Session.measure_each`."""
        self.ready()
        yield from self._counter.count(schedules, self._spec, self._input_file, reference=self._reference.directory)


class _Counter:
    """The processes of a machine, and what each of their jobs needs."""

    def __init__(
        self,
        target: TargetInfo,
        emulator: Emulator,
        options: MeasureOptions,
        unit: Unit,
        host: Worker,
        workers: tuple[Worker, ...],
    ) -> None:
        self.target = target
        self.options = options
        self.unit = unit
        self.host = host
        self._emulator = emulator
        self._workers = workers

    def write_inputs(self, spec: PipelineSpec, inputs: Inputs, file: Path) -> None:
        """Makes the file that the harness reads."""
        task = Task(spec=spec, schedule=DEFAULT_REFERENCE, target=HOST, inputs=inputs)
        self.host.run(InputFileJob(task=task, heap_limit_bytes=self.options.emulator.heap_limit_bytes, file=file))

    def count(
        self,
        schedules: Iterable[tuple[str, Schedule]],
        spec: PipelineSpec,
        input_file: Path,
        *,
        reference: Path | None,
    ) -> Generator[tuple[str, Measurement]]:
        """Measures schedules side by side and yields them as they are done."""
        jobs = (
            (
                key,
                CountJob(
                    spec=spec,
                    schedule=schedule,
                    target=self.target.name,
                    emulator=self._emulator,
                    reference=reference,
                    input_file=input_file,
                    options=self.options,
                ),
            )
            for key, schedule in schedules
        )
        cache = self.options.emulator.cache
        with contextlib.closing(run_each(jobs, self._workers)) as outcomes:
            for key, outcome in outcomes:
                yield key, outcome if isinstance(outcome, Failure) else _cost(outcome, cache, self.unit)


def _cost(counters: Counters, cache: CacheModel | None, unit: Unit) -> Cost:
    value = float(counters.packets)
    if cache is not None:
        assert counters.line_misses is not None
        value += cache.miss_weight * counters.line_misses
    return Cost(unit=unit, turns=((value / PACKETS_PER_S,),), counters=counters)
