"""What the Hexagon machine has its workers do: write the job file once; compile, link, run and verify each schedule."""

import math
import re
import resource
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from hltune.machine.hexagon.options import emulator_options
from hltune.machine.hexagon.target import EMULATED_CPU
from hltune.machine.hexagon.toolchain import Tools
from hltune.machine.hexagon.wire import Result, check_fits, decode_result, encode_job
from hltune.machine.inputs import Inputs, input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.task import COMPILE, WROTE_BETWEEN, attempted, checked
from hltune.machine.verify import verify
from hltune.runtime.rlimits import limit
from hltune.runtime.worker import Process
from hltune.schedule.repair import with_repairs
from hltune.values.cost import Counters
from hltune.values.directives import Schedule
from hltune.values.errors import KILLED, WROTE_BEYOND, Failure, FailureKind, HltuneError, Refused
from hltune.values.limits import HEAP, LATE
from hltune.values.pipeline import PipelineSpec

_ENTRY = "pipeline"
_LINK_S = 60.0
_LONGEST_RUN_S = 1.7
"""Processor time, so short that the 2**32 packets after which the counter begins again are not reached in it, not even
by a computer three times as fast as the one where 835e6 a second were seen."""
_CACHE_SLOWDOWN = 20.0
"""How many times as long as a plain run one with the cache may take: twice was usual, and more with more ways."""
_EMULATING = "run in the emulator"
_PATIENCE = 10.0
"""How many times as long a run may take by the clock: what else the computer does must not decide what is stored."""
_NO_PAGES = 5
"""Exit status of a harness that got no memory for an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFileJob:
    """Writes what the emulated process reads from standard input, the same for all schedules of a pipeline."""

    spec: PipelineSpec
    inputs: Inputs
    heap_limit_bytes: int
    file: Path

    def run(self, process: Process) -> None:
        """Runs in a worker."""
        check_fits(self.spec)
        values = input_arrays(process, self.spec, self.inputs)
        self.file.write_bytes(encode_job(self.spec, values, heap_limit_bytes=self.heap_limit_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What running took, of the schedule that was to be counted, or of what that was repaired to."""

    schedule: Schedule
    counters: Counters


class Run(NamedTuple):
    """The emulator with its flags, and how many times as long as without them it may take."""

    command: Sequence[str]
    slowdown: float = 1.0


class Ran(NamedTuple):
    """What the harness wrote, and what the emulator printed.

    Attributes:
        funcs: see `hltune.schedule.apply.Scheduled.called_otherwise`.
    """

    result: Result
    log: str
    funcs: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorJob:
    """Compiles a schedule, links it, runs it in the emulator and verifies what it wrote, if a reference is given."""

    spec: PipelineSpec
    schedule: Schedule
    target: str
    tools: Tools
    reference: Path | None
    input_file: Path
    options: MeasureOptions

    def attempt(self, process: Process, schedule: Schedule) -> Ran | Failure:
        """What came of a schedule; wrong outputs are a Failure."""
        with tempfile.TemporaryDirectory(dir=process.scratch) as scratch:
            candidate, program = Path(scratch, "candidate.o"), Path(scratch, "candidate.elf")
            funcs = attempted(process, lambda: self._compile(process, schedule, candidate))
            if isinstance(funcs, Failure):
                return funcs
            process.enter("link", timeout_s=_LINK_S)
            try:
                self.tools.link(candidate, program, *self.link_flags)
            except HltuneError as error:
                failure = Failure.of("link", error)
                if failure.for_want_of_room:
                    raise Refused.by_system(failure.message) from None
                return failure
            first, *others = self.runs
            outcome = self._run(process, program, first)
            for run in others:
                if isinstance(outcome, Ran):
                    outcome = self._run(process, program, run)
        return outcome._replace(funcs=funcs) if isinstance(outcome, Ran) else outcome

    @property
    def link_flags(self) -> Sequence[str]:
        """What is linked beside the harness."""
        return ()

    @property
    def runs(self) -> Sequence[Run]:
        """What happens one after the other, until something fails; the last one tells."""
        return (Run((str(self.tools.emulator),)),)

    @property
    def _run_stage(self) -> str:
        """Named otherwise where no flag raises its limit."""
        return "run" if self.options.run_timeout_s <= _LONGEST_RUN_S else _EMULATING

    def _limit_s(self, run: Run) -> float:
        """Of processor time."""
        return run.slowdown * min(self.options.run_timeout_s, _LONGEST_RUN_S)

    def _compile(self, process: Process, schedule: Schedule, path: Path) -> Mapping[str, str]:
        """Writes the code, and returns how the schedule calls what is called otherwise in it."""
        import halide as hl  # the parent handles jobs without it

        from hltune.schedule.apply import scheduled

        process.enter(COMPILE, timeout_s=self.options.compile_timeout_s, one_thread=True)
        ready = scheduled(self.spec, schedule)
        built = ready.built
        outputs = {hl.OutputFileType.object: str(path)}
        built.pipeline.compile_to(outputs, built.arguments, _ENTRY, hl.Target(self.target))
        return ready.called_otherwise

    def _run(self, process: Process, program: Path, run: Run) -> Ran | Failure:
        process.enter(_EMULATING, timeout_s=_PATIENCE * self._limit_s(run))  # whose limit is no flag's
        ran = self._emulate(program, run)
        return ran if isinstance(ran, Failure) else self._wrong(process, ran.result) or ran

    def _emulate(self, program: Path, run: Run) -> Ran | Failure:
        command = [*run.command, "-cpu", EMULATED_CPU, str(program)]
        limit_s = self._limit_s(run)
        before_s = _children_s()
        with self.input_file.open("rb") as job:
            limit = partial(_limit_run, limit_s)
            done = subprocess.run(command, stdin=job, capture_output=True, check=False, preexec_fn=limit)
        # Whatever it says that it counted, its counter may have begun again.
        if _children_s() - before_s > limit_s:
            late = f"{LATE} of {limit_s / run.slowdown:g} s"  # as the flag says it
            return Failure(stage=self._run_stage, kind="timeout", message=late)
        if done.returncode == -signal.SIGKILL:
            return _failed("memory", f"{KILLED}: the emulator")
        if done.returncode < 0:
            name = signal.Signals(-done.returncode).name
            why = "it reads or writes where it has no memory, or does what the processor cannot"
            return _failed("crash", f"the emulated program died ({name}): {why}")
        log = done.stderr.decode(errors="replace")
        if done.returncode and "plugin" in log:
            raise HltuneError(
                "the emulator does not load the plug-in",
                where=run.command[0],
                found=log.strip()[-300:],
                todo="leave out --objective, or install QEMU 7.2",
            )
        if done.returncode == _NO_PAGES:
            return _failed("memory", "the images do not fit into the 4 GiB that the DSP can address")
        if done.returncode:
            return _failed("error", f"the harness gave up with status {done.returncode}", log)
        try:
            return Ran(decode_result(done.stdout, self.spec), log)
        except HltuneError as error:  # the candidate has overwritten what the harness needs
            return _failed("crash", str(error), log)

    def _wrong(self, process: Process, result: Result) -> Failure | None:
        if result.refused_bytes:
            limit, peak = emulator_options(self.options).heap_limit_bytes, result.counters.peak_heap_bytes
            exceeded = f"{result.refused_bytes} bytes more {HEAP} of {limit} bytes"
            return _failed("memory", f"{exceeded}; {peak} were in use at most")
        if result.code:
            return _failed("error", f"error {result.code}: {result.message}")
        if result.damaged or not result.padding_intact:
            text = f"{WROTE_BEYOND} argument {result.damaged}" if result.damaged else WROTE_BETWEEN
            return _failed("wrong output", text)
        return verify(process, result.outputs, self.reference, self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountJob(EmulatorJob):
    """Counts what a schedule issues, and misses if the emulator simulates a cache."""

    def run(self, process: Process) -> Counted | Failure:
        """Runs in a worker, a reproducible one."""
        schedule, outcome = with_repairs(self.schedule, lambda each: self._attempt(process, each))
        if isinstance(outcome, Failure):
            return outcome
        counters = outcome.result.counters
        if emulator_options(self.options).cache is not None:
            counters = replace(counters, line_misses=_misses(outcome.log))
        return Counted(schedule=schedule, counters=counters)

    def _attempt(self, process: Process, schedule: Schedule) -> Ran | Failure:
        """Code for a target without Halide's checks would leave its images in silence: first it runs with them."""
        with_checks = replace(self, target=checked(self.target))
        outcome = with_checks.attempt(process, schedule)
        return outcome if with_checks == self or isinstance(outcome, Failure) else self.attempt(process, schedule)

    @property
    def runs(self) -> Sequence[Run]:
        """A plain run, which shows that packets are not too many, and one with the plug-in for the cache, if any."""
        plain = Run((str(self.tools.emulator),))
        cache = emulator_options(self.options).cache
        if cache is None:
            return (plain,)
        sizes = f"size={cache.size_bytes},ways={cache.ways},line={cache.line_bytes}"
        return plain, Run((*plain.command, "-plugin", f"{self.tools.cache_plugin},{sizes}"), _CACHE_SLOWDOWN)


def _limit_run(limit_s: float) -> None:
    """Runs in the emulator's process, which nobody else would end if this one and its parent were killed."""
    whole_s = math.floor(limit_s) + 1
    limit(resource.RLIMIT_CPU, whole_s, whole_s + 1)


def _children_s() -> float:
    """Processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _failed(kind: FailureKind, message: str, log: str = "") -> Failure:
    return Failure(stage="run", kind=kind, message=message, log=log)


def _misses(log: str) -> int:
    found = re.search(r"^line misses: (\d+) after 4 counter reads$", log, re.MULTILINE)
    if found is None:
        raise HltuneError("the emulator's cache plug-in said nothing", found=log.strip()[-300:])
    return int(found[1])
