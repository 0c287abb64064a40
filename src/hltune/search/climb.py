"""A search that always returns: runs the rungs of a ladder, and yields what each of them found.

A beam search takes about its beam size times its passes times what greedy search takes; the larger it is, the less of
each state is new, so the forecast follows the largest one that has ended. What cannot end in time is not begun.
"""

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from hltune.runtime.worker import LOOK_S, AnyRunning, AnyWorker, first_ended
from hltune.search.autoschedulers import SearchOptions
from hltune.search.ladder import Rung
from hltune.search.pool import Outcome, SearchPool
from hltune.values.candidate import Candidate
from hltune.values.errors import Failure, JobFailed
from hltune.values.pipeline import PipelineSpec

_Search = AnyRunning[tuple[Outcome, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What came of a rung.

    Attributes:
        outcome: a failure of the kind ``timeout``, if it was skipped.
        others: what else its searches found.
        skipped: it was not begun, for there was too little time.
        remembered: an earlier run found it.
    """

    rung: Rung
    outcome: Outcome
    others: tuple[Candidate, ...] = ()
    skipped: bool = False
    remembered: bool = False


class Memory(Protocol):
    """What earlier runs found."""

    def recall(self, target: str, search: SearchOptions, *, limit_s: float) -> Outcome | None:
        """What this search found, or that it exceeded a limit like this one; None if nobody knows."""
        ...

    def keep(self, target: str, search: SearchOptions, outcome: Outcome, *, limit_s: float) -> None:
        """Remembers what is worth it."""
        ...


def by_finder(steps: Iterable[Step]) -> dict[str, list[Step]]:
    """What each finder's searches found, the largest search first; those that found nothing come last."""
    found: dict[str, list[Step]] = {}
    for step in sorted(steps, key=lambda step: (isinstance(step.outcome, Failure), -step.rung.effort)):
        found.setdefault(step.rung.finder, []).append(step)
    return found


@dataclass(slots=True)
class Forecast:
    """How long searches take, from what was seen.

    Attributes:
        seen_effort: of the largest tree search that has ended.
        seconds_per_effort: how long that one took; 0 before there is one.
        known_s: seconds of each that has ended, by its effort; small ones take more for their effort.
    """

    seen_effort: float = 0.0
    seconds_per_effort: float = 0.0
    known_s: dict[float, float] = field(default_factory=dict[float, float])

    def saw(self, rung: Rung, outcome: Outcome, limit_s: float) -> None:
        """Learns from a rung that has ended or exceeded its limit."""
        if not rung.effort or rung.probing:
            return
        if isinstance(outcome, Failure):
            if outcome.kind == "timeout":
                self.gave_up(rung, limit_s)
        elif outcome.search_s is not None:
            self.known_s[rung.effort] = outcome.search_s
            if rung.effort >= self.seen_effort:
                self.seen_effort = rung.effort
                self.seconds_per_effort = outcome.search_s / rung.effort

    def gave_up(self, rung: Rung, seconds: float) -> None:
        """Learns from a rung that takes longer than this."""
        if rung.effort and not rung.probing:
            self.seconds_per_effort = max(self.seconds_per_effort, seconds / rung.effort)

    def seconds(self, effort: float) -> float | None:
        """How long a tree search of this effort will take; None if none has ended yet."""
        if not self.seconds_per_effort:
            return None
        smaller = [each for each in self.known_s if each <= effort]
        least_s = self.known_s[max(smaller)] if smaller else 0.0
        return max(least_s, self.seconds_per_effort * effort)


def climb(
    pool: SearchPool,
    spec: PipelineSpec,
    target: str,
    rungs: Sequence[Rung],
    *,
    budget_s: float,
    memory: Memory,
    forecast: Forecast | None = None,
    end_s: float = math.inf,
    until: Callable[[], bool] = lambda: False,
) -> Generator[Step]:
    """Runs rungs on all processes of the pool, in their order, and yields what each found, as they are done.

    While the caller works on one, the next ones are searched. What counts is for how long anything is searched: neither
    the start of a process, nor what the caller does when all have ended. Nothing goes on after `end_s` of the monotonic
    clock, or when `until` says so. Whoever leaves early leaves no process busy.
    """
    return _Climb(pool, spec, target, deque(rungs), budget_s, memory, forecast or Forecast(), end_s, until).steps()


@dataclass(frozen=True, slots=True)
class _Begun:
    """A rung that is under way."""

    rung: Rung
    limit_s: float


@dataclass(slots=True)
class _Climb:
    pool: SearchPool
    spec: PipelineSpec
    target: str
    waiting: deque[Rung]
    budget_s: float
    memory: Memory
    forecast: Forecast
    last_s: float
    until: Callable[[], bool]
    spent_s: float = 0.0
    busy: dict[_Search, _Begun] = field(default_factory=dict[_Search, _Begun])

    def steps(self) -> Generator[Step]:
        try:
            while (self.waiting or self.busy) and not self.until():
                for step in self._begin():
                    with self._counting():
                        yield step
                if not self.busy:
                    continue
                with self._counting():
                    ended = first_ended(list(self.busy), timeout_s=LOOK_S)
                if ended is not None:
                    step = self._end(ended)
                    with self._counting():
                        yield step
        finally:
            for running, begun in self.busy.items():
                self.forecast.gave_up(begun.rung, running.spent_s())
                running.cancel()

    @contextlib.contextmanager
    def _counting(self) -> Generator[None]:
        """Meanwhile nothing is begun: what counts is how long the search has run that has run for longest."""
        before = {running: self._taken_s(running) for running in self.busy}
        yield
        self.spent_s += max((self._taken_s(running) - taken_s for running, taken_s in before.items()), default=0.0)

    def _taken_s(self, running: _Search) -> float:
        """What a search has taken so far; whoever exceeds a limit may be asked long after that."""
        return min(running.spent_s(), self.busy[running].limit_s)

    def _begin(self) -> Generator[Step]:
        """Gives work to all who are free; yields what needs no work."""
        while self.waiting and (idle := self._idle()):
            rung, left_s = self.waiting[0], min(self.budget_s - self.spent_s, self.last_s - time.monotonic())
            if (known := self._known(rung, max(0.0, left_s))) is not None:
                self.waiting.popleft()
                self.forecast.saw(rung, known.outcome, left_s)
                yield known
                continue
            needed_s = self.forecast.seconds(rung.effort)
            if rung.effort > 1 and (needed_s is None or needed_s > left_s) and self._climbing():
                return  # whoever ends next tells how long this one takes
            self.waiting.popleft()
            if left_s <= 0 or (rung.effort > 1 and needed_s is not None and needed_s > left_s):
                yield Step(rung=rung, outcome=_skipped(rung, needed_s, left_s, self.budget_s), skipped=True)
                continue
            running = self.pool.begin(idle, self.spec, self.target, rung.searches, timeout_s=left_s)
            self.busy[running] = _Begun(rung, left_s)

    def _end(self, running: _Search) -> Step:
        begun = self.busy.pop(running)
        rung, limit_s = begun.rung, begun.limit_s
        try:
            outcomes = running.result()
        except JobFailed as failed:  # of several searches, nobody knows which one
            outcomes = (failed.failure,)
        outcomes = tuple(_without_pauses(each, running.spent_s()) for each in outcomes)
        step = _step(rung, outcomes)
        self.forecast.saw(rung, step.outcome, limit_s)
        if len(outcomes) == len(rung.searches):
            for search, outcome in zip(rung.searches, outcomes, strict=True):
                self.memory.keep(self.target, search, outcome, limit_s=limit_s)
        return step

    def _known(self, rung: Rung, limit_s: float) -> Step | None:
        """What is remembered, if it is all that the rung would find."""
        known = [self.memory.recall(self.target, each, limit_s=limit_s) for each in rung.searches]
        outcomes = [each for each in known if each is not None]
        return replace(_step(rung, outcomes), remembered=True) if len(outcomes) == len(known) else None

    def _climbing(self) -> bool:
        """A tree search is under way that tells more about how long others take."""
        return any(begun.rung.effort and not begun.rung.probing for begun in self.busy.values())

    def _idle(self) -> AnyWorker | None:
        busy = [running.worker for running in self.busy]
        return next((worker for worker in self.pool.workers if worker not in busy), None)


def _without_pauses(outcome: Outcome, spent_s: float) -> Outcome:
    """A search does not know that it stood still, for somebody was timing; whoever waits for it may."""
    if isinstance(outcome, Failure) or outcome.search_s is None or outcome.search_s <= spent_s:
        return outcome
    return replace(outcome, search_s=spent_s)


def _step(rung: Rung, outcomes: Sequence[Outcome]) -> Step:
    """With the candidate of least predicted cost, or else the first failure."""
    found = [each for each in outcomes if isinstance(each, Candidate)]
    if not found:
        return Step(rung=rung, outcome=outcomes[0])
    best = min(found, key=lambda each: each.predicted_ms or float("inf"))
    return Step(rung=rung, outcome=best, others=tuple(each for each in found if each is not best))


def _skipped(rung: Rung, needed_s: float | None, left_s: float, budget_s: float) -> Failure:
    need = "" if needed_s is None else f"would take about {_text(needed_s)} s, and "
    left = f"{_text(max(0.0, left_s))} s are left of {budget_s:g} s"
    message = f"skipped: {need}{left} (--search-timeout)"
    return Failure(stage=f"{rung.searches[0].autoscheduler} search", kind="timeout", message=message)


def _text(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"
