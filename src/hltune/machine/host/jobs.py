"""What the host machine has its worker do: compile, run, verify and time one schedule.

Compiled schedules stay in the state of the process under their key until the process ends.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from hltune.machine.heap import Taken, measure_heap, settle
from hltune.machine.inputs import input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Compiled, Task, attempted, checked, compile_idle, compile_task
from hltune.pipeline.images import Array
from hltune.pipeline.serialized_schedule import ASYNC, funcs_that
from hltune.runtime.worker import Process, waited_s
from hltune.schedule.repair import with_repairs
from hltune.values.cost import Heap, lower_decile
from hltune.values.directives import Atomic, Schedule
from hltune.values.errors import Failure

WARM_S = 0.005
"""After so much calling, threads are awake and caches warm."""
IDLE_S = 0.005
"""How long an empty pipeline is called."""
SHORT_S = 2e-4
"""What takes less is timed without what it costs to call it from here, about a microsecond: of more it is nothing."""
_LITTLE = 0.1
"""Share of a call that an empty one takes at most, where nothing disturbs."""
_ATTEMPTS = 3
_LEAST_S = 1e-8
_MAX_REPEATS = 1000
_FORK_S = 10.0
"""Making a process and ending it takes no longer."""
_ASYNC_S = 1.0
"""How long allocations of a producer that runs beside its consumer are counted: on one thread, they may wait for each
other without end."""


class Turn(NamedTuple):
    """What came of one turn: seconds per call, and how long it took and its threads waited for others, in seconds."""

    repeats: tuple[float, ...]
    timed_s: float
    waited_s: float


class Prepared(NamedTuple):
    """What was compiled: the schedule or a repaired one, and what it takes from the heap, if that is known."""

    schedule: Schedule
    heap: Heap | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareJob:
    """Compiles a task, runs it once and verifies what it wrote; a schedule that leaves its images is repaired.

    Code for a target without Halide's checks would leave them in silence, so it is first compiled and run with them.
    """

    key: str
    task: Task
    options: MeasureOptions

    def run(self, process: Process) -> Prepared | Failure:
        """Runs in the worker; returns what is ready to be timed."""
        arrays = input_arrays(process, self.task.spec, self.task.inputs)
        if self.task.smooth_inputs is not None:  # before anything is the schedule's failure
            input_arrays(process, self.task.spec, self.task.smooth_inputs)
        schedule, outcome = with_repairs(self.task.schedule, lambda each: self._attempt(process, each, arrays))
        if isinstance(outcome, Failure):
            return outcome
        taken = count_heap(process, outcome, self.options)
        process.state[self.key] = outcome, taken.largest_mapped_bytes
        return Prepared(schedule, taken.heap)

    def _attempt(self, process: Process, schedule: Schedule, arrays: tuple[Array | float, ...]) -> Compiled | Failure:
        task = replace(self.task, schedule=schedule)
        with_checks = replace(task, target=checked(task.target))
        outcome = self._try(process, with_checks, arrays)
        if isinstance(outcome, Failure) or with_checks == task:
            return outcome
        return self._try(process, task, arrays)

    def _try(self, process: Process, task: Task, arrays: tuple[Array | float, ...]) -> Compiled | Failure:
        def compile_and_verify() -> Compiled | Failure:
            compiled = compile_task(process, task, arrays, self.options)
            return compiled.run_and_verify(process, self.options) or compiled

        return attempted(process, compile_and_verify)


def count_heap(process: Process, compiled: Compiled, options: MeasureOptions) -> Taken:
    """What a call takes from the heap, as far as one thread comes in time."""
    limit_s = options.threads * options.run_timeout_s
    if _is_async(compiled.task):
        limit_s = min(limit_s, _ASYNC_S)
    process.enter("counting allocations", timeout_s=limit_s + _FORK_S)
    return measure_heap(compiled.call, limit_s=limit_s)


def _is_async(task: Task) -> bool:
    """Whether producers run beside their consumers, which only an author's schedule says, for no directive does."""
    manual = None if task.schedule.base is None else task.spec.manual
    return manual is not None and bool(funcs_that(ASYNC, manual, where=task.spec.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeJob:
    """Takes one turn with a prepared task.

    Attributes:
        last: verify what the calls of this turn wrote over poisoned outputs, for a race need not show in the first
            run, and forget the task. What is more likely to race is verified after every turn.
        prune_s: a call that takes longer is not repeated.
        long_s: a call that takes longer makes this the last turn.
    """

    key: str
    options: MeasureOptions
    last: bool
    prune_s: float
    long_s: float

    def run(self, process: Process) -> Turn | Failure:
        """Runs in the worker."""
        compiled: Compiled
        compiled, largest_mapped_bytes = process.state[self.key]
        turn_s, sample_s = self.options.turn_s, self.options.sample_s
        compiled.poison()
        process.enter("timing", timeout_s=turn_s + 2 * self.options.run_timeout_s)
        process.on_main_thread(lambda: settle(largest_mapped_bytes))
        began_s, waited_before_s = time.monotonic(), waited_s()
        repeats = process.on_main_thread(
            lambda: time_calls(compiled.call, turn_s=turn_s, sample_s=sample_s, prune_s=self.prune_s)
        )
        timed = time.monotonic() - began_s, waited_s() - waited_before_s
        if min(repeats) < SHORT_S:
            process.enter("timing an empty pipeline", timeout_s=self.options.compile_timeout_s)
            idle = compile_idle(process, compiled)
            repeats = process.on_main_thread(lambda: without_idle(repeats, idle.call))
        ends = self.last or min(repeats) > self.long_s
        failure = compiled.verify(process, self.options) if ends or _may_race(compiled.task.schedule) else None
        if ends or failure is not None:
            del process.state[self.key]
        return failure or Turn(repeats, *timed)


def _may_race(schedule: Schedule) -> bool:
    """Whether Halide has perhaps not proved that it does not: of atomic updates, and of what an author vouches for."""
    return schedule.base is not None or any(isinstance(each, Atomic) for each in schedule.directives)


def time_calls(
    call: Callable[[], object], *, turn_s: float, sample_s: float, prune_s: float = math.inf
) -> tuple[float, ...]:
    """Calls twice, then repeats a call for about `turn_s`; returns the seconds per call of every repeat, at least one.

    Where one call takes that long, the second is the only repeat. What seems slow is called for `WARM_S` before
    it is believed to be: the first calls of a turn wait for threads that sleep and for caches that are cold, which can
    take five times as long as a call of 40 microseconds.

    Args:
        call: what to time.
        turn_s: how long to repeat it.
        sample_s: short calls are timed in batches of this length; a repeat is then the mean of its batch.
        prune_s: when all of the first calls take longer, the quickest one is the only repeat.
    """
    first_s, second_s = _seconds(call), _seconds(call)
    quickest_s, spent_s = min(first_s, second_s), first_s + second_s
    while quickest_s > prune_s and spent_s < WARM_S:
        second_s = _seconds(call)
        quickest_s, spent_s = min(quickest_s, second_s), spent_s + second_s
    if quickest_s > prune_s:
        return (quickest_s,)
    if quickest_s > turn_s:
        return (second_s,)
    batch = max(1, round(sample_s / max(quickest_s, 1e-7)))
    end = time.perf_counter() + turn_s
    repeats = [_seconds(call, batch)]
    while len(repeats) < _MAX_REPEATS and time.perf_counter() < end:
        repeats.append(_seconds(call, batch))
    return tuple(repeats)


def without_idle(repeats: Sequence[float], idle: Callable[[], object]) -> tuple[float, ...]:
    """What calls took, without what calls of an empty pipeline take: as they were, if these seem to take no less.

    An empty pipeline never does; something else had the processor then, and may have had it for a part of what seems
    much.
    """
    least = tuple(repeats)
    for _ in range(_ATTEMPTS):
        calls = time_calls(idle, turn_s=IDLE_S, sample_s=IDLE_S / 10)
        least = min(least, calls, key=lower_decile)
        if lower_decile(least) < _LITTLE * min(repeats):
            break
    return without_calls(repeats, least) if lower_decile(least) < min(repeats) else tuple(repeats)


def without_calls(repeats: Sequence[float], idle: Sequence[float]) -> tuple[float, ...]:
    """What calls took, without what calls of an empty pipeline with the same arguments take."""
    idle_s = lower_decile(idle)
    return tuple(max(_LEAST_S, each - idle_s) for each in repeats)


def _seconds(call: Callable[[], object], count: int = 1) -> float:
    began = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - began) / count
