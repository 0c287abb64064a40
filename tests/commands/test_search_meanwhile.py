"""While expected outputs are computed, `tune` searches, and no longer."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from hltune.commands import tune
from hltune.search.autoschedulers import Adams2019Options
from hltune.search.pool import SearchPool
from hltune.tuning.options import Budget, TuneOptions
from hltune.workspace.records import Workspace
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
    closed: list[bool] = []

    def climb(*_: object, **limits: float) -> Generator[int]:
        assert limits["end_s"] == math.inf
        try:
            for number in range(5):
                steps.append(number)
                yield number
        finally:
            closed.append(True)

    monkeypatch.setattr(tune, "climb", climb)
    search = Adams2019Options(parallelism=1)
    options = TuneOptions(search=search, search_timeout_s=60, budget=Budget(rounds=1))
    tune._search_meanwhile(Busy(busy), blur, options, pool, Workspace(tmp_path), end_s=math.inf)
    assert len(steps) == found
    assert bool(closed) == bool(steps)
