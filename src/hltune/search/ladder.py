"""A search that always returns: rungs from what takes no time to what takes long, and what each of them found.

A ladder begins with the searches that are over at once and ends with the beam search that was asked for::

    mullapudi2016   greedy   random probes of three kinds   beam 4x1   beam 8x2   beam 16x3   beam 32x5

A beam search takes about its beam size times its passes times what greedy search takes; the larger it is, the less of
each state is new, so the forecast follows the largest one that has ended. What cannot end in time is not begun.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from hltune.runtime.worker import LOOK_S, AnyRunning, AnyWorker, first_ended
from hltune.search.autoschedulers import (
    AUTOSCHEDULERS,
    BASELINE,
    Adams2019Options,
    Li2018Options,
    Mullapudi2016Options,
    SearchOptions,
)
from hltune.search.pool import Outcome, SearchPool
from hltune.search.probes import probes
from hltune.values.candidate import Candidate
from hltune.values.errors import Failure, JobFailed
from hltune.values.pipeline import PipelineSpec

_Search = AnyRunning[tuple[Outcome, ...]]
_BEAMS = ((4, 1), (8, 2), (16, 3))
"""Beam sizes and passes between greedy search and the last rung."""
_WORTH_IT = 1.5
"""The next rung asks for at least so many times the effort."""
_PASSES = 5
"""Of a beam search that is not told how many."""
_PROBES = 8
"""Of each kind."""
_FINER = 4
"""Tasks for each core, of probes that ask for more parallelism than there are cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """Searches that one process runs in turn; the one of least predicted cost is what the rung found.

    Attributes:
        finder: whose schedule it is: adams2019, mullapudi2016, ...
        label: what people call it.
        effort: in greedy searches; 0 for what is begun whatever it takes.
    """

    finder: str
    label: str
    searches: tuple[SearchOptions, ...]
    effort: float = 0.0

    @property
    def probing(self) -> bool:
        """It tells little about how long other tree searches take."""
        return len(self.searches) > 1


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


def passes(search: Adams2019Options) -> int:
    """Passes of a tree search."""
    return search.num_passes or (1 if search.beam_size == 1 else _PASSES)


def effort(search: SearchOptions) -> float:
    """How much a search does, in greedy searches; 0 for one without a tree."""
    return float(search.beam_size * passes(search)) if isinstance(search, Adams2019Options) else 0.0


def single(search: SearchOptions, finder: str | None = None) -> Rung:
    """A rung of one search."""
    name = search.autoscheduler.lower()
    return Rung(finder=finder or name, label=_label(search), searches=(search,), effort=effort(search))


def beams(last: Adams2019Options, finder: str = BASELINE) -> tuple[Rung, ...]:
    """Greedy search, and beams that grow up to the last one."""
    sizes = [(1, 1), *_BEAMS]
    smaller = [replace(last, beam_size=size, num_passes=count) for size, count in sizes if size < last.beam_size]
    kept = [each for each in smaller if effort(each) * _WORTH_IT <= effort(last)]
    return tuple(single(each, finder) for each in (*kept, last))


def ladder(last: SearchOptions) -> tuple[Rung, ...]:
    """What is tried for the sake of one schedule.

    A search without a tree, and a random probe that was asked for, stand alone. Only Adams2019 keeps to a limit of
    memory.
    """
    if not isinstance(last, Adams2019Options) or last.random_dropout < 100:
        return (single(last),)
    greedy, *others = beams(last)
    between = tuple(_probing(last)) if others and effort(last) > _PROBES else ()
    quick = () if last.memory_limit_bytes is not None else (single(Mullapudi2016Options(parallelism=last.parallelism)),)
    return (*quick, greedy, *between, *others)


def _probing(last: Adams2019Options) -> Iterator[Rung]:
    """What probes find differs most where the weights do, or the tasks."""
    finer = replace(last, parallelism=_FINER * last.parallelism)
    kinds = {
        "probes": last,
        "probes with Halide's weights": replace(last, weights=None),
        "probes of finer tasks": finer,
    }
    if last.weights is None:
        del kinds["probes with Halide's weights"]
    for number, (label, base) in enumerate(kinds.items()):
        stream = probes(base, (base.weights,), round_number=number, each=_PROBES)
        searches = [each for each in stream if each.random_dropout < 100]  # greedy search finds the same each time
        if base != last:
            searches.insert(0, replace(base, beam_size=1, num_passes=1))
        yield Rung(finder=BASELINE, label=label, searches=tuple(searches), effort=float(len(searches)))


def robust(parallelism: int) -> tuple[Rung, ...]:
    """What is left to try where a ladder found nothing."""
    kinds = (Mullapudi2016Options, Li2018Options)
    return tuple(single(kind(parallelism=parallelism)) for kind in kinds)


def baselines(adams2019: Adams2019Options, others: Sequence[Rung] = ()) -> tuple[Rung, ...]:
    """What Halide brings to a comparison: its other autoschedulers, and beams with the built-in weights.

    More rungs may be given; all come in the order of their effort.
    """
    simple = [
        single(kind(parallelism=adams2019.parallelism))
        for kind in AUTOSCHEDULERS.values()
        if kind is not Adams2019Options
    ]
    climbing = [*beams(replace(adams2019, weights=None)), *others]
    return (*simple, *sorted(climbing, key=lambda rung: rung.effort))


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

    While the caller works on one, the next ones are searched; what the caller does when all have ended takes nothing
    from the budget. Nothing goes on after `end_s` of the monotonic clock, or when `until` says so. Whoever leaves early
    leaves no process busy.
    """
    return _Climb(pool, spec, target, deque(rungs), budget_s, memory, forecast or Forecast(), end_s, until).steps()


@dataclass(frozen=True, slots=True)
class _Begun:
    """A rung that is under way."""

    rung: Rung
    limit_s: float
    began_s: float


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
    end_s: float = 0.0
    busy: dict[_Search, _Begun] = field(default_factory=dict[_Search, _Begun])

    def steps(self) -> Generator[Step]:
        self.end_s = time.monotonic() + self.budget_s
        try:
            while (self.waiting or self.busy) and not self.until():
                for step in self._begin():
                    yield from self._hand_over(step)
                if self.busy and (ended := first_ended(list(self.busy), timeout_s=LOOK_S)) is not None:
                    yield from self._hand_over(self._end(ended))
        finally:
            for running, begun in self.busy.items():
                running.cancel()
                self.forecast.gave_up(begun.rung, time.monotonic() - begun.began_s)

    def _hand_over(self, step: Step) -> Generator[Step]:
        """Yields; if nobody searches any more when the caller returns, the caller's time does not count."""
        handed_s = time.monotonic()
        yield step
        if all(running.done() for running in self.busy):
            self.end_s += time.monotonic() - handed_s

    def _begin(self) -> Generator[Step]:
        """Gives work to all who are free; yields what needs no work."""
        while self.waiting and (idle := self._idle()):
            rung, left_s = self.waiting[0], min(self.end_s, self.last_s) - time.monotonic()
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
            self.busy[running] = _Begun(rung, left_s, time.monotonic())

    def _end(self, running: _Search) -> Step:
        begun = self.busy.pop(running)
        rung, limit_s = begun.rung, begun.limit_s
        try:
            outcomes = running.result()
        except JobFailed as failed:  # of several searches, nobody knows which one
            outcomes = (failed.failure,)
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


def _step(rung: Rung, outcomes: Sequence[Outcome]) -> Step:
    """With the candidate of least predicted cost, or else the first failure."""
    found = [each for each in outcomes if isinstance(each, Candidate)]
    if not found:
        return Step(rung=rung, outcome=outcomes[0])
    best = min(found, key=lambda each: each.predicted_ms or float("inf"))
    return Step(rung=rung, outcome=best, others=tuple(each for each in found if each is not best))


def _skipped(rung: Rung, needed_s: float | None, left_s: float, budget_s: float) -> Failure:
    need = "" if needed_s is None else f"would take about {needed_s:.0f} s, and "
    left = f"{max(0.0, left_s):.0f} s are left of {budget_s:.0f} s"
    message = f"skipped: {need}{left} (--search-timeout)"
    return Failure(stage=f"{rung.searches[0].autoscheduler} search", kind="timeout", message=message)


def _label(search: SearchOptions) -> str:
    if not isinstance(search, Adams2019Options):
        return search.autoscheduler.lower()
    if search.random_dropout < 100:
        return "probe"
    if search.beam_size == 1:
        return "greedy"
    count = passes(search)
    return f"beam {search.beam_size}, {count} {'pass' if count == 1 else 'passes'}"
