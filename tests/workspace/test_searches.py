"""What long searches found is there again, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hltune.search.autoschedulers import Adams2019Options
from hltune.values.candidate import Candidate
from hltune.values.directives import Parallel, Schedule
from hltune.values.errors import Failure
from hltune.values.features import COLUMNS, Featurization
from hltune.values.roles import Stage
from hltune.workspace.searches import Searches

SEARCH = Adams2019Options(parallelism=4, beam_size=16)
FOUND = Candidate(
    schedule=Schedule((Parallel(Stage("f"), "y"),)),
    provenance=SEARCH.provenance(),
    features=Featurization.usable(np.arange(3 * COLUMNS, dtype="<f4").tobytes()),
    predicted_ms=1.25,
    search_s=94.0,
)
LATE = Failure(stage="Adams2019 search", kind="timeout", message="took longer than its limit of 60 s")


@pytest.fixture
def searches(tmp_path: Path) -> Searches:
    return Searches(tmp_path / "searches")


def test_a_long_search_is_found_again(searches: Searches) -> None:
    assert FOUND.features is not None
    assert searches.recall("host", SEARCH, limit_s=1) is None
    searches.keep("host", SEARCH, FOUND, limit_s=120)
    assert searches.recall("host", SEARCH, limit_s=1) == FOUND
    without = replace(FOUND, features=None, predicted_ms=None)
    searches.keep("host", SEARCH, without, limit_s=120)
    assert searches.recall("host", SEARCH, limit_s=1) == without


def test_other_options_weights_and_targets_are_other_searches(searches: Searches, tmp_path: Path) -> None:
    searches.keep("host", SEARCH, FOUND, limit_s=120)
    weights = tmp_path / "mine.weights"
    weights.write_bytes(b"weights")
    others = [replace(SEARCH, **change) for change in ({"seed": 1}, {"num_passes": 2}, {"weights": weights})]
    for other in others:
        assert searches.recall("host", other, limit_s=1) is None
    assert searches.recall("arm-64-linux", SEARCH, limit_s=1) is None
    searches.keep("host", others[-1], FOUND, limit_s=120)
    weights.write_bytes(b"others")
    assert searches.recall("host", others[-1], limit_s=1) is None


def test_short_searches_and_crashes_are_not_kept(searches: Searches) -> None:
    searches.keep("host", SEARCH, replace(FOUND, search_s=0.1), limit_s=120)
    searches.keep("host", SEARCH, replace(LATE, kind="crash"), limit_s=120)
    assert not searches.folder.exists()


def test_an_exceeded_limit_counts_until_the_limit_is_raised(searches: Searches) -> None:
    searches.keep("host", SEARCH, LATE, limit_s=60)
    assert searches.recall("host", SEARCH, limit_s=60) == LATE
    assert searches.recall("host", SEARCH, limit_s=30) == LATE
    assert searches.recall("host", SEARCH, limit_s=120) is None


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"format": "hltune-search", "version": 1}', b"\xff\xfe"])
def test_a_damaged_file_is_searched_again(searches: Searches, damage: bytes) -> None:
    searches.keep("host", SEARCH, FOUND, limit_s=120)
    (path,) = searches.folder.iterdir()
    path.write_bytes(damage)
    assert searches.recall("host", SEARCH, limit_s=1) is None
    path.write_bytes(path.read_bytes()[:50])
    assert searches.recall("host", SEARCH, limit_s=1) is None
    searches.keep("host", SEARCH, FOUND, limit_s=120)
    assert searches.recall("host", SEARCH, limit_s=1) == FOUND


def test_where_nothing_can_be_written_the_search_goes_on(searches: Searches) -> None:
    searches.folder.parent.mkdir(parents=True, exist_ok=True)
    searches.folder.write_text("a file in the place of the folder")
    searches.keep("host", SEARCH, FOUND, limit_s=120)
    assert searches.recall("host", SEARCH, limit_s=1) is None
