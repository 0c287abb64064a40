"""What one run leaves to the next one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hltune.lowered.features import BODY, WHOLE
from hltune.runtime.progress import Silent
from hltune.search.gains import Gain
from hltune.tuning.pace import Limits
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement, failed_repair
from hltune.values.directives import Parallel, Schedule, Split, Unroll, Vectorize
from hltune.values.errors import Failure
from hltune.values.program_features import ProgramFeatures
from hltune.values.provenance import Mutated, Named
from hltune.values.roles import Stage
from hltune.values.schedule_codec import schedule_hash
from hltune.values.unit import MILLISECONDS
from tests.report.values import SEARCHED
from tests.tuning.conftest import Place, make_options
from tests.tuning.recorded import BROKEN, RecordedSession
from tests.tuning.test_tuner import Notes

BLURRED = Stage("blurred")
SLOW = Schedule((Unroll(BLURRED, "y"),))


def test_what_took_too_long_is_tried_again_when_it_may_take_longer(place: Place) -> None:
    place.session = RecordedSession(broken_share=1.0)
    with place.store() as store:
        assert set(place.tuner(store, make_options()).begin(Silent())) == {BROKEN}
        place.session, heard = RecordedSession(), Notes()
        same = place.tuner(store, make_options(), limits={"--compile-timeout": 20.0})
        assert same.begin(heard) == [] and same.history.best_cost is None and len(same.history.failed()) > 2
        assert any(
            "adams2019 failed in an earlier run. compile: " in each and "--compile-timeout" in each
            for each in heard.notes
        )
        longer = place.tuner(store, make_options(), limits={"--compile-timeout": 90.0})
        assert not longer.history.failed()
        assert all(isinstance(each, Cost) for each in longer.begin(Silent())) and len(longer.history.best(9)) > 2


def test_what_works_in_the_end_is_known_to_the_next_run(place: Place) -> None:
    tried = [Candidate(schedule=Schedule((Unroll(BLURRED, x),)), provenance=Named(name=x)) for x in "xy"]
    wrong = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    taken = [BROKEN, wrong]

    class Dictated(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:  # noqa: ARG002 - whatever is asked for
            return taken.pop(0)

    with place.store() as store:
        history = place.tuner(store, make_options()).history
        list(history.measure(Dictated(), {schedule_hash(each.schedule): each for each in tried}, best=None))
        for each in tried:
            history.keep_finalist(each, Cost(unit=MILLISECONDS, turns=((0.5,),)))
        later = place.tuner(store, make_options()).history
        for each in (history, later):
            assert [each.cost_of(one) for one in tried] == [0.5, math.inf]


@pytest.mark.parametrize("last", [None, BROKEN])
def test_what_was_ever_wrong_is_known_to_be_whatever_else_came_of_it(place: Place, last: Failure | None) -> None:
    wrong = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    right = Cost(unit=MILLISECONDS, turns=((0.5,),))
    tried = Candidate(schedule=SLOW, provenance=Named(name="manual"))
    taken = [wrong, last] if last else [right, wrong, right]

    class Dictated(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:  # noqa: ARG002 - whatever is asked for
            return taken.pop(0)

    with place.store() as store:
        history = place.tuner(store, make_options()).history
        assert history.refuted(tried) is None
        while taken:
            list(history.measure(Dictated(), {schedule_hash(SLOW): tried}, best=None))
        later = place.tuner(store, make_options(), limits={"--compile-timeout": 90.0})
        for each in (history, later.history):
            assert each.cost_of(tried) == math.inf and not each.ranked(1, distinct=True)
            failure = each.refuted(tried)
            assert failure is not None and "in an earlier measurement: 3 of 9 elements differ" in failure.message
        known = store.count()
        later.history.refute(tried, wrong)
        assert store.count() == known
        later.references["manual"] = tried
        notes = Notes()
        later.begin(notes)
        assert any("manual" in each and "3 of 9 elements" in each for each in notes.notes)


def test_what_was_wrong_under_other_conditions_is_never_ranked_nor_written_down(place: Place) -> None:
    """It was measured here as well, and was right; or it never was."""
    wrong = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    racy, unseen = (Candidate(schedule=Schedule((Unroll(BLURRED, x),)), provenance=SEARCHED) for x in "xy")
    known = {schedule_hash(each.schedule): wrong for each in (racy, unseen)}
    key = schedule_hash(racy.schedule)
    with place.store() as store:
        list(place.tuner(store, make_options()).history.measure(place.session, {key: racy}, best=None))
        count = store.count()
        history = place.tuner(store, make_options(), wrong=known).history
        for each in (racy, unseen):
            assert history.refuted(each) == wrong.earlier and history.cost_of(each) == math.inf
        assert history.best_cost is None and history.least_searched() is None
        assert not history.ranked(9, distinct=False) and not history.working()
        assert len(history) == store.count() == count == 1
        list(history.measure(place.session, {key: racy}, best=None))  # right again, as a race mostly is
        assert history.cost_of(racy) == math.inf and not history.ranked(9, distinct=False)
        program = ProgramFeatures(bodies=np.zeros((0, len(BODY))), whole=np.zeros(len(WHOLE)), program_hash="a" * 64)
        history.keep_programs(dict.fromkeys(known, program))
        assert list(history.program_hashes()) == [key]


def test_what_commands_saw_wrong_here_is_written_down_once(place: Place) -> None:
    wrong = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    tried = Candidate(schedule=SLOW, provenance=Named(name="refuted"))
    with place.store() as store:
        history = place.tuner(store, make_options(), wrong={schedule_hash(SLOW): wrong}).history
        known = history.refuted(tried)
        assert known is not None
        history.refute(tried, known)  # as a known schedule that takes no part for that: nobody has measured it here
        assert store.count() == 0
        for _ in range(2):
            history.refute(tried, wrong)
        assert store.count() == 1 and history.refuted(tried) == wrong.earlier
        assert [*store.refuted(place.subject.spec.content_hash, place.machine.key)] == [schedule_hash(SLOW)]


@pytest.mark.parametrize(("again", "left"), [(1.0, [1.0]), (None, [None])])
def test_two_fast_moments_of_one_schedule_are_both_taken_back(
    place: Place, again: float | None, left: list[float | None]
) -> None:
    """Mutants that differ in tails alone may be repaired to the same schedule."""
    repaired, made = Schedule((Vectorize(BLURRED, "x"),)), Mutated(parent="0" * 64, changes=("tail",))
    mutants = [Candidate(schedule=Schedule((Parallel(BLURRED, y),)), provenance=made) for y in "xy"]

    class Lucky(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:
            if schedule == SLOW:
                return Cost(unit=MILLISECONDS, turns=((2.0,),))
            if schedule != repaired:
                return Cost(unit=MILLISECONDS, turns=((0.5 + 0.1 * len(self.asked),),), repair=repaired)
            return BROKEN if again is None else Cost(unit=MILLISECONDS, turns=((again,),))

    place.session = session = Lucky()
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        slow = {"slow": Candidate(schedule=SLOW, provenance=Named(name="manual"))}
        list(tuner.history.measure(session, slow, best=None))
        by_hash = {schedule_hash(each.schedule): each for each in mutants}
        measured = tuner._measure_new(by_hash, Limits(), Silent(), lambda: None)
        assert len(measured) == 2 and session.asked.count(repaired) == 1
        key = schedule_hash(repaired)
        for history in (tuner.history, place.tuner(store, make_options()).history):
            assert [history.cost(key)] == left and key in history


def test_what_is_not_allowed_is_nothing_to_compare_with(place: Place) -> None:
    """After an unrestricted run, `--keep` compares with what keeps these Funcs."""
    outside, inside = (Schedule((each,)) for each in (Vectorize(BLURRED, "x"), Unroll(BLURRED, "x")))
    tried = {schedule_hash(each): Candidate(schedule=each, provenance=Named(name="x")) for each in (outside, inside)}
    with place.store() as store:
        restricted = place.tuner(store, make_options(), allowed=lambda each: each != outside).history
        list(restricted.measure(place.session, tried, best=None))
        again = place.tuner(store, make_options(), allowed=lambda each: each != outside).history
        for history in (restricted, again):
            (best,) = history.best(1)
            assert best.schedule == inside and history.best_cost == best.cost
            assert [*history.working()] == [schedule_hash(each) for each in (outside, inside)]


def test_what_is_allowed_is_asked_of_the_best_alone(place: Place) -> None:
    """Of a hundred thousand schedules, each takes a millisecond and more to decode, and some to be looked at."""
    tried = [Schedule((Split(BLURRED, "x", "x", "xi", factor),)) for factor in range(2, 12)]
    candidates = {schedule_hash(each): Candidate(schedule=each, provenance=Named(name="x")) for each in tried}
    costs = {each: Cost(unit=MILLISECONDS, turns=((1.0 + number,),)) for number, each in enumerate(tried)}
    place.session.cost = costs.__getitem__  # type: ignore[method-assign]
    asked: list[Schedule] = []

    def allowed(schedule: Schedule) -> bool:
        asked.append(schedule)
        return schedule not in tried[:2]

    with place.store() as store:
        list(place.tuner(store, make_options()).history.measure(place.session, candidates, best=None))
        history = place.tuner(store, make_options(), allowed=allowed).history
        assert history.best_cost == 3.0 and [each.schedule for each in history.best(2)] == tried[2:4]
        assert asked == tried[:4]


def test_what_is_wrong_of_a_repaired_schedule_is_known_of_both(place: Place) -> None:
    """A search finds a schedule that leaves its images; it is repaired, and that is right, but not always."""
    repair = Schedule((Vectorize(BLURRED, "x"),))
    found = Candidate(schedule=SLOW, provenance=Named(name="adams2019"))
    wrong = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    right = Cost(unit=MILLISECONDS, turns=((0.5,),), repair=repair)
    taken = [right, failed_repair(wrong, repair)]

    class Dictated(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:  # noqa: ARG002 - whatever is asked for
            return taken.pop(0)

    with place.store() as store:
        history = place.tuner(store, make_options()).history
        while taken:
            list(history.measure(Dictated(), {schedule_hash(SLOW): found}, best=None))
        repaired = Candidate(schedule=repair, provenance=Named(name="tuned"))
        for each in (history, place.tuner(store, make_options()).history):
            assert each.refuted(found) is not None and each.refuted(repaired) is not None
            assert not each.ranked(1, distinct=True)


def test_a_repaired_schedule_that_was_too_slow_is_tried_again_when_it_may_take_longer(place: Place) -> None:
    repair = Schedule((Vectorize(BLURRED, "x"),))
    found = Candidate(schedule=SLOW, provenance=Named(name="adams2019"))

    class Late(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:  # noqa: ARG002 - whatever is asked for
            return failed_repair(BROKEN, repair)

    with place.store() as store:
        key = schedule_hash(SLOW)
        list(place.tuner(store, make_options()).history.measure(Late(), {key: found}, best=None))
        assert key in place.tuner(store, make_options(), limits={"--compile-timeout": 20.0}).history
        assert key not in place.tuner(store, make_options(), limits={"--compile-timeout": 90.0}).history


def test_a_comparison_takes_back_what_only_a_fast_moment_has_shown(place: Place) -> None:
    """One of four cost half as much in the last round; in the comparison, all of them take a tenth longer."""
    schedules = [Schedule((kind(BLURRED, x),)) for kind in (Unroll, Parallel) for x in "xy"]
    found = [Candidate(schedule=each, provenance=Named(name="manual")) for each in schedules]
    taken = [1.0, 1.0, 0.5, 1.1]

    class Dictated(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:  # noqa: ARG002 - whatever is asked for
            return Cost(unit=MILLISECONDS, turns=((taken.pop(0),),))

    with place.store() as store:
        history = place.tuner(store, make_options()).history
        list(history.measure(Dictated(), {schedule_hash(each.schedule): each for each in found}, best=None))
        assert history.best_cost == 0.5
        finals = [Cost(unit=MILLISECONDS, turns=((cost,),)) for cost in (1.1, 1.1, 1.1, 1.21)]
        history.correct([*zip(found[:2], finals, strict=False)])  # too few to tell
        assert history.best_cost == 0.5
        history.correct([*zip(found, finals, strict=True)])
        for each in (history, place.tuner(store, make_options()).history):
            assert [each.cost_of(one) for one in found] == [1.0, 1.0, 1.1, 1.1]


def test_changes_that_have_made_a_schedule_faster_are_known_the_largest_gain_first(place: Place) -> None:
    """Of each its parent as well; what won nothing, or comes from nobody, is none."""
    own = [Schedule((Split(BLURRED, "x", "x", "xi", factor), Vectorize(BLURRED, "xi"))) for factor in (2, 4, 8, 16, 32)]
    start, slower, faster, fastest, noise = own
    costs = {start: 1.0, slower: 2.0, faster: 0.8, fastest: 0.5, noise: 0.495}
    parents = {slower: start, faster: start, fastest: start, noise: fastest}
    taken = {key: Cost(unit=MILLISECONDS, turns=((cost,),)) for key, cost in costs.items()}

    class Told(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:
            return taken[schedule]

    candidates = [Candidate(schedule=start, provenance=Named(name="start"))]
    candidates += [
        Candidate(schedule=each, provenance=Mutated(parent=schedule_hash(parent), changes=("scale",)))
        for each, parent in parents.items()
    ]
    with place.store() as store:
        history = place.tuner(store, make_options()).history
        list(history.measure(Told(), {schedule_hash(each.schedule): each for each in candidates}, best=None))
        assert history.gains() == [Gain(start, fastest), Gain(start, faster)]
