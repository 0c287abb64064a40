"""What the host machine has its worker do: compile, run, verify and time one schedule.

Compiled schedules stay in the state of the process under their key until the process ends.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from hltune.machine.inputs import input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Compiled, Task, compile_task
from hltune.runtime.worker import Process
from hltune.values.errors import Failure, InputError

_MAX_REPEATS = 1000


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


def time_calls(
    call: Callable[[], object], *, turn_s: float, sample_s: float, prune_s: float = math.inf
) -> tuple[float, ...]:
    """Calls twice, then repeats a call for about `turn_s`; returns the seconds per call of every repeat, at least one.

    Args:
        call: what to time.
        turn_s: how long to repeat it.
        sample_s: short calls are timed in batches of this length; a repeat is then the mean of its batch.
        prune_s: when both of the first calls take longer, the quicker one is the only repeat.
    """
    first_s, second_s = _seconds(call), _seconds(call)
    if min(first_s, second_s) > prune_s:
        return (min(first_s, second_s),)
    batch = max(1, round(sample_s / max(second_s, 1e-7)))
    end = time.perf_counter() + turn_s
    repeats = [_seconds(call, batch)]
    while len(repeats) < _MAX_REPEATS and time.perf_counter() < end:
        repeats.append(_seconds(call, batch))
    return tuple(repeats)


def _seconds(call: Callable[[], object], count: int = 1) -> float:
    began = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - began) / count
