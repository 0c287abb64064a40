"""Times of equal computers are comparable by what a schedule takes on all of them."""

import pytest

from hltune.cluster.speeds import Speeds
from hltune.values.cost import Cost
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.unit import MILLISECONDS


def cost(seconds: float) -> Cost:
    return Cost(unit=MILLISECONDS, turns=((seconds, 1.01 * seconds),))


def schedule(number: int) -> Schedule:
    return Schedule(base=f"{number:x}")


def test_a_slower_computer_is_corrected() -> None:
    speeds = Speeds()
    assert speeds.corrected("slow", cost(3.0)) == cost(3.0)  # nobody knows yet
    assert speeds.saw(schedule(0), "first", "first", cost(1.0)) is None
    assert speeds.saw(schedule(0), "slow", "first", cost(1.5)) is None
    corrected = speeds.corrected("slow", cost(3.0))
    assert isinstance(corrected, Cost) and corrected.value == pytest.approx(2.0)
    assert speeds.corrected("first", cost(3.0)) == cost(3.0)
    failure = Failure(stage="run", kind="error", message="no")
    assert speeds.corrected("slow", failure) is failure


def test_one_that_changes_its_speed_is_not_believed() -> None:
    speeds = Speeds()
    for number, seconds in enumerate((1.5, 1.52, 1.49)):
        assert speeds.saw(schedule(number), "first", "first", cost(1.0)) is None
        assert speeds.saw(schedule(number), "slow", "first", cost(seconds)) is None
    assert speeds.saw(schedule(3), "first", "first", cost(1.0)) is None
    assert "2.90 times as long" in (speeds.saw(schedule(3), "slow", "first", cost(2.9)) or "")
