"""The emulated DSP as a `Machine`. Counting disturbs nobody and is disturbed by nobody: all cores work at once."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from hltune.machine.bandwidth import CopyJob
from hltune.machine.hexagon import toolchain
from hltune.machine.hexagon.jobs import Counted, CountJob, InputFileJob
from hltune.machine.hexagon.options import emulator_options
from hltune.machine.hexagon.profile import ProfileJob
from hltune.machine.hexagon.target import HEXAGON, TARGETS, claim, version_of
from hltune.machine.hexagon.wire import check_fits
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Finding, MachineKind
from hltune.machine.reference import ANY_TWO, References, ReferenceSession
from hltune.machine.sensitivity import REFERENCE_TARGET, STRICT
from hltune.machine.task import Task
from hltune.pipeline.target import TargetInfo
from hltune.runtime.c_compilers import INSTALL_COMPILER, find_c_compiler, find_zig
from hltune.runtime.halide_wheel import halide_version
from hltune.runtime.worker import Worker, run_each
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, JobFailed
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.profile import Profile
from hltune.values.unit import Unit

_COUNTING_PRELOAD = ("halide", "numpy", "hltune.machine.hexagon.jobs", "hltune.pipeline.build", "hltune.schedule.apply")
"""All that a `CountJob` imports: a fork that had to import would do so for every schedule."""

_PACKETS_PER_S = 1e9
"""A nominal rate, see `hltune.values.unit`."""


def identify(target: TargetInfo, options: MeasureOptions) -> MachineId:
    """The identity of the emulated DSP: all that takes part in counting."""
    emulator = emulator_options(options)
    cache, heap_mib = emulator.cache, emulator.heap_limit_bytes / 2**20
    counted, name, label, heading = "packets", "packets", "packets issued (QEMU)", "packets issued\n(QEMU)"
    if cache is not None:
        counted, name, label, heading = str(cache), "packets+misses", f"= {cache}, QEMU", "packets\n+misses"
    version, tools = version_of(target.name), toolchain.toolchain_key(with_cache=cache is not None)
    return MachineId(
        cpu=f"Hexagon {version} in QEMU, {counted}, heap {heap_mib:g} MiB, tools {tools}",
        target=target.name,
        threads=options.threads,
        halide=halide_version(),
        unit=Unit(name=name, label=label, heading=heading, per_second=_PACKETS_PER_S, digits=0),
    )


class HexagonMachine(contextlib.AbstractContextManager["HexagonMachine"]):
    """A `Machine`; an `InputError` if a tool is missing, or this version of the DSP cannot be emulated."""

    def __init__(self, target: TargetInfo, options: MeasureOptions, workers: int) -> None:
        self.identity = identify(target, options)
        self.target = target
        self.emulator = emulator_options(options)
        # Spelled out: jobs are the same bytes whether or not somebody gave the defaults.
        self.options = replace(options, machine_options=self.emulator)
        self.tools = toolchain.find_tools(with_cache=self.emulator.cache is not None)
        self.host = Worker(environment=options.environment, preload=("halide", "numpy"))
        self.workers = tuple(
            Worker(environment=options.environment, preload=_COUNTING_PRELOAD, reproducible=True)
            for _ in range(workers)
        )

    def __exit__(self, *_: object) -> None:
        for worker in (self.host, *self.workers):
            worker.close()

    def session(self, spec: PipelineSpec, inputs: Inputs, references: References = ANY_TWO) -> HexagonSession:
        """See `Machine.session`."""
        check_fits(spec)  # before anything is computed; inputs that grow are looked at again
        if not self.tools.harness:
            self.tools = self.host.run(toolchain.BuildJob(self.tools, with_cache=self.emulator.cache is not None))
        # Expected outputs are computed on this computer, with the same algorithm; the DSP emulates floats, as they are.
        task = Task(spec=spec, schedule=Schedule(), target=REFERENCE_TARGET, inputs=inputs)
        return HexagonSession(self, task, references)


class HexagonSession(ReferenceSession):
    """A `Session` of a `HexagonMachine`."""

    side_by_side = True

    def __init__(self, machine: HexagonMachine, task: Task, references: References) -> None:
        super().__init__(
            task, machine.options, machine.host, references, strict=STRICT in machine.target.name.split("-"), own=False
        )
        self._machine = machine
        self._input_file = self._directory / "input.job"

    def ready(self) -> None:
        """See `Session.ready`."""
        super().ready()
        if not self._input_file.exists():
            self._write_inputs(self._task.spec, self._task.inputs, self._input_file)

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """See `Session.measure`."""
        measured = dict(self.measure_each(schedules.items(), best=None))
        return {key: measured[key] for key in schedules}

    def measure_with_bound(self, schedules: Mapping[str, Schedule]) -> tuple[dict[str, Measurement], Measurement]:
        """See `Session.measure_with_bound`."""
        self.ready()
        file = self._directory / "copy.job"
        spec, schedule = self._machine.host.run(CopyJob(self._task.spec, self._machine.target.vector_bytes))
        self._write_inputs(spec, Inputs(), file)
        copy = dict(self._count([("copy", schedule)], spec, file, reference=None))
        return self.measure(schedules), copy["copy"]

    def measure_each(
        self,
        schedules: Iterable[tuple[str, Schedule]],
        *,
        best: float | None,  # noqa: ARG002 - counting a slow schedule takes hardly longer than counting a fast one
    ) -> Generator[tuple[str, Measurement]]:
        """See `Session.measure_each`."""
        self.ready()
        yield from self._count(schedules, self._task.spec, self._input_file, reference=self._directory)

    def profile(
        self,
        schedule: Schedule,
        *,
        seconds: float,  # noqa: ARG002 - it counts, and does not sample
    ) -> Profile | Failure | None:
        """See `Session.profile`; None where the emulator loads no plug-ins, or costs are more than packets."""
        self.ready()
        if self._machine.emulator.cache is not None:
            return None
        try:
            return self._profile(schedule)
        except JobFailed as failed:
            return failed.failure
        except HltuneError as error:  # all else is known without a profile
            return Failure.of("profiling", error)

    def _profile(self, schedule: Schedule) -> Profile | Failure | None:
        machine = self._machine
        profiler = machine.host.run(toolchain.BuildProfilerJob(machine.tools))
        if profiler is None:
            return None
        job = ProfileJob(
            spec=self._task.spec,
            schedule=schedule,
            target=machine.target.name,
            tools=machine.tools,
            reference=self._directory,
            input_file=self._input_file,
            options=machine.options,
            profiler=profiler,
            packets_per_s=_PACKETS_PER_S,
        )
        return machine.workers[0].run(job)

    def _write_inputs(self, spec: PipelineSpec, inputs: Inputs, file: Path) -> None:
        limit_bytes = self._machine.emulator.heap_limit_bytes
        self._machine.host.run(InputFileJob(spec=spec, inputs=inputs, heap_limit_bytes=limit_bytes, file=file))

    def _count(
        self, schedules: Iterable[tuple[str, Schedule]], spec: PipelineSpec, input_file: Path, *, reference: Path | None
    ) -> Generator[tuple[str, Measurement]]:
        machine = self._machine
        first = CountJob(
            spec=spec,
            schedule=Schedule(),
            target=machine.target.name,
            tools=machine.tools,
            reference=reference,
            input_file=input_file,
            options=machine.options,
        )
        given: dict[str, Schedule] = {}

        def jobs() -> Iterator[tuple[str, CountJob]]:
            for key, schedule in schedules:
                given[key] = schedule
                yield key, replace(first, schedule=schedule)

        with contextlib.closing(run_each(jobs(), machine.workers)) as outcomes:
            for key, outcome in outcomes:
                yield key, outcome if isinstance(outcome, Failure) else self._cost(outcome, given.pop(key))

    def _cost(self, counted: Counted, given: Schedule) -> Cost:
        counters = counted.counters
        value, cache = float(counters.packets), self._machine.emulator.cache
        if cache is not None:
            assert counters.line_misses is not None
            value += cache.miss_weight * counters.line_misses
        repair = None if counted.schedule == given else counted.schedule
        return Cost(
            unit=self._machine.identity.unit, turns=((value / _PACKETS_PER_S,),), counters=counters, repair=repair
        )


def findings() -> list[Finding]:
    """What the emulated DSP needs, and whether it is there."""
    emulator, compiler = toolchain.find_plugin_emulator(), find_c_compiler()
    plugins = f"{emulator}, {compiler}" if emulator and compiler else None
    fixed = "setarch -R works" if toolchain.addresses_can_be_fixed() else None
    allow = "in a container: docker run --security-opt seccomp=unconfined"
    dsp, counts = "--target hexagon", "--objective packets+misses, and explain by Func,"
    needs = (
        ("Hexagon compiler", find_zig(), INSTALL_COMPILER, dsp),
        ("Hexagon emulator", toolchain.find_emulator(), toolchain.INSTALL_EMULATOR, dsp),
        ("Hexagon plug-ins", plugins, toolchain.INSTALL_PLUGIN_EMULATOR, counts),
        ("Hexagon: fixed addresses", fixed, allow, dsp),
    )
    return [
        Finding(
            name=name,
            ok=found is not None,
            required=False,
            found=str(found or f"none; {use} cannot measure, everything else works"),
            todo=None if found else todo,
        )
        for name, found, todo, use in needs
    ]


KIND = MachineKind(
    name=HEXAGON,
    targets=TARGETS,
    claim=claim,
    identify=identify,
    open=HexagonMachine,
    threads=1,  # more would only cost packets
    findings=findings,
)
