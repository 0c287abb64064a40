"""Whether a schedule takes too long by itself, and not because the computer is busy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from hltune.machine.options import MeasureOptions
from hltune.machine.stage_times import StageTimesJob
from hltune.machine.task import Task, checked
from hltune.runtime.worker import Worker
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, JobFailed
from hltune.values.limits import LATE, timeout_flag

TRIES = 2
"""What takes too long has to do so each time."""
RATIO = 2.0
"""It also has to take so many times as long as the control beside it: what keeps all schedules waiting is no reason."""

Clock = Callable[[Schedule, float], float | Failure]
"""Seconds that a stage of a schedule takes, or why there are none; the number limits the stage, in seconds."""

_DONE: Mapping[str, str] = {"compile": "compiled", "run": "ran"}
"""What people read of a stage that has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A schedule that does not take too long, or not so much longer than the control: seconds of both."""

    stage: str
    limit_s: float
    taken_s: float
    control_s: float

    @property
    def slow(self) -> bool:
        """It takes so much longer than the control that it is slow by itself."""
        return self.taken_s > RATIO * self.control_s

    def __str__(self) -> str:
        text = f"{_DONE[self.stage]} in {self.taken_s:.3g} s, and a simple schedule beside it in {self.control_s:.3g} s"
        late = self.taken_s > self.limit_s
        return f"{text}: less than {RATIO:g} times as long, so the computer may be busy" if late else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowness:
    """Times one stage of schedules, each beside a simple one.

    Attributes:
        stage: ``compile`` or ``run``.
        control: the simple one.
    """

    stage: str
    limit_s: float
    clock: Clock
    control: Schedule

    @classmethod
    def of(cls, stage: str, limit_s: float, clock: Clock, controls: Iterable[Schedule]) -> Slowness:
        """The quickest of these is the control.

        Raises:
            HltuneError: none of them keeps the limit.
        """
        times = {each: clock(each, limit_s) for each in controls}
        quick = {each: taken for each, taken in times.items() if not isinstance(taken, Failure)}
        if not quick:
            raise HltuneError(
                f"even the simplest schedules take longer than {limit_s:g} s to {stage}, so this one is not the reason",
                todo=f"try again when nothing else runs on this computer, or with a higher {timeout_flag(stage)}",
            )
        return cls(stage=stage, limit_s=limit_s, clock=clock, control=min(quick, key=quick.__getitem__))

    def measure(self, schedule: Schedule) -> Failure | Timed:
        """Why it fails; it takes too long only if it does so in all tries."""
        outcome: Failure | None = None
        for _ in range(TRIES):
            control_s = self.clock(self.control, self.limit_s)
            control_s = self.limit_s if isinstance(control_s, Failure) else control_s
            taken_s = self.clock(schedule, max(self.limit_s, RATIO * control_s))
            if not isinstance(taken_s, Failure):
                return Timed(stage=self.stage, limit_s=self.limit_s, taken_s=taken_s, control_s=control_s)
            outcome = taken_s
            if outcome.kind != "timeout" or outcome.stage != self.stage:
                return outcome
        assert outcome is not None
        return replace(outcome, message=f"{LATE} of {self.limit_s:g} s")


def stage_clock(worker: Worker, task: Task, options: MeasureOptions, stage: str) -> Clock:
    """Times schedules of a task on this computer, in a worker."""

    def clock(schedule: Schedule, limit_s: float) -> float | Failure:
        compiles = stage == "compile"
        limited = replace(options, compile_timeout_s=limit_s) if compiles else replace(options, run_timeout_s=limit_s)
        scheduled = replace(task, schedule=schedule, target=checked(task.target))
        try:
            times = worker.run(StageTimesJob(task=scheduled, options=limited, runs=not compiles))
        except JobFailed as failed:
            return failed.failure
        if isinstance(times, Failure):
            return times
        return times.compile_s if times.run_s is None else times.run_s

    return clock
