"""While expected outputs are computed, `tune` searches, and no longer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from hltune.commands import tune_one
from hltune.search.autoschedulers import Adams2019Options
from hltune.search.climb import climb
from hltune.search.ladder import single
from hltune.search.pool import SearchPool
from hltune.tuning.options import Budget, TuneOptions
from hltune.workspace.records import Workspace
from hltune.workspace.searches import Searches
from hltune.workspace.subject import Subject
from tests.tuning.conftest import load
from tests.tuning.recorded import RecordedSession


class Busy(RecordedSession):
    """Is busy with expected outputs until it was asked so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def settled(self) -> bool:
        self.times -= 1
        return self.times < 0


@pytest.fixture
def blur() -> Subject:
    return load("blur")


@pytest.fixture
def pool() -> Iterator[SearchPool]:
    with SearchPool(1, timeout_s=60) as pool:
        yield pool


@pytest.mark.parametrize(("busy", "found"), [(0, 0), (3, 3), (9, 5)])
def test_searches_end_with_what_they_wait_for(
    busy: int, found: int, blur: Subject, pool: SearchPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def climb(*_: object, until: Callable[[], bool], **limits: float) -> Generator[int]:
        assert limits["end_s"] == math.inf
        for number in range(5):
            if until():
                return
            steps.append(number)
            yield number

    monkeypatch.setattr(tune_one, "climb_baselines", climb)
    search = Adams2019Options(parallelism=1)
    options = TuneOptions(search=search, search_timeout_s=60, budget=Budget(rounds=1))
    tune_one._search_meanwhile(Busy(busy), blur, options, pool, Workspace(tmp_path), end_s=math.inf)
    assert len(steps) == found


def test_a_search_that_takes_long_ends_with_it_as_well(blur: Subject, pool: SearchPool, tmp_path: Path) -> None:
    """Although nothing that it finds comes before."""
    asked: list[float] = []

    def until() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 3

    endless = Adams2019Options(parallelism=2, beam_size=100_000, num_passes=50)
    memory = Searches(tmp_path)
    rungs = (single(endless),)
    found = climb(pool, blur.spec, blur.target.name, rungs, budget_s=600.0, memory=memory, until=until)
    assert [*found] == [] and len(asked) == 4 and asked[-1] - asked[0] < 60.0
