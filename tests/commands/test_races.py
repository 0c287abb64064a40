"""A schedule that is wrong now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import cycle

import pytest

from hltune.commands.races import LOOKS, again_and_again
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from tests.report.values import CRASH, SCHEDULE, cost

WRONG = Failure(stage="verify", kind="wrong output", message="some are off")
LATE = Failure(stage="run", kind="timeout", message="took longer than 20 s")
RIGHT = cost(1e-3)
OTHER = Schedule()


def measuring(*found: Measurement) -> tuple[Callable[[Schedule], Measurement], list[Schedule]]:
    """Measures schedules with these outcomes again and again; returns what was measured as well."""
    measured, outcomes = list[Schedule](), cycle(found)

    def measure(schedule: Schedule) -> Measurement:
        measured.append(schedule)
        return next(outcomes)

    return measure, measured


def test_what_fails_now_and_then_is_looked_at_again() -> None:
    measure, measured = measuring(RIGHT, CRASH, WRONG)
    looked = again_and_again(measure, SCHEDULE, WRONG)
    assert looked.outcome == WRONG and looked.note is not None
    assert f"it fails in 1 of {LOOKS} measurements" in looked.note
    assert measured == [SCHEDULE] * LOOKS
    measured.clear()
    assert looked.measure(OTHER) == WRONG and measured == [OTHER] * 3


@pytest.mark.parametrize(
    ("expected", "found", "times"), [(WRONG, [WRONG], LOOKS), (WRONG, [RIGHT], LOOKS), (LATE, [LATE, RIGHT], 1)]
)
def test_what_always_comes_out_alike_is_measured_once(
    expected: Failure, found: Iterable[Measurement], times: int
) -> None:
    measure, measured = measuring(*found)
    looked = again_and_again(measure, SCHEDULE, expected)
    assert (looked.outcome, looked.note, looked.measure) == (next(iter(found)), None, measure)
    assert len(measured) == times
