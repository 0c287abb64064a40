"""How long compiling and running one schedule takes on this computer, without any verification."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import NamedTuple

from hltune.machine.inputs import input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Task, attempted, compile_code, with_buffers
from hltune.pipeline.images import Array
from hltune.runtime.worker import Process
from hltune.schedule.repair import with_repairs
from hltune.values.directives import Schedule
from hltune.values.errors import Failure


class StageTimes(NamedTuple):
    """Seconds, of compiling those that its limit counts; None for a run that nobody asked for."""

    compile_s: float
    run_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimesJob:
    """Compiles a task, and runs it once, repaired if need be, if that is wanted; the options limit both."""

    task: Task
    options: MeasureOptions
    runs: bool

    def run(self, process: Process) -> StageTimes | Failure:
        """Runs in a worker."""
        arrays = input_arrays(process, self.task.spec, self.task.inputs)
        _, times = with_repairs(self.task.schedule, lambda each: self._take(process, each, arrays))
        return times

    def _take(self, process: Process, schedule: Schedule, arrays: tuple[Array | float, ...]) -> StageTimes | Failure:
        task = replace(self.task, schedule=schedule)

        def take() -> StageTimes:
            code = compile_code(process, task, self.options)
            if not self.runs:
                return StageTimes(code.compile_s, None)
            compiled = with_buffers(process, task, code, arrays)
            began_s = time.perf_counter()
            compiled.run(process, self.options)
            return StageTimes(code.compile_s, time.perf_counter() - began_s)

        return attempted(process, take)
