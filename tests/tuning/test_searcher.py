"""Searches that take a minute and a half: no run repeats them, and no run waits for them beyond its end."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from hltune.cost_model.adams2019.weights import Weights, builtin_weights, vary, write_weights
from hltune.runtime.worker import Running, Worker
from hltune.search.autoschedulers import SearchOptions
from hltune.search.ladder import effort
from hltune.search.pool import Outcome, SearchPool
from hltune.tuning.searcher import Searcher
from hltune.values.candidate import Candidate
from hltune.values.errors import Failure
from hltune.workspace.searches import Searches
from tests.report.values import SUBJECT
from tests.search.test_ladder import FakePool, found
from tests.tuning.conftest import make_options

BEAM_S = 90.0
OPTIONS = replace(make_options(), search_timeout_s=300.0)
GREEDY_S = BEAM_S / effort(OPTIONS.search)


@dataclass
class LimitedPool(FakePool):
    """Notes how long each job may take; by itself, it takes as long as the options say."""

    limits_s: list[float] = field(default_factory=list[float])
    timeout_s: float = OPTIONS.search_timeout_s

    def begin(self, worker: Worker, *_: Any, timeout_s: float) -> Running[tuple[Outcome, ...]]:
        self.limits_s.append(timeout_s)
        return super().begin(worker, *_, timeout_s=timeout_s)


@dataclass
class SearchingPool(LimitedPool):
    """Finds something at once, with whatever weights."""

    folder: Path = field(kw_only=True)

    def __len__(self) -> int:
        return len(self.workers)

    def weights_file(self, weights: Weights) -> Path:
        path = self.folder / "some.weights"
        write_weights(path, weights)
        return path

    def run(self, _spec: Any, _target: str, searches: list[SearchOptions], *, timeout_s: float) -> list[Outcome]:
        self.limits_s.append(timeout_s)
        return [found(each, self.greedy_s) for each in searches]


def searcher(pool: LimitedPool, folder: Path) -> Searcher:
    memory = Searches(folder)
    return Searcher(SUBJECT, OPTIONS, cast("SearchPool", pool), np.random.default_rng(0), memory)


def test_no_run_repeats_what_an_earlier_one_has_searched(tmp_path: Path) -> None:
    pool = LimitedPool(GREEDY_S)
    first = {step.rung.label: step for step in searcher(pool, tmp_path).baselines(math.inf)}
    assert max(step.outcome.search_s or 0.0 for step in first.values() if isinstance(step.outcome, Candidate)) == BEAM_S
    again = LimitedPool(GREEDY_S)
    second = {step.rung.label: step for step in searcher(again, tmp_path).baselines(math.inf)}
    assert not any(effort(search) for searches in again.begun for search in searches)
    assert {label for label, step in second.items() if step.remembered} == {"greedy", "beam 4, 1 pass"}
    assert {label: step.outcome for label, step in second.items()} == {
        label: step.outcome for label, step in first.items()
    }


def test_no_search_outlasts_the_time_for_known_schedules(tmp_path: Path) -> None:
    pool, left_s = LimitedPool(GREEDY_S), 10.0
    searching = searcher(pool, tmp_path)
    steps = {step.rung.label: step for step in searching.baselines(time.monotonic() + left_s)}
    assert pool.limits_s and max(pool.limits_s) <= left_s
    assert isinstance(steps["mullapudi2016"].outcome, Candidate)
    assert not isinstance(steps["greedy"].outcome, Candidate) and steps["beam 4, 1 pass"].skipped
    # Neither do the rounds begin with what takes longer than they may.
    builtin = builtin_weights()
    assert searching.beams(builtin, builtin, initial=builtin, limit_s=left_s / 2, most=4) == []


def test_only_searches_that_come_again_are_remembered(tmp_path: Path) -> None:
    """A round's weights never come again: a file for each would be left."""
    builtin = builtin_weights()
    initial, trained = (vary(builtin, np.random.default_rng(seed), 0.3) for seed in (0, 1))
    for centre, files in ((trained, 0), (initial, 1), (trained, 1), (builtin, 2)):
        searching = searcher(SearchingPool(GREEDY_S, folder=tmp_path), tmp_path / "kept")
        ((_, outcome),) = searching.beams(centre, centre, initial=initial, limit_s=2 * BEAM_S, most=1)
        assert isinstance(outcome, Candidate) and len([*(tmp_path / "kept").glob("*")]) == files


@dataclass
class LatePool(SearchingPool):
    """Whatever is searched takes too long."""

    def run(self, _spec: Any, _target: str, searches: list[SearchOptions], *, timeout_s: float) -> list[Outcome]:
        self.limits_s += [timeout_s for _ in searches]
        late = Failure(
            stage="Adams2019 search", kind="timeout", message=f"took longer than its limit of {timeout_s:g} s"
        )
        return [late for _ in searches]


def test_a_search_is_remembered_with_the_limit_that_it_had(tmp_path: Path) -> None:
    """That of `--search-timeout`, where it is lower than what a round would have."""
    builtin, pool = builtin_weights(), LatePool(GREEDY_S, folder=tmp_path)
    pool.timeout_s = 15.0
    for _ in range(2):
        searching = searcher(pool, tmp_path / "kept")
        searching.beams(builtin, builtin, initial=builtin, limit_s=20.0, most=1)
    assert pool.limits_s == [15.0]  # the second one knows
    pool.timeout_s = 60.0
    searcher(pool, tmp_path / "kept").beams(builtin, builtin, initial=builtin, limit_s=20.0, most=1)
    assert len(pool.limits_s) == 2  # it may take longer now
