"""The ladder on processes that are not there: searches take as long as they say, and no time at all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from hltune.runtime.worker import Running, Worker
from hltune.search import climb as climb_module
from hltune.search.autoschedulers import Adams2019Options, Li2018Options, Mullapudi2016Options, SearchOptions
from hltune.search.climb import Forecast, Step, by_finder, climb
from hltune.search.ladder import Rung, baselines, beams, effort, ladder, robust
from hltune.search.pool import Outcome, SearchPool
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from tests.samples.values import SPEC

LAST = Adams2019Options(parallelism=2, beam_size=32, num_passes=5)
QUICK = Mullapudi2016Options(parallelism=2)
TIMEOUT = Failure(stage="Adams2019 search", kind="timeout", message="took longer than its limit of 9 s")


@dataclass(eq=False)
class FakeRunning:
    worker: Worker
    outcomes: tuple[Outcome, ...]
    taken_s: float
    cancelled: bool = False

    def done(self) -> bool:
        return True

    def result(self) -> tuple[Outcome, ...]:
        return self.outcomes

    def spent_s(self) -> float:
        return self.taken_s

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class FakePool:
    """Greedy search takes `greedy_s`, others their effort times that; what takes longer than allowed fails."""

    greedy_s: float
    workers: tuple[Worker, ...] = field(default_factory=lambda: tuple(cast("Worker", object()) for _ in range(2)))
    begun: list[tuple[SearchOptions, ...]] = field(default_factory=list[tuple[SearchOptions, ...]])
    running: list[FakeRunning] = field(default_factory=list[FakeRunning])

    def begin(self, worker: Worker, *_: Any, timeout_s: float) -> Running[tuple[Outcome, ...]]:
        searches: tuple[SearchOptions, ...] = _[-1]
        self.begun.append(searches)
        needed_s = sum(effort(each) for each in searches) * self.greedy_s
        outcomes = (TIMEOUT,) if needed_s > timeout_s else tuple(found(each, self.greedy_s) for each in searches)
        self.running.append(FakeRunning(worker, outcomes, needed_s))
        return cast("Running[tuple[Outcome, ...]]", self.running[-1])


@dataclass
class Remembered:
    """A `Memory` that forgets nothing."""

    found: dict[tuple[str, SearchOptions], Outcome] = field(default_factory=dict[tuple[str, SearchOptions], Outcome])

    def recall(self, target: str, search: SearchOptions, *, limit_s: float) -> Outcome | None:  # noqa: ARG002
        return self.found.get((target, search))

    def keep(self, target: str, search: SearchOptions, outcome: Outcome, *, limit_s: float) -> None:  # noqa: ARG002
        self.found[target, search] = outcome


def found(search: SearchOptions, greedy_s: float) -> Candidate:
    return Candidate(
        schedule=Schedule(),
        provenance=search.provenance(),
        predicted_ms=100 / (effort(search) or 1) + search.parallelism,
        search_s=effort(search) * greedy_s,
    )


def steps(pool: FakePool, rungs: tuple[Rung, ...], budget_s: float, memory: Remembered | None = None) -> list[Step]:
    memory = memory or Remembered()
    return list(climb(cast("SearchPool", pool), SPEC, "host", rungs, budget_s=budget_s, memory=memory))


def worked(done: list[Step]) -> Mapping[str, bool]:
    return {step.rung.label: isinstance(step.outcome, Candidate) for step in done}


def test_it_ends_with_the_beam_that_was_asked_for() -> None:
    labels = [rung.label for rung in ladder(LAST, QUICK)]
    assert labels == [
        "mullapudi2016", "greedy", "probes", "probes of finer tasks", "beam 4, 1 pass", "beam 8, 2 passes",
        "beam 16, 3 passes", "beam 32, 5 passes",
    ]  # fmt: skip
    weighted = [rung.label for rung in ladder(replace(LAST, weights=Path("mine.weights")), QUICK)]
    added = ["probes", *(label for label in labels if label.startswith("beam"))]
    assert [each for each in weighted if each not in labels] == [f"{label}, Halide's weights" for label in added]
    assert ladder(LAST, QUICK)[-1].searches == (LAST,)
    small = Adams2019Options(parallelism=2, beam_size=5, num_passes=1)
    assert [rung.label for rung in ladder(small, QUICK)] == ["mullapudi2016", "greedy", "beam 5, 1 pass"]
    greedy = Adams2019Options(parallelism=2, beam_size=1)
    assert [rung.label for rung in ladder(greedy, QUICK)] == ["mullapudi2016", "greedy"]


def test_the_quick_search_is_the_one_that_was_asked_for() -> None:
    quick = replace(QUICK, balance=0.5, last_level_cache_bytes=2**10)
    assert ladder(LAST, quick)[0].searches == (quick,)
    assert [rung.searches for rung in robust(quick)] == [(quick,), (Li2018Options(parallelism=2),)]


def test_what_is_asked_for_by_name_stands_alone() -> None:
    probe = Adams2019Options(parallelism=2, beam_size=1, random_dropout=1, seed=3)
    for search in (probe, Mullapudi2016Options(parallelism=2), Li2018Options(parallelism=2)):
        assert [rung.searches for rung in ladder(search, QUICK)] == [(search,)]


def test_only_searches_that_know_it_run_under_a_memory_limit() -> None:
    limited = Adams2019Options(parallelism=2, memory_limit_bytes=2**20)
    searches = [search for rung in ladder(limited, QUICK) for search in rung.searches]
    assert all(isinstance(each, Adams2019Options) and each.memory_limit_bytes == 2**20 for each in searches)


def test_everything_runs_where_there_is_time() -> None:
    pool = FakePool(greedy_s=0.01)
    done = steps(pool, ladder(LAST, QUICK), 100.0)
    assert len(done) == len(pool.begun) == 8 and all(worked(done).values())


@pytest.mark.parametrize(
    ("budget_s", "largest"), [(3.0, "greedy"), (5.0, "beam 4, 1 pass"), (30.0, "beam 8, 2 passes"), (161.0, LAST)]
)
def test_what_cannot_end_in_time_is_not_begun(budget_s: float, largest: str | Adams2019Options) -> None:
    pool = FakePool(greedy_s=0.99)
    done = steps(pool, ladder(LAST, QUICK), budget_s)
    assert [step.rung for step in sorted(done, key=lambda step: ladder(LAST, QUICK).index(step.rung))] == [
        *ladder(LAST, QUICK)
    ]
    skipped = [step for step in done if step.skipped]
    assert all(isinstance(step.outcome, Failure) and step.outcome.kind == "timeout" for step in skipped)
    assert all("--search-timeout" in str(step.outcome) for step in skipped)
    assert len(pool.begun) == len(done) - len(skipped)
    assert TIMEOUT not in [step.outcome for step in done]  # nothing is begun in vain
    best = by_finder(done)["adams2019"][0].rung
    assert best.label == largest or best.searches == (largest,)


def test_a_greedy_search_without_end_leaves_the_others() -> None:
    done = worked(steps(FakePool(greedy_s=1000.0), ladder(LAST, QUICK), 5.0))
    assert done == {label: label == "mullapudi2016" for label in done}


def test_nothing_that_is_remembered_is_searched_again() -> None:
    memory = Remembered()
    first = steps(FakePool(greedy_s=0.99), ladder(LAST, QUICK), 161.0, memory)
    pool = FakePool(greedy_s=0.99)
    second = steps(pool, ladder(LAST, QUICK), 161.0, memory)
    assert not pool.begun and all(step.remembered for step in second)
    assert [step.outcome for step in second] == [
        next(each.outcome for each in first if each.rung == step.rung) for step in second
    ]


def test_what_is_remembered_tells_how_long_others_take() -> None:
    greedy = ladder(LAST, QUICK)[1]
    memory = Remembered({("host", greedy.searches[0]): found(greedy.searches[0], 50.0)})
    pool = FakePool(greedy_s=50.0)
    assert worked(steps(pool, ladder(LAST, QUICK), 5.0, memory))["greedy"]
    assert pool.begun == [ladder(LAST, QUICK)[0].searches]


def test_whoever_leaves_early_leaves_nobody_busy() -> None:
    pool = FakePool(greedy_s=0.01)
    climbing = climb(cast("SearchPool", pool), SPEC, "host", ladder(LAST, QUICK), budget_s=100, memory=Remembered())
    first = next(climbing)
    climbing.close()
    ended = [each for each in pool.running if each.outcomes[0] is first.outcome]
    assert ended and all(each.cancelled for each in pool.running if each not in ended)


def test_what_the_caller_does_meanwhile_takes_nothing_from_the_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pool = FakePool(greedy_s=0.001)
    done: list[Step] = []
    for step in climb(cast("SearchPool", pool), SPEC, "host", ladder(LAST, QUICK), budget_s=0.3, memory=Remembered()):
        done.append(step)
        now += 0.1
    assert all(worked(done).values())
    climbing = climb(
        cast("SearchPool", pool), SPEC, "host", ladder(LAST, QUICK), budget_s=9.0, memory=Remembered(), end_s=now
    )
    assert all(step.skipped for step in climbing)


class Clock:
    """Searches begin when a second has passed, and end when they have taken as long as they said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(climb_module, "first_ended", self.first_ended)
        began: dict[FakeRunning, float] = {}

        def spent_s(running: FakeRunning) -> float:
            return min(running.taken_s, max(0.0, self.now - began.setdefault(running, self.now) - 1.0))

        monkeypatch.setattr(FakeRunning, "spent_s", spent_s)

    def first_ended(self, running: list[FakeRunning], *, timeout_s: float) -> FakeRunning:
        assert timeout_s
        while not (ended := [each for each in running if each.spent_s() >= each.taken_s]):
            self.now += 0.01
        return ended[0]


def test_neither_starting_nor_measuring_takes_from_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second for each process, and a minute for each schedule, while a larger search goes on for a moment."""
    pool = FakePool(greedy_s=0.03)
    clock = Clock(monkeypatch)
    done: list[Step] = []
    for step in climb(cast("SearchPool", pool), SPEC, "host", ladder(LAST, QUICK), budget_s=8.0, memory=Remembered()):
        done.append(step)
        clock.now += 60.0
    assert all(worked(done).values())


def test_small_searches_take_what_they_took() -> None:
    forecast = Forecast()
    for beam_size, passes, seconds in ((1, 1, 1.6), (8, 2, 7.4), (4, 1, 3.0)):
        search = Adams2019Options(parallelism=2, beam_size=beam_size, num_passes=passes)
        rung = Rung(finder="adams2019", label="", searches=(search,), effort=effort(search))
        forecast.saw(rung, replace(found(search, 1.0), search_s=seconds), 100.0)
    assert [forecast.seconds(each) for each in (1.0, 2.0, 4.0, 16.0)] == [1.6, 1.6, 3.0, 7.4]
    assert forecast.seconds(160.0) == pytest.approx(74.0)


def test_the_best_of_several_probes_counts() -> None:
    probing, finer = (rung for rung in ladder(LAST, QUICK) if rung.probing)
    assert {each.parallelism for each in finer.searches} == {4 * each.parallelism for each in probing.searches}
    (done,) = steps(FakePool(greedy_s=0.01), (probing,), 10.0)
    predicted = [found(search, 0.01).predicted_ms for search in probing.searches]
    assert isinstance(done.outcome, Candidate) and done.outcome.predicted_ms == min(filter(None, predicted))
    assert len(done.others) == len(predicted) - 1 and done.outcome not in done.others


def test_a_comparison_has_the_others_and_other_weights_as_well() -> None:
    weighted = Adams2019Options(parallelism=2, weights=Path("mine.weights"))
    rungs = baselines(weighted, beams(weighted, "mine"))
    assert {rung.finder for rung in rungs} == {"mullapudi2016", "li2018", "adams2019", "mine"}
    assert [rung.effort for rung in rungs] == sorted(rung.effort for rung in rungs)
    for rung in rungs:
        for search in rung.searches:
            weights = search.weights if isinstance(search, Adams2019Options) else None
            assert (weights is not None) == (rung.finder == "mine")


def test_the_largest_search_that_found_something_comes_first() -> None:
    rungs = beams(LAST)
    done = [Step(rung=rung, outcome=found(rung.searches[0], 1.0)) for rung in rungs[:-1]]
    done.insert(0, Step(rung=rungs[-1], outcome=TIMEOUT, skipped=True))
    assert [step.rung for step in by_finder(done)["adams2019"]] == [*reversed(rungs[:-1]), rungs[-1]]


def test_forecasts_follow_the_largest_search_that_ended() -> None:
    small, large = beams(LAST)[1], beams(LAST)[2]
    forecast = Forecast()
    assert forecast.seconds(10) is None
    forecast.saw(large, replace(found(large.searches[0], 1.0), search_s=8.0), 99)
    forecast.saw(small, replace(found(small.searches[0], 1.0), search_s=8.0), 99)
    assert forecast.seconds(160) == pytest.approx(80.0)
    forecast.saw(beams(LAST)[-1], TIMEOUT, 320.0)
    assert forecast.seconds(160) == pytest.approx(320.0)


def test_what_was_found_has_one_name_everywhere() -> None:
    """The one that it has on record comes first."""
    assert Rung(finder="ranked", label="mutant 1", searches=()).title == "ranked (mutant 1)"
    assert Rung(finder="li2018", label="li2018", searches=()).title == "li2018"
