"""How long compiling and running one schedule takes on this computer, without any verification."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

from hltune.machine.inputs import input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Task, compile_code, with_buffers
from hltune.runtime.worker import Process


class StageTimes(NamedTuple):
    """Seconds; None for a run that nobody asked for."""

    compile_s: float
    run_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimesJob:
    """Compiles a task, and runs it once if that is wanted; the options limit both."""

    task: Task
    options: MeasureOptions
    runs: bool

    def run(self, process: Process) -> StageTimes:
        """Runs in a worker."""
        arrays = input_arrays(process, self.task.spec, self.task.inputs)
        began_s = time.perf_counter()
        function = compile_code(process, self.task, self.options)
        compile_s = time.perf_counter() - began_s
        if not self.runs:
            return StageTimes(compile_s, None)
        compiled = with_buffers(process, self.task, function, arrays)
        began_s = time.perf_counter()
        compiled.run(process, self.options)
        return StageTimes(compile_s, time.perf_counter() - began_s)
