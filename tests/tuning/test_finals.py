from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hltune.machine.speedup import Speedup, ratio
from hltune.samples.results import Ranked
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Parallel, Schedule, Unroll, Vectorize
from hltune.values.errors import Failure, HltuneError
from hltune.values.provenance import Mutated, Named, Searched
from hltune.values.roles import Stage
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.record import Record
from hltune.workspace.rows import Row
from tests.report.values import PACKETS, cost
from tests.tuning.recorded import BROKEN, COUNTED, RecordedSession, TimedSession, decided

OUT = Stage("out")
TUNING = Mutated(parent="0" * 64, changes=("tail",))
SLOW = Schedule((Unroll(OUT, "x"),))
QUICK = Schedule((Vectorize(OUT, "x"), Parallel(OUT, "y")))
QUICKER = Schedule((Vectorize(OUT, "x"), Parallel(OUT, "y"), Unroll(OUT, "z")))
WIDE = Schedule((Vectorize(OUT, "y"),))
WIDER = Schedule((Vectorize(OUT, "x"), Vectorize(OUT, "y")))
REFERENCES = {
    name: Candidate(schedule=schedule, provenance=Named(name=name))
    for name, schedule in {"default": Schedule(), "adams2019": SLOW}.items()
}

WRONG = Failure(stage="verify", kind="wrong output", message="output: 3 of 9 elements differ")
HOPELESS = Candidate(schedule=Schedule((Unroll(OUT, "z"),)), provenance=Named(name="hopeless"))


LUCKY = cost(0.5, *[2.0] * 8)
"""The least cost of all that follow, for one moment was lucky."""
EQUAL = cost(1.5, 2.2, 1.9, 2.1, 2.0, 2.0, 2.1, 2.0, 1.9)
STEADY = cost(*[1.8] * 9)


def ranked(schedule: Schedule) -> Ranked:
    return Ranked(
        schedule_hash=schedule_hash(schedule),
        schedule=schedule,
        cost=1.0,
        measurements=1,
        round=1,
        provenance=TUNING,
        measured_at_s=0.0,
    )


def record(name: str, schedule: Schedule) -> Record:
    return Record(name=name, schedule=schedule, cost=1.0, provenance=Named(name=name))


def test_the_fastest_wins_whoever_found_it() -> None:
    finals = decided(RecordedSession(), REFERENCES, {}, (ranked(QUICK), ranked(SLOW)), [record("expert", QUICKER)])
    label = record("expert", QUICKER).label
    tuned = f"tuned-{schedule_hash(QUICK)[:8]}"
    assert [row.name for row in finals.rows] == [label, tuned, "adams2019", "default"]
    assert (finals.winner.finder, finals.winner.schedule) == ("expert", QUICKER)
    assert finals.to_baseline is not None and finals.to_runner_up is not None
    assert finals.to_baseline.low <= finals.to_baseline.value <= finals.to_baseline.high
    assert finals.to_baseline.value == pytest.approx(1 / (0.5 * 0.6), rel=0.05)


def test_turn_by_turn_decides_and_not_a_lucky_moment() -> None:
    session = TimedSession({QUICK: LUCKY, QUICKER: STEADY, WIDE: cost(*[1.9] * 9)})
    finals = decided(session, REFERENCES, {}, (ranked(QUICK), ranked(QUICKER), ranked(WIDE)), [])
    assert [row.schedule for row in finals.rows[:3]] == [QUICKER, WIDE, QUICK] and LUCKY.value < STEADY.value
    to_best = [ratio(row.cost, finals.winner_cost) for row in finals.rows if row.cost]
    assert to_best[0] == 1.0 and to_best == sorted(to_best)
    assert finals.to_runner_up is not None and finals.to_runner_up.value == to_best[1]


@pytest.mark.parametrize("compared", [True, False])
def test_of_equals_what_tuning_left_before_stays_the_winner(compared: bool) -> None:
    references = {**REFERENCES, "expert": Candidate(schedule=WIDE, provenance=Named(name="expert"))}
    tuned = replace(record("tuned", QUICK), compared=compared)
    finals = decided(TimedSession({WIDE: LUCKY, QUICK: EQUAL}), references, {}, (), [tuned])
    assert [row.name for row in finals.rows[:2]] == [tuned.label, "expert"]
    assert finals.stays and finals.winner_is is None
    assert finals.to_runner_up is not None and finals.to_runner_up.tie


def test_what_tuning_left_before_goes_if_another_one_is_surely_faster() -> None:
    references = {**REFERENCES, "expert": Candidate(schedule=WIDE, provenance=Named(name="expert"))}
    session = TimedSession({WIDE: STEADY, QUICK: LUCKY})
    finals = decided(session, references, {}, (), [record("tuned", QUICK)])
    assert (finals.winner.name, finals.winner_is, finals.stays) == ("expert", "expert", False)


def test_a_reference_that_tuning_left_before_stays_under_its_own_name() -> None:
    references = {**REFERENCES, "expert": Candidate(schedule=WIDE, provenance=Named(name="expert"))}
    session = TimedSession({QUICK: LUCKY, WIDE: EQUAL})
    finals = decided(session, references, {}, (ranked(QUICK),), [record("tuned", WIDE)])
    assert (finals.winner.name, finals.winner_is, finals.stays) == ("expert", "expert", True)


@pytest.mark.parametrize("baseline", [None, BROKEN])
def test_without_a_baseline_the_fastest_search_stands_for_it(baseline: Failure | None) -> None:
    searched = {"mullapudi2016": QUICK, "li2018": SLOW}
    references = {
        name: Candidate(schedule=each, provenance=Searched(autoscheduler=name)) for name, each in searched.items()
    }
    failed: dict[str, Failure] = {}
    if baseline is not None:
        references["adams2019"] = Candidate(schedule=WIDE, provenance=Searched(autoscheduler="adams2019"))
        failed["adams2019"] = baseline
    costs = {QUICKER: 1.0, WIDER: 1.1, QUICK: 3.0, SLOW: 4.0}
    best = (ranked(QUICKER), ranked(WIDER))
    finals = decided(
        RecordedSession(), references, failed, best, [], cost=lambda each: costs.get(each.schedule), most=2
    )
    assert {row.name for row in finals.rows if row.cost} == {f"tuned-{schedule_hash(QUICKER)[:8]}", "mullapudi2016"}
    assert finals.left_out == ("li2018",)


def test_what_is_known_by_name_keeps_its_name() -> None:
    finals = decided(RecordedSession(), REFERENCES, {}, (ranked(SLOW),), [record("tuned", SLOW)])
    assert [row.name for row in finals.rows] == ["adams2019", "default"]


def test_what_failed_is_shown_and_not_tried_again() -> None:
    session = RecordedSession()
    failed = {"default": Failure(stage="run", kind="timeout", message="took longer than its limit of 20 s")}
    finals = decided(session, REFERENCES, failed, (ranked(QUICK),), [])
    assert Schedule() not in session.asked and len(session.asked) == 2
    assert (finals.rows[-1].name, finals.rows[-1].measurement) == ("default", failed["default"])


def test_nothing_works() -> None:
    with pytest.raises(HltuneError, match="no schedule works"):
        decided(RecordedSession(broken_share=1.0), REFERENCES, {}, (), [])


def test_what_is_far_behind_stays_away() -> None:
    session = RecordedSession()
    costs = {Schedule(): 10.0, SLOW: 1.0, QUICK: 1.5, QUICKER: 1.1}
    references = {**REFERENCES, "hopeless": HOPELESS}
    decided(
        session, references, {}, (ranked(QUICK),), [record("expert", QUICKER)],
        cost=lambda each: costs.get(each.schedule, float("inf")),
    )  # fmt: skip
    assert set(session.asked) == {SLOW, QUICK, QUICKER}  # the baseline, and those within reach
    session = RecordedSession()
    decided(session, references, {}, (ranked(QUICK),), [], cost=lambda _: None)
    assert len(session.asked) == 4  # what nobody has measured may be anything


def test_the_best_and_the_baseline_come_first_where_there_is_time_for_few() -> None:
    session = RecordedSession()
    costs = {SLOW: 4.0, QUICK: 1.5, QUICKER: 1.1}
    finals = decided(
        session, REFERENCES, {}, (ranked(QUICK), ranked(QUICKER)), [],
        cost=lambda each: costs.get(each.schedule), most=2,
    )  # fmt: skip
    assert set(session.asked) == {QUICKER, SLOW}
    assert finals.winner.schedule == QUICKER and finals.to_baseline is not None
    assert finals.left_out == ("default",)  # not what is one of many


def test_what_tuning_left_before_takes_part_where_there_is_time_for_few() -> None:
    """One lucky measurement does not push it out, unseen."""
    session = RecordedSession()
    costs = {SLOW: 4.0, QUICK: 1.5, QUICKER: 1.1, WIDE: 1.3}
    known, records = (ranked(QUICK), ranked(QUICKER)), [record("tuned", WIDE)]
    finals = decided(session, REFERENCES, {}, known, records, cost=lambda each: costs.get(each.schedule), most=2)
    assert set(session.asked) == {QUICKER, WIDE}
    assert finals.left_out == ("adams2019", "default")


@pytest.mark.parametrize("name", ["manual", "expert"])
def test_what_was_written_by_hand_is_measured_whatever_the_time(name: str) -> None:
    session = RecordedSession()
    references = {**REFERENCES, name: HOPELESS}
    costs = {SLOW: 4.0, QUICK: 1.5, QUICKER: 1.1, HOPELESS.schedule: 9.0}
    known = (ranked(QUICK), ranked(QUICKER))
    decided(session, references, {}, known, [], cost=lambda each: costs.get(each.schedule), most=3)
    assert set(session.asked) == {QUICKER, SLOW, HOPELESS.schedule}


def test_the_author_comes_before_the_baseline() -> None:
    session = RecordedSession()
    costs = {SLOW: 4.0, QUICK: 1.5, QUICKER: 1.1, HOPELESS.schedule: 9.0}
    finals = decided(
        session, {**REFERENCES, "manual": HOPELESS}, {}, (ranked(QUICKER),), [record("expert", QUICK)],
        cost=lambda each: costs.get(each.schedule), most=2,
    )  # fmt: skip
    assert set(session.asked) == {QUICKER, HOPELESS.schedule}
    assert finals.left_out == ("adams2019", record("expert", QUICK).label, "default")


def test_without_any_time_all_are_left_out() -> None:
    finals = decided(
        RecordedSession(), {**REFERENCES, "manual": HOPELESS}, {}, (ranked(QUICKER),), [],
        cost=lambda each: 1.1 if each.schedule == QUICKER else None, most=0,
    )  # fmt: skip
    assert finals.winner.schedule == QUICKER
    assert set(finals.left_out) == {"manual", "adams2019", "default"}


def test_the_next_ones_are_measured_if_the_best_do_not_work() -> None:
    class Choosy(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:
            return BROKEN if schedule in (QUICKER, SLOW) else super().cost(schedule)

    costs = {SLOW: 4.0, QUICK: 1.5, QUICKER: 1.1}
    finals = decided(
        Choosy(), REFERENCES, {}, (ranked(QUICK), ranked(QUICKER)), [],
        cost=lambda each: costs.get(each.schedule), most=2,
    )  # fmt: skip
    assert finals.winner.schedule == QUICK


def test_only_the_default_schedule_works() -> None:
    class OnlyDefault(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:
            return super().cost(schedule) if schedule == Schedule() else BROKEN

    with pytest.raises(HltuneError, match=r"only the default works(.|\n)*--compile-timeout"):
        decided(OnlyDefault(), REFERENCES, {}, (), [])


def test_what_was_measured_before_counts_if_nothing_works_any_more() -> None:
    session = RecordedSession(broken_share=1.0)
    finals = decided(session, REFERENCES, {}, (ranked(QUICK),), [], cost=lambda each: {QUICK: 1.5}.get(each.schedule))
    assert finals.winner.schedule == QUICK and finals.winner_cost.value == 1.5


def test_what_was_measured_before_does_not_count_if_it_is_wrong_now() -> None:
    class Wrong(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:  # noqa: ARG002
            return WRONG

    with pytest.raises(HltuneError, match="no schedule works"):
        decided(Wrong(), REFERENCES, {}, (ranked(QUICK),), [record("expert", QUICKER)], cost=lambda _: 1.5)


@pytest.mark.parametrize("repaired", [False, True])
def test_what_was_ever_wrong_never_wins_though_it_is_right_now(repaired: bool) -> None:
    """Neither what a person wrote, nor what won before, nor what is only now repaired to it."""
    wrong = WIDER if repaired else WIDE
    cheap = Cost(unit=LUCKY.unit, turns=((0.1,),), repair=WIDER if repaired else None)
    session = TimedSession({WIDE: cheap, SLOW: STEADY, Schedule(): EQUAL})
    references = {**REFERENCES, "manual": Candidate(schedule=WIDE, provenance=Named(name="manual"))}
    finals = decided(
        session, references, {}, (), [record("tuned", WIDE)],
        refuted=lambda each: WRONG if each.schedule == wrong else None,
    )  # fmt: skip
    assert finals.winner.name == "adams2019" and finals.rows[-1].failure == WRONG
    assert finals.rows[-1].name == "manual" and (WIDE in session.asked) == repaired


def test_what_has_turned_out_wrong_is_told_even_if_nothing_works() -> None:
    class Wrong(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:  # noqa: ARG002
            return WRONG

    told: list[Row] = []
    with pytest.raises(HltuneError, match="no schedule works"):
        decided(Wrong(), REFERENCES, {}, (ranked(QUICK),), [], told=told.extend)
    assert {row.schedule for row in told if row.failure == WRONG} == {Schedule(), SLOW, QUICK}


def test_a_record_knows_its_cost() -> None:
    """What is not in the store, as a search that another command made."""
    session = RecordedSession()
    costs = {Schedule(): 4.0, SLOW: 3.0, QUICK: 1.5}
    decided(
        session, REFERENCES, {}, (ranked(QUICK),), [record("expert", QUICKER)],
        cost=lambda each: costs.get(each.schedule), most=2,
    )  # fmt: skip
    assert set(session.asked) == {QUICKER, SLOW}


@pytest.mark.parametrize(("won", "winner"), [(True, SLOW), (False, QUICK)])
def test_without_time_who_has_won_a_comparison_stays_the_winner(won: bool, winner: Schedule) -> None:
    costs, tuned = {SLOW: 1.1, QUICK: 1.0}, replace(record("tuned", SLOW), compared=won)
    given: Mapping[str, Any] = {"cost": lambda each: costs.get(each.schedule), "most": 0}
    finals = decided(RecordedSession(), REFERENCES, {}, (ranked(QUICK),), [tuned], **given)
    assert (finals.winner.schedule, finals.compared, finals.stays) == (winner, False, won)
    assert decided(RecordedSession(), REFERENCES, {}, (ranked(QUICK),), [tuned]).compared
    counted = decided(RecordedSession(), REFERENCES, {}, (ranked(QUICK),), [tuned], unit=PACKETS, **given)
    assert counted.winner.schedule == QUICK  # it costs the same whenever it is measured


@pytest.mark.parametrize("most", [0, 1])
def test_what_is_counted_need_not_be_measured_again(most: int) -> None:
    costs = {SLOW: 4.0, QUICK: 1.5, QUICKER: 1.0, Schedule(): 90.0}
    session = TimedSession({QUICKER: Cost(unit=PACKETS, turns=((1.0,),), counters=COUNTED)})
    finals = decided(
        session, REFERENCES, {}, (ranked(QUICK), ranked(QUICKER)), [], unit=PACKETS, most=most,
        cost=lambda each: costs.get(each.schedule),
    )  # fmt: skip
    assert len(session.asked) == most and finals.compared and not finals.left_out and not finals.stays
    assert [row.schedule for row in finals.rows[:3]] == [QUICKER, QUICK, SLOW]
    assert finals.to_runner_up == Speedup(value=1.5, low=1.5, high=1.5)
    assert finals.to_baseline == Speedup(value=4.0, low=4.0, high=4.0)


def test_without_time_what_the_store_knows_decides() -> None:
    session = RecordedSession()
    costs = {SLOW: 4.0, QUICK: 1.5}
    finals = decided(session, REFERENCES, {}, (ranked(QUICK),), [], cost=lambda each: costs.get(each.schedule), most=0)
    assert not session.asked and finals.winner.schedule == QUICK
    decided(session, REFERENCES, {}, (), [], cost=lambda _: None, most=0)
    assert session.asked  # nothing is known
