"""Halide's profiler, as it prints after every run of a pipeline that was compiled in memory.

A thread of the runtime looks about every millisecond which Func runs. A short run is seen once or never, so many are
needed, and what counts is the number of samples: shares of single runs weigh as much as they have samples.

Source: Halide 21 ``runtime/profiler_common.cpp``.
"""

import ctypes
import re
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hltune.machine.heap import settle
from hltune.machine.host.jobs import count_heap
from hltune.machine.inputs import input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Task, attempted, compile_task
from hltune.pipeline.jit_handlers import use_handlers
from hltune.pipeline.serialized import plain_name
from hltune.runtime.worker import Process
from hltune.values.errors import Failure
from hltune.values.profile import Part, Profile

_FEATURE = "profile"
_LEAST_RUNS, _MOST_RUNS = 3, 20_000

_HEAD = re.compile(
    r"total time: (?P<total>[\d.e+-]+) ms +samples: (?P<samples>\d+) +runs: (?P<runs>\d+)"
    r".*?heap allocations: (?P<allocations>\d+) +peak heap usage: (?P<peak>\d+) bytes",
    re.DOTALL,
)
_PART = re.compile(
    r"^    (?P<name>\S.*?): +[\d.e+-]+ms +\( *(?P<percent>[\d.]+)%\)"
    r"(?: *threads: (?P<threads>[\d.e+-]+))?"
    r"(?: *peak: (?P<peak>\d+) +num: (?P<allocations>\d+) +avg: \d+)?"
    r"(?: *stack: (?P<stack>\d+))?",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileJob:
    """Compiles a task with the profiler in it, and runs it for a while. Runs in a worker of its own.

    Attributes:
        seconds: how long to run it.
    """

    task: Task
    options: MeasureOptions
    seconds: float

    def run(self, process: Process) -> Profile | Failure:
        """Runs in the worker; what is wrong with the output is a Failure as well."""
        task = replace(self.task, target=f"{self.task.target}-{_FEATURE}")
        arrays = input_arrays(process, task.spec, task.inputs)
        texts: list[str] = []

        def keep(_context: object, text: bytes) -> None:
            texts.append(text.decode(errors="replace"))

        function: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)(keep)

        def profiled() -> Profile | Failure:
            compiled = compile_task(process, task, arrays, self.options)
            use_handlers({"print": function})
            if (failure := compiled.run_and_verify(process, self.options)) is not None:
                return failure
            taken = count_heap(process, compiled, self.options)
            process.enter("profiling", timeout_s=self.seconds + _LEAST_RUNS * self.options.run_timeout_s)
            process.on_main_thread(lambda: settle(taken.largest_mapped_bytes))
            reports = process.on_main_thread(lambda: self._reports(compiled.call, texts))
            return profile_of(reports, compiled.code.funcs)

        return attempted(process, profiled)

    def _reports(self, call: Any, texts: list[str]) -> list[str]:
        reports: list[str] = []
        end = time.monotonic() + self.seconds
        while len(reports) < _LEAST_RUNS or (time.monotonic() < end and len(reports) < _MOST_RUNS):
            texts.clear()
            call()
            reports.append("".join(texts))
        return reports


@dataclass(slots=True)
class _Sum:
    samples: int = 0
    threads: float = 0.0
    peak: int = 0
    allocations: int = 0
    stack: int = 0

    def add(self, match: re.Match[str], samples: int) -> None:
        """One line of a report on so many samples."""
        seen = round(float(match["percent"]) / 100.0 * samples)
        self.samples += seen
        self.threads += seen * float(match["threads"] or 1.0)
        self.peak = max(self.peak, int(match["peak"] or 0))
        self.allocations += int(match["allocations"] or 0)
        self.stack = max(self.stack, int(match["stack"] or 0))


def profile_of(reports: Sequence[str], funcs: Mapping[str, str]) -> Profile | Failure:
    """The profile that reports on single runs add up to; a Failure if they are none.

    Args:
        funcs: see `hltune.schedule.apply.Scheduled.called_otherwise`.
    """
    heads = [_HEAD.search(report) for report in reports]
    found = [(head, report) for head, report in zip(heads, reports, strict=True) if head is not None]
    if not found:
        text = reports[0][:200] if reports else ""
        return Failure(stage="profiling", kind="error", message=f"Halide's profiler has not reported: {text!r}")
    sums: dict[str, _Sum] = {}
    for head, report in found:
        for match in _PART.finditer(report):
            sums.setdefault(match["name"], _Sum()).add(match, int(head["samples"]))
    runs = len(found)
    samples = sum(each.samples for each in sums.values())
    return Profile(
        seconds=statistics.median(float(head["total"]) * 1e-3 / int(head["runs"]) for head, _ in found),
        runs=runs,
        parts=tuple(_part(funcs.get(name, plain_name(name)), each, runs) for name, each in sums.items()),
        threads=sum(each.threads for each in sums.values()) / max(1, samples),
        heap_peak_bytes=max(int(head["peak"]) for head, _ in found),
        allocations=sum(int(head["allocations"]) for head, _ in found) / runs,
    )


def _part(name: str, found: _Sum, runs: int) -> Part:
    return Part(
        name=name,
        samples=found.samples,
        threads=found.threads / max(1, found.samples),
        heap_peak_bytes=found.peak,
        allocations=found.allocations / runs,
        stack_bytes=found.stack,
    )
