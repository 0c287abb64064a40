"""What a round measures, and what it leaves for the next."""

from __future__ import annotations

import pytest

from hltune.runtime.progress import Silent
from hltune.tuning.pace import Limits
from hltune.tuning.searcher import Searcher
from hltune.values.errors import Failure
from hltune.values.provenance import Mutated
from tests.tuning.conftest import Place, make_options
from tests.tuning.test_tuner import Notes


def test_mutants_that_there_was_no_time_for_are_proposed_again(place: Place) -> None:
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        proposals = tuner._proposals
        first = proposals.find(0.9, Limits(), 1, Silent()).candidates
        mutants = {key for key, each in first.items() if isinstance(each.provenance, Mutated)}
        assert mutants
        proposals.keep(first)  # nothing was measured
        drafted = proposals.find(0.9, Limits(), 2, Silent()).drafted
        assert drafted.made > len(mutants) and set(drafted.chosen) & mutants


def test_beams_take_no_more_than_their_share(place: Place) -> None:
    with place.store() as store:
        tuner = place.tuner(store, make_options(batch=10))
        tuner.begin(Silent())
        found = tuner._proposals.find(0.9, Limits(), 1, Silent())
        assert len(found.beams) == 1


def test_that_searches_fail_is_said_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [Failure(stage="Adams2019 search", kind="crash", message=f"the process died ({why})") for why in "aab"]
    heard = Notes()
    with place.store() as store:
        proposals = place.tuner(store, make_options(batch=2))._proposals
        monkeypatch.setattr(Searcher, "beams", lambda *_, **__: [])
        monkeypatch.setattr(Searcher, "probes", lambda *_, **__: ({}, [failures.pop(0)]))
        for number in (1, 2, 3):
            proposals.find(0.5, Limits(), number, heard)
    assert ["died (a)" in each or "died (b)" in each for each in heard.notes] == [True, True]
