"""What the Hexagon machine has its workers do: write the job file once; compile, link, run and verify each schedule."""

import math
import re
import resource
import signal
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hltune.machine.hexagon.options import emulator_options
from hltune.machine.hexagon.target import EMULATED_CPU
from hltune.machine.hexagon.toolchain import Tools, build_cache_plugin, build_harness
from hltune.machine.hexagon.wire import Result, decode_result, encode_job
from hltune.machine.inputs import Inputs, input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.verify import verify
from hltune.runtime.worker import Process
from hltune.values.cost import Counters
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, InputError
from hltune.values.pipeline import PipelineSpec

_ENTRY = "pipeline"
_LINK_S = 60.0
_LONGEST_RUN_S = 5.0
"""So short that the 2**32 packets after which the counter begins again are not reached: 835e6 a second were seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """All that it takes to run a candidate.

    Attributes:
        harness: objects and libraries that it is linked with.
    """

    tools: Tools
    harness: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class EmulatorJob:
    """Builds what is not there yet."""

    tools: Tools
    with_cache: bool

    def run(self, process: Process) -> Emulator:
        """Runs in a worker."""
        harness = build_harness(self.tools, process)
        plugin = build_cache_plugin(process) if self.with_cache else None
        return Emulator(tools=replace(self.tools, cache_plugin=plugin), harness=harness)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFileJob:
    """Writes what the emulated process reads from standard input, the same for all schedules of a pipeline."""

    spec: PipelineSpec
    inputs: Inputs
    heap_limit_bytes: int
    file: Path

    def run(self, process: Process) -> None:
        """Runs in a worker.

        Raises:
            InputError: an image does not fit.
        """
        values = input_arrays(process, self.spec, self.inputs)
        self.file.write_bytes(encode_job(self.spec, values, heap_limit_bytes=self.heap_limit_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountJob:
    """Compiles a schedule, links it, runs it in the emulator and verifies what it wrote.

    Attributes:
        target: a full Halide target string.
        reference: directory with the expected outputs, or None to accept any.
        input_file: for the harness.
    """

    spec: PipelineSpec
    schedule: Schedule
    target: str
    emulator: Emulator
    reference: Path | None
    input_file: Path
    options: MeasureOptions

    def run(self, process: Process) -> Counters | Failure:
        """Runs in a worker, a reproducible one."""
        # With the session's files: whoever kills this process does not clean up for it.
        with tempfile.TemporaryDirectory(dir=self.input_file.parent) as scratch:
            candidate, program = Path(scratch, "candidate.o"), Path(scratch, "candidate.elf")
            try:
                self._compile(process, candidate)
            except InputError as error:  # the schedule does not fit the pipeline: its failure, and nobody else's
                return Failure(stage="compile", kind="error", message=str(error))
            process.enter("link", timeout_s=_LINK_S)
            try:
                self.emulator.tools.link([candidate, *self.emulator.harness], program)
            except HltuneError as error:
                return Failure(stage="link", kind="error", message=str(error))
            process.enter("run", timeout_s=self._run_limit_s)
            outcome = self._emulate(program)
        if isinstance(outcome, Failure):
            return outcome
        result, misses = outcome
        return self._wrong(process, result) or _counters(result, misses)

    @property
    def _run_limit_s(self) -> float:
        return min(self.options.run_timeout_s, _LONGEST_RUN_S)

    def _compile(self, process: Process, path: Path) -> None:
        import halide as hl  # the parent handles jobs without it

        from hltune.pipeline.build import build
        from hltune.schedule.apply import apply_schedule

        process.enter("compile", timeout_s=self.options.compile_timeout_s)
        built = build(self.spec)
        apply_schedule(built, self.spec, self.schedule)
        outputs = {hl.OutputFileType.object: str(path)}
        built.pipeline.compile_to(outputs, built.arguments, _ENTRY, hl.Target(self.target))

    def _emulate(self, program: Path) -> tuple[Result, int | None] | Failure:
        tools, cache = self.emulator.tools, emulator_options(self.options).cache
        command = [str(tools.emulator), "-cpu", EMULATED_CPU]
        if cache is not None:
            sizes = f"size={cache.size_bytes},ways={cache.ways},line={cache.line_bytes}"
            command += ["-plugin", f"{tools.cache_plugin},{sizes}"]
        command.append(str(program))
        with self.input_file.open("rb") as job:
            done = subprocess.run(command, stdin=job, capture_output=True, check=False, preexec_fn=self._limit_run)
        if done.returncode < 0:
            name = signal.Signals(-done.returncode).name
            return Failure(
                stage="run",
                kind="crash",
                message=f"the emulated program died ({name}): it reads or writes "
                "where it has no memory, or does what the processor cannot",
            )
        log = done.stderr.decode(errors="replace")
        if done.returncode and "plugin" in log:
            raise HltuneError(
                "the emulator does not load the cache plug-in",
                where=str(tools.emulator),
                found=log.strip()[-300:],
                todo="leave out --objective, or install QEMU 7.2",
            )
        if done.returncode:
            return Failure(
                stage="run", kind="error", message=f"the harness gave up with status {done.returncode}", log=log
            )
        try:
            return decode_result(done.stdout, self.spec), _misses(log) if cache else None
        except HltuneError as error:  # the candidate has overwritten what the harness needs
            return Failure(stage="run", kind="crash", message=str(error), log=log)

    def _limit_run(self) -> None:
        """Runs in the emulator's process, which nobody else would end if this one and its parent were killed."""
        limit_s = math.ceil(self._run_limit_s) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))

    def _wrong(self, process: Process, result: Result) -> Failure | None:
        if result.refused_bytes:
            limit = emulator_options(self.options).heap_limit_bytes
            return Failure(
                stage="run",
                kind="memory",
                message=f"{result.refused_bytes} bytes more would exceed the "
                f"heap limit of {limit} bytes; {result.peak_heap_bytes} were in use at most",
            )
        if result.code:
            return Failure(stage="run", kind="error", message=f"error {result.code}: {result.message}")
        if result.damaged or not result.padding_intact:
            place = f"argument {result.damaged}" if result.damaged else "the rows of an output"
            return Failure(stage="run", kind="wrong output", message=f"wrote beyond the ends of {place}")
        return verify(process, self.spec, result.outputs, self.reference, self.options)


def _misses(log: str) -> int:
    found = re.search(r"^line misses: (\d+) after 4 counter reads$", log, re.MULTILINE)
    if found is None:
        raise HltuneError("the emulator's cache plug-in said nothing", found=log.strip()[-300:])
    return int(found[1])


def _counters(result: Result, misses: int | None) -> Counters:
    return Counters(
        packets=result.packets,
        hvx_instructions=result.hvx_instructions,
        instructions=result.instructions,
        allocations=result.allocations,
        peak_heap_bytes=result.peak_heap_bytes,
        line_misses=misses,
    )
