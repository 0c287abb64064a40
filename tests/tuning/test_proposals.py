"""What a round measures, and what it leaves for the next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from hltune.runtime.progress import Silent
from hltune.search.mutation import PARENTS, Parent
from hltune.tuning.pace import Limits
from hltune.tuning.proposals import mutant_share, rounds_between
from hltune.tuning.searcher import Searcher
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule, Unroll
from hltune.values.errors import Failure
from hltune.values.provenance import Mutated, Named
from hltune.values.roles import Stage
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


def test_what_was_not_chosen_is_drafted_again_as_long_as_its_parent_is_good(place: Place) -> None:
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        proposals = tuner._proposals
        drafted = proposals.find(None, Limits(samples=4), 1, Silent()).drafted
        assert len(drafted.chosen) == 4 and drafted.left and not drafted.chosen.keys() & drafted.left.keys()
        parents = proposals._parents()
        assert proposals._still_good(parents) == drafted.left and not proposals._still_good([])
        again = proposals.find(None, Limits(samples=4), 2, Silent()).drafted
        assert (again.chosen | again.left).keys() & drafted.left.keys()


def test_the_best_parent_is_read_before_mutants_are_made(place: Place) -> None:
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        proposals = tuner._proposals
        proposals.find(None, Limits(samples=4), 1, Silent())
        assert proposals.cases is not None
        shares = proposals.cases.shares(proposals._parents())
        assert shares and shares.keys() <= {func.name for func in place.subject.spec.funcs}


def test_where_lowering_takes_long_it_has_more_time(place: Place) -> None:
    with place.store() as store:
        proposals = place.tuner(store, make_options(round_s=30.0))._proposals
    proposals.pace._candidate_s = 3.0
    for each_s, drafting_s in ((None, 7.5), (0.01, 7.5), (0.3, 12.0), (3.0, 15.0)):
        proposals.drafts.programs._each_s = each_s
        assert proposals._drafting_s(10, drafts=40) == pytest.approx(drafting_s)
        assert proposals._drafting_s(10) == pytest.approx(7.5)


def test_the_further_behind_the_more_mutants_and_the_fewer_rounds_with_searches() -> None:
    shares = [mutant_share(searched, 1.0) for searched in (None, 0.9, 1.0, 1.2, 1.5, 3.0)]
    assert shares == pytest.approx([0.5, 0.5, 0.5, 0.7, 0.9, 0.9])
    assert [rounds_between(searched, 1.0) for searched in (None, 1.0, 1.3, 1.45, 3.0)] == [1, 1, 1, 4, 9]
    assert mutant_share(2.0, None) == 0.5 and rounds_between(2.0, None) == 1


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


def test_what_people_wrote_is_a_parent_whatever_it_costs(place: Place) -> None:
    """If it works: the default schedule is none, and what was not measured is none."""
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        tuner.round(Limits(), Silent())
        proposals = tuner._proposals
        slowest, cost = next(
            (each.schedule, each.cost)
            for each in reversed(tuner.history.best(1000))
            if each.schedule.directives and each not in tuner.history.best(PARENTS)
        )
        unknown = Schedule((Unroll(Stage("blurred"), "y"),))
        written = {
            name: Candidate(schedule=each, provenance=Named(name=name))
            for name, each in (("expert", slowest), ("default", Schedule()), ("manual", unknown))
        }
        proposals.subject = cast("Any", SimpleNamespace(known_by_name=lambda: written, recovered=None))
        found = proposals._parents()
        assert found[:PARENTS] == tuner.history.best(PARENTS) and found[PARENTS:] == [Parent(slowest, cost)]
