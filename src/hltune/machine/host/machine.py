"""This computer: candidates are compiled in memory and timed alone, in a worker."""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from hltune.machine.bandwidth import CopyJob
from hltune.machine.heap import CONDITIONS, FORMER_CONDITIONS
from hltune.machine.host.caches import caches
from hltune.machine.host.cpu import cpu_model
from hltune.machine.host.jobs import Prepared
from hltune.machine.host.lane import Lane, Trial, measuring_worker
from hltune.machine.host.profile import ProfileJob
from hltune.machine.host.target import claim
from hltune.machine.host.waiting import Waiting
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import MachineKind
from hltune.machine.reference import ANY_TWO, References, ReferenceSession
from hltune.machine.sensitivity import STRICT
from hltune.machine.task import COMPILE, RUN, RUN_SMOOTH, Task
from hltune.pipeline.target import HOST, TargetInfo
from hltune.runtime.halide_wheel import halide_version
from hltune.runtime.worker import AnyWorker, Running, paused, usable_cores, wait_any
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, JobFailed
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.profile import Profile

_COPY = "hltune's copy"
"""Key of the copy, which no schedule's name gets in the way of."""
_LEAST_SEEN = 4
"""Schedules that tell how long compiling usually takes."""
_FAR = 2.0
"""What takes so many times as long as the best is not the best in a calmer moment either."""
_NEAR = 1.1
"""What takes at most so many times as long may be chosen, and is verified to the end."""


def identify(target: TargetInfo, options: MeasureOptions) -> MachineId:
    """The identity of this computer, or of those that measure in its place, as far as they are used."""
    if (elsewhere := options.elsewhere) is not None:
        return replace(elsewhere, target=target.name, threads=options.threads)
    return MachineId(
        cpu=cpu_model(),
        target=target.name,
        threads=options.threads,
        halide=halide_version(),
        conditions=CONDITIONS,
        former_conditions=FORMER_CONDITIONS,
    )


class HostMachine(AbstractContextManager["HostMachine"]):
    """A `Machine`: this computer. All its workers compile, and one of them times at a time."""

    def __init__(self, target: TargetInfo, options: MeasureOptions, workers: int) -> None:
        self.identity = identify(target, options)
        self.target = target
        self.options = options
        self.waiting = Waiting(threads=options.threads)
        self.lane = Lane(options, self.waiting)
        self._lanes = [self.lane]
        self._most_lanes = workers

    def __exit__(self, *_: object) -> None:
        for lane in self._lanes:
            lane.worker.close()

    def session(self, spec: PipelineSpec, inputs: Inputs, references: References = ANY_TWO) -> HostSession:
        """See `Machine.session`."""
        task = Task(spec=spec, schedule=Schedule(), target=self.target.name, inputs=inputs)
        return HostSession(self, task, references)

    def lanes(self) -> tuple[Lane, ...]:
        """All of them; those after the first are started when they are first asked for."""
        self._lanes += [Lane(self.options, self.waiting) for _ in range(self._most_lanes - len(self._lanes))]
        return tuple(self._lanes)


class HostSession(ReferenceSession):
    """A `Session`; `measure` uses the first lane only, so that schedules differ in nothing but themselves."""

    side_by_side = False

    def __init__(self, machine: HostMachine, task: Task, references: References) -> None:
        super().__init__(
            task,
            machine.options,
            machine.lane.worker,
            references,
            strict=STRICT in task.target.split("-"),
            own=True,
            twice=not task.inputs.portable,
        )
        self._machine = machine
        self._options = machine.options
        self._lane = machine.lane
        self._others: tuple[AnyWorker, ...] = ()
        self._prepared_s: list[float] = []

    @contextlib.contextmanager
    def beside(self, workers: Sequence[AnyWorker]) -> Generator[None]:
        """See `Session.beside`."""
        self._others = tuple(workers)
        try:
            yield
        finally:
            self._others = ()

    def waited(self) -> float | None:
        """See `Session.waited`; more threads than cores wait for one another."""
        return None if self._options.threads > usable_cores() else self._machine.waiting.take()

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """See `Session.measure`."""
        self.ready()
        return self._take_turns([self._trial(*named) for named in schedules.items()])

    def measure_with_bound(self, schedules: Mapping[str, Schedule]) -> tuple[dict[str, Measurement], Measurement]:
        """See `Session.measure_with_bound`."""
        self.ready()
        target = self._machine.target
        spec, schedule = self._lane.worker.run(CopyJob(self._task.spec, target.vector_bytes))
        copy = Trial(_COPY, Task(spec=spec, schedule=schedule, target=target.name, inputs=Inputs()))
        measured = self._take_turns([copy, *(self._trial(*named) for named in schedules.items())])
        bound = measured.pop(_COPY)
        return measured, bound

    def measure_each(
        self, schedules: Iterable[tuple[str, Schedule]], *, best: float | None
    ) -> Generator[tuple[str, Measurement]]:
        """See `Session.measure_each`; what failed by chance is measured once more in the end, with one lane at work."""
        self.ready()
        unlucky: list[Trial] = []
        trials = self._measure_each((self._trial(*named) for named in schedules), best)
        with contextlib.closing(trials):
            for trial in trials:
                if trial.unlucky:
                    unlucky.append(trial)
                else:
                    yield trial.key, trial.measurement()
        for trial in unlucky:
            trial.begin_again()
            with contextlib.closing(self._measure_each(iter([trial]), best)) as again:
                yield from ((each.key, each.measurement()) for each in again)

    def _measure_each(self, waiting: Iterator[Trial], best: float | None) -> Generator[Trial]:
        """Compiled on all lanes, timed alone, whenever its lane has compiled another."""
        busy: dict[Running[Prepared | Failure], tuple[Lane, Trial, float, MeasureOptions]] = {}
        timed: dict[Lane, list[Trial]] = {}
        fastest = math.inf if best is None else best

        def start(lane: Lane, trial: Trial | None) -> None:
            if trial is not None:
                limited = self._limited(fastest)
                if best is not None:
                    limited = replace(limited, compile_timeout_s=self._compile_limit_s())
                if best is not None and trial.task.schedule == Schedule():  # slow without end, and hardly ever fast
                    limited = self.verification.limited(limited)
                busy[lane.start(trial, limited)] = (lane, trial, time.monotonic(), limited)

        try:
            for lane in self._machine.lanes():
                start(lane, next(waiting, None))
            while busy:
                running = wait_any(list(busy))
                lane, trial, began_s, limited = busy.pop(running)
                lane.finish(trial, running)
                self._explain(trial, limited)
                if trial.live:
                    self._prepared_s.append(time.monotonic() - began_s)
                under_way = [*timed.get(lane, ()), trial]
                following = next(waiting, None)
                with paused([*(other.worker for other in busy), *self._others]):
                    timed[lane] = self._short_turns(
                        lane, under_way, fastest, all_of_them=following is None or fastest == math.inf
                    )
                ended = [each for each in under_way if each not in timed[lane]]
                fastest = min([fastest, *(each.fastest for each in under_way if each.failure is None)])
                start(lane, following)
                yield from ended
        finally:
            for running in busy:
                running.cancel()
            for lane, trials in timed.items():
                lane.forget(trials)

    def profile(self, schedule: Schedule, *, seconds: float) -> Profile | Failure | None:
        """See `Session.profile`; in a process of its own, for the profiler's reports go to a handler."""
        self.ready()
        job = ProfileJob(task=self.task_of(schedule), options=self._options, seconds=seconds)
        with measuring_worker(self._options) as worker:
            try:
                return worker.run(job)
            except JobFailed as failed:
                return failed.failure

    def _short_turns(self, lane: Lane, trials: Sequence[Trial], fastest: float, *, all_of_them: bool) -> list[Trial]:
        """Times each once more, or until all have had their turns; returns those that have not.

        While others are compiled, time passes from one turn to the next: what disturbs the machine in one of them is
        often over by then.
        """
        limited = self._limited(fastest)
        left = [each for each in trials if each.live]
        while left:
            left = [each for each in left if not self._short_turn(lane, each, limited, fastest)]
            if not all_of_them:
                break
        return left

    def _short_turn(self, lane: Lane, trial: Trial, limited: MeasureOptions, fastest: float) -> bool:
        prune_s = fastest * self._options.prune_ratio
        if trial.turns and not lane.holds(trial) and trial.fastest > _NEAR * fastest:
            trial.pruned = trial.fastest > prune_s
            return True  # another one took the process down; all lanes would wait for what nobody will choose
        last = len(trial.turns) + 1 >= self._options.short_turns
        long_s = max(limited.turn_s, min(limited.single_turn_s, _FAR * fastest))
        if trial.turns and trial.fastest > prune_s:  # what is slow in two turns is: a disturbance may last for one
            long_s = min(prune_s, long_s)
        ended = lane.take_turn(trial, limited, last=last, prune_s=prune_s, long_s=long_s)
        self._explain(trial, limited)
        return ended

    def _explain(self, trial: Trial, limited: MeasureOptions) -> None:
        """Says where a limit comes from that is tighter than the user's, for a flag would not raise it."""
        options, failure = self._options, trial.failure
        if failure is None or failure.kind != "timeout":
            return
        compiling = f"{options.compile_ratio:g} times as long as others"
        running = f"{options.abort_ratio:g} times as long as the best"
        if trial.task.schedule == Schedule():  # see `Verification.limited`
            compiling = running = "many times as long as others"
        compile_limits = limited.compile_timeout_s, options.compile_timeout_s, compiling
        run_limits = limited.run_timeout_s, options.run_timeout_s, running
        limits = {COMPILE: compile_limits, RUN: run_limits, RUN_SMOOTH: run_limits, "timing": run_limits}
        limit_s, own_s, usual = limits.get(failure.stage, (math.inf, math.inf, ""))
        if limit_s < own_s:
            trial.failure = replace(failure, message=f"took longer than {limit_s:.3g} s, {usual}")

    def _limited(self, fastest: float) -> MeasureOptions:
        """The options for a schedule that has short turns, when the best one takes so many seconds."""
        options = self._options
        limit_s = max(options.least_run_timeout_s, fastest * options.abort_ratio)
        return replace(options, turn_s=options.short_turn_s, run_timeout_s=min(options.run_timeout_s, limit_s))

    def _compile_limit_s(self) -> float:
        """What compiles many times as long as others do is hardly ever fast, and many could be measured meanwhile."""
        options = self._options
        if len(self._prepared_s) < _LEAST_SEEN:
            return options.compile_timeout_s
        usual_s = statistics.median(self._prepared_s)
        limit_s = max(options.least_compile_timeout_s, usual_s * options.compile_ratio)
        return min(options.compile_timeout_s, limit_s)

    def _take_turns(self, trials: Sequence[Trial]) -> dict[str, Measurement]:
        self._measure_all(trials)
        if any(trial.unlucky for trial in trials):  # all of them, for turns of different moments do not compare
            again = [trial for trial in trials if trial.unlucky or trial.failure is None]
            for trial in again:
                trial.begin_again()
            self._measure_all(again)
        return {trial.key: trial.measurement() for trial in trials}

    def _measure_all(self, trials: Sequence[Trial]) -> None:
        hopeless = self.verification.limited(self._options)
        # First, for if it is given up, what else was compiled in this process is lost.
        for trial in sorted(trials, key=lambda trial: trial.task.schedule != Schedule()):
            limited = hopeless if trial.task.schedule == Schedule() else self._options
            self._lane.prepare(trial, limited)
            self._explain(trial, limited)
        for number in range(self._options.turns):
            # Back and forth, so that no schedule always follows the same neighbour.
            for trial in reversed(trials) if number % 2 else trials:
                turns = self._options.turns_of(min(trial.turns[0]) if trial.turns else 0.0)
                if trial.live and number < turns:
                    last = number == turns - 1
                    with paused(self._others):
                        self._lane.take_turn(trial, self._options, last=last)
            self._prune(trials)
        self._lane.forget(trials)

    def _prune(self, trials: Sequence[Trial]) -> None:
        live = [trial for trial in trials if trial.live and trial.turns and trial.key != _COPY]
        best = min((trial.fastest for trial in live), default=0.0)
        for trial in live:
            # Where a turn holds many runs, further turns cost no more than the others' and keep the comparison fair.
            slow = trial.fastest > self._options.turn_s
            trial.pruned = slow and trial.fastest > best * self._options.prune_ratio

    def _trial(self, key: str, schedule: Schedule) -> Trial:
        return Trial(key, self.task_of(schedule))


KIND = MachineKind(
    name=HOST,
    targets={HOST: HOST},
    claim=claim,
    identify=identify,
    open=HostMachine,
    weights=Path(__file__).with_name("weights"),
    caches=caches,
)
