from __future__ import annotations

import time
from dataclasses import replace
from itertools import accumulate

import pytest

from hltune.machine.options import MeasureOptions
from hltune.tuning.options import TuneOptions
from hltune.tuning.pace import Limits, Pace
from hltune.values.cost import Cost
from hltune.values.errors import Failure
from hltune.values.unit import MILLISECONDS
from tests.tuning.conftest import make_options

OPTIONS: TuneOptions = make_options(batch=40, round_s=30.0, search_share=0.25, beams=4, finalists=10, workers=2)


WORKS = Cost(unit=MILLISECONDS, turns=((1.0,),))
FAILS = Failure(stage="compile", kind="error", message="no")


def seen(*seconds: float, failures: int = 0, at_once: int | None = None) -> Pace:
    """After candidates that took so long each, the first of which have failed."""
    pace, times = Pace(OPTIONS), accumulate((0.0, *seconds))
    measured = [(str(number), FAILS if number < failures else WORKS) for number in range(len(seconds))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: next(times))
        assert list(pace.seen(measured, at_once=at_once)) == measured
    return pace


def test_what_comes_together_was_measured_together() -> None:
    # Where several have their last turns one after the other, the time before was that of all of them.
    assert seen(0.9, 0.0, 0.0).candidate_s == pytest.approx(0.3)
    assert seen(2.0, 2.0, 0.9, 0.001, 0.001).candidate_s == pytest.approx(0.3, rel=0.01)
    assert seen(0.4, 0.5, 0.6).candidate_s == 0.5


def test_a_full_batch_where_there_is_time() -> None:
    assert seen(0.1, 0.1).batch(Limits()) == 40
    assert seen(0.1, 0.1).batch(Limits(samples=7)) == 7


def test_a_smaller_batch_where_time_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = seen(0.1, 0.1, 9.0)  # one slow one does not matter: the median counts
    # A round takes 40 * 0.1 s of measuring, which are three quarters of it.
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert pace.batch(Limits(end_s=100.0 + 0.5 * 4 / 0.75)) == 20
    assert pace.batch(Limits(end_s=100.0)) == OPTIONS.beams


def test_rounds_that_were_seen_count_more_than_estimates() -> None:
    pace = seen(0.1, 0.1)
    assert pace.shortest_round_s == pytest.approx(0.15 * 4 / 0.75)
    pace.saw_round(20.0)
    assert pace.shortest_round_s == pytest.approx(3.0)


def test_probing_takes_its_share_of_a_round() -> None:
    assert seen(0.3, 0.3).probing_s == pytest.approx(0.25 / 0.75 * 40 * 0.3)
    assert seen(0.01, 0.01).probing_s == pytest.approx(2.0)  # at least
    assert seen(5.0, 5.0).probing_s == pytest.approx(0.25 / 0.75 * 30.0)  # a round measures for 30 s at most


def test_finals_compile_in_one_process_where_they_are_timed() -> None:
    pace = seen(0.5, 0.5)
    assert pace.finals_s(5, side_by_side=True) == pytest.approx(0.5 * 15)
    assert pace.finals_s(5, side_by_side=False) == pytest.approx((0.5 * 2 + 0.6) * 15)


def test_what_fails_at_once_says_nothing_of_finalists() -> None:
    pace = seen(0.01, 0.01, 0.01, 0.5, 0.5, failures=3)
    assert pace.candidate_s == pytest.approx(0.01)
    assert pace.finals_s(0, side_by_side=True) == pytest.approx(0.5 * 10)


def test_one_alone_takes_longer_than_one_of_several() -> None:
    assert seen(4.0, at_once=1).candidate_s == pytest.approx(2.0)
    assert seen(4.0, at_once=9).candidate_s == pytest.approx(4.0)


def test_eight_candidates_of_rounds_tell_how_many_come_in_a_minute() -> None:
    # The first one comes late, for all lanes begin at once; what takes long otherwise counts.
    pace = seen(3.0, *[0.2] * 6, 0.5, 0.7)
    assert pace.known and pace.next_candidate_s == pytest.approx(0.3)
    # 40 candidates take 12 seconds, and a third of that is for searches, or as much as these took.
    assert pace.samples_per_minute == pytest.approx(60 * 40 / (12 + 4))
    pace.saw_search(8.0, 40)
    assert pace.samples_per_minute == pytest.approx(60 * 40 / (12 + 8))
    pace.saw_search(2.0, 10)  # of a round that had less time
    assert pace.samples_per_minute == pytest.approx(60 * 10 / (3 + 2))


def test_candidates_of_many_lanes_tell_as_well() -> None:
    """Each of eight lanes compiles for 3 seconds and holds a candidate for two more turns, so that waves come."""
    times = accumulate((0.0, 9.0, *[0.0] * 7, 3.0, *[0.0] * 7, 3.0, *[0.0] * 7))
    pace, heard = Pace(replace(OPTIONS, workers=8)), list[float]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: next(times))
        for _ in pace.seen([(str(number), WORKS) for number in range(24)]):
            heard += [pace.next_candidate_s] if pace.known else []
    assert heard[0] == pytest.approx(3.0 / 8)


def test_known_schedules_do_not_tell_how_many_candidates_come_in_a_minute() -> None:
    assert not seen(*[0.2] * 9, at_once=9).known
    earlier = Pace(OPTIONS)
    taken = [(1e9 + 20 * each, 1.0) for each in range(9)]
    earlier.recall(taken)
    assert not earlier.known
    # Two rounds of five candidates, and what lies between them.
    earlier.recall(taken, [(number, 2e9 + 60 * number + 0.2 * each) for number in (1, 2) for each in range(5)])
    list(earlier.seen([("known", WORKS)] * 9, at_once=9))  # new ones, before the first round
    assert earlier.known and earlier.next_candidate_s == pytest.approx(0.2)


def test_a_short_round_tells_as_well_as_it_can() -> None:
    nothing, few = seen(*[9.0] * 9, at_once=9), seen(0.3, 0.1)
    list(nothing.seen([]))
    assert not nothing.known and few.known
    assert few.samples_per_minute == pytest.approx(60 * 40 / (8 + 8 / 3))


def test_what_came_together_in_earlier_runs_was_measured_together() -> None:
    pace = Pace(OPTIONS)
    pace.recall([(1e9 + 1.5 * (each // 3) + 0.001 * (each % 3), 1.0) for each in range(30)])
    assert pace.candidate_s == pytest.approx(0.5)


@pytest.mark.parametrize(("nodes", "batch"), [(1, 40), (3, 120), (16, 640), (100, 640)])
def test_a_round_is_larger_where_more_computers_measure(nodes: int, batch: int) -> None:
    pace = after(0.01, nodes=nodes)
    assert (pace.full_batch, pace.batch(Limits())) == (batch, batch)
    assert pace.batch(Limits(samples=7)) == 7


def test_a_round_of_many_computers_takes_no_longer() -> None:
    # A candidate comes every 0.1 s here, and every 0.025 s of four such computers.
    assert after(0.1, nodes=1).measuring_s == pytest.approx(after(0.025, nodes=4).measuring_s)
    # As many in half a minute as there is time for, with some to spare, however many computers.
    assert after(1.5, nodes=4).batch(Limits()) == 30


def test_finals_are_on_one_computer() -> None:
    alone, many = after(0.4, nodes=1), after(0.1, nodes=4)
    for side_by_side in (False, True):
        finals_s = many.finals_s(5, side_by_side=side_by_side)
        assert finals_s == pytest.approx(alone.finals_s(5, side_by_side=side_by_side))


def test_few_known_schedules_tell_how_long_many_take_on_many_computers() -> None:
    # One alone is compiled in one of four processes on each of two computers.
    assert after(4.0, nodes=2, at_once=1).candidate_s == pytest.approx(1.0)


def after(*seconds: float, nodes: int, at_once: int | None = None) -> Pace:
    """After candidates that took so long each, with so many computers."""
    pace, times = Pace(OPTIONS, lambda: nodes), accumulate((0.0, *seconds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: next(times))
        list(pace.seen([(str(number), WORKS) for number in range(len(seconds))], at_once=at_once))
    return pace


@pytest.mark.parametrize(("call_s", "timing_s"), [(0.001, 0.6), (0.2, 9 * 0.4), (3.0, 3 * 6.0)])
def test_finals_take_as_long_as_their_calls(call_s: float, timing_s: float) -> None:
    turns_s = MeasureOptions(threads=2, turns=9, turn_s=0.04, long_turns=3).turns_s
    pace, cost = Pace(OPTIONS, turns_s=turns_s), Cost(unit=MILLISECONDS, turns=((call_s,),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", accumulate((0.0, 0.5, 0.5)).__next__)
        list(pace.seen([("one", cost), ("other", cost)]))
    assert pace.finals_s(5, side_by_side=False) == pytest.approx((0.5 * 2 + timing_s) * 15)
    assert pace.again_s(3) == pytest.approx((0.5 * 2 + timing_s) * 3)


def test_what_earlier_runs_took_is_forecast_until_something_is_measured() -> None:
    pace = Pace(OPTIONS, turns_s=lambda call_s: 18 * call_s)
    assert pace.finalists(60.0, side_by_side=False) == int(60 / (1.0 * 2 + 0.6))  # nobody knows
    times_s = [0, 10, 9000, 9010, 9020]  # two runs
    pace.recall([(1e9 + each, 2.0) for each in times_s])
    assert pace.finalists(300.0, side_by_side=False) == int(300 / (10 * 2 + 36))
    assert pace.batch(Limits()) == pytest.approx(1.5 * 30 / 10, abs=0.5)
    list(pace.seen([("new", WORKS)]))
    assert pace.candidate_s < 1.0
