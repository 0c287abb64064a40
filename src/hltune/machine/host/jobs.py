"""What the host machine has its worker do: compile, run, verify and time one schedule.

Compiled schedules stay in the state of the process under their key until the process ends.
"""

from dataclasses import dataclass

from hltune.machine.host.timing import time_calls
from hltune.machine.inputs import input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Compiled, Task, compile_task
from hltune.runtime.worker import Process
from hltune.values.errors import Failure, InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareJob:
    """Compiles a task, runs it once and verifies what it wrote."""

    key: str
    task: Task
    options: MeasureOptions

    def run(self, process: Process) -> Failure | None:
        """Runs in the worker; returns None when all went well."""
        arrays = input_arrays(process, self.task.spec, self.task.inputs)
        try:
            compiled = compile_task(process, self.task, arrays, self.options)
        except InputError as error:  # the schedule does not fit the pipeline: its failure, and nobody else's
            return Failure(stage="compile", kind="error", message=str(error))
        failure = compiled.run_and_verify(process, self.options)
        if failure is None:
            process.state[self.key] = compiled
        return failure


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeJob:
    """Takes one turn with a prepared task.

    Attributes:
        last: run and verify once more afterwards, for a race need not show in the first run, and forget the task.
        prune_s: a call that takes longer is not repeated.
    """

    key: str
    options: MeasureOptions
    last: bool
    prune_s: float

    def run(self, process: Process) -> tuple[float, ...] | Failure:
        """Runs in the worker; returns seconds per call."""
        compiled: Compiled = process.state[self.key]
        turn_s, sample_s = self.options.turn_s, self.options.sample_s
        process.enter("timing", timeout_s=turn_s + 2 * self.options.run_timeout_s)
        repeats = time_calls(compiled.call, turn_s=turn_s, sample_s=sample_s, prune_s=self.prune_s)
        if not self.last:
            return repeats
        del process.state[self.key]
        return compiled.run_and_verify(process, self.options) or repeats
