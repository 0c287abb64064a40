"""What tuning is likely to bring."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from hltune.tuning.outlook import Expectation, Outlook


def expected(*, per_minute: float, minutes: float, given: float = math.inf, most: float = math.inf) -> Expectation:
    return Expectation(
        stages=3, search_s=1.0, candidate_s=1.0, samples_per_minute=per_minute, minutes=minutes, given=given, most=most
    )


def test_too_few_minutes_are_told_from_enough() -> None:
    """What is needed is said of the whole run: of that, pipelines and final comparisons take their shares."""
    assert expected(per_minute=10, minutes=3.2, given=5).minutes_needed == 10
    assert expected(per_minute=10, minutes=1.6, given=20).minutes_needed == 80
    assert expected(per_minute=10, minutes=7, given=9).minutes_needed is None
    assert expected(per_minute=10, minutes=math.inf).minutes_needed is None
    assert expected(per_minute=10, minutes=0, given=1).minutes_needed is None
    earlier = expected(per_minute=10, minutes=3.2, given=5)
    assert [replace(earlier, known=known).minutes_needed for known in (16, 40)] == [8, None]


def test_no_more_samples_are_expected_than_there_may_be() -> None:
    few = expected(per_minute=10, minutes=5, given=6, most=20)
    assert (few.samples, few.minutes_needed) == (20, None)
    assert expected(per_minute=10, minutes=5, given=6, most=math.inf).samples == 50
    assert expected(per_minute=10, minutes=1, given=6, most=20).minutes_needed == 12


@pytest.mark.parametrize(
    ("costs", "idle", "late_gain", "done"),
    [
        ((), 0, None, False),
        ((None,), 0, None, False),
        ((2.0, 1.0), 0, None, False),
        ((1.0,) * 5, 4, None, False),  # nobody can tell so early
        ((1.0,) * 6, 5, 0.0, False),  # nor that it is done, but that it is not
        ((1.0,) * 15, 14, 0.0, False),
        ((1.0,) * 16, 15, 0.0, True),
        ((None,) * 11, 10, None, False),
        ((None,) * 12, 11, None, True),  # nothing ever works
        ((*(None,) * 11, 1.0), 0, None, False),
        ((2.0, 2.0, 1.0, 1.0, 1.0, 1.0), 3, 0.0, False),
        ((2.0, 2.0, 2.0, 1.0, 1.0, 1.0), 2, 0.5, False),
        ((*(2.0,) * 8, *(1.0,) * 8), 7, 0.5, False),
        ((*(2.0,) * 8, *(1.0,) * 9), 8, 0.0, True),
        ((*(1.0,) * 15, 0.995), 0, 0.005, True),
        # What has turned out wrong since, or to have been luck, was no gain, nor is it a loss that it is gone.
        ((1.0, 1.0, *(1.2,) * 14), 15, 0.0, True),
        ((1.0, 1.0, 2.0, 1.5, 1.5, 1.5), 2, 0.25, False),
        ((1.0, 1.0, 2.0, 2.0, 2.0, 1.0), 0, 0.5, False),
        ((1.0, 1.0, None, None, 2.0, 2.0), 1, None, False),
    ],
)
def test_rounds_that_bring_little_are_enough(
    costs: tuple[float | None, ...], idle: int, late_gain: float | None, done: bool
) -> None:
    outlook = Outlook.of(costs)
    assert (outlook.rounds, outlook.idle, outlook.done) == (len(costs), idle, done)
    assert outlook.late_gain == pytest.approx(late_gain) if late_gain is not None else outlook.late_gain is None


def test_rounds_are_too_few_to_tell_until_they_still_bring_much_or_hardly_anything() -> None:
    assert Outlook.of((1.0,) * 5).least_rounds == 6
    assert Outlook.of((1.0,) * 6).least_rounds == 16
    assert Outlook.of((2.0, 2.0, 2.0, 2.0, 1.0, 1.0)).least_rounds is None
    assert Outlook.of((1.0,) * 16).least_rounds is None
    exhausted = replace(Outlook.of((1.0,) * 3), exhausted=True)
    assert exhausted.done and exhausted.least_rounds is None
