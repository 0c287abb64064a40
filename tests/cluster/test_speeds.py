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


def all_saw(speeds: Speeds, number: int, times: dict[str, float], *, incumbent: int) -> dict[str, str]:
    """What is said when all nodes have timed a schedule, one after the other."""
    found: dict[str, str] = {}
    for node, seconds in times.items():
        nodes = [each for each in times if each not in found]
        if node in nodes:
            found |= speeds.saw((number, schedule(incumbent)), node, cost(seconds), nodes=nodes)
    return found


def test_a_slower_computer_is_corrected() -> None:
    speeds = Speeds()
    assert speeds.corrected("slow", cost(3.0)) == cost(3.0)  # nobody knows yet
    assert not all_saw(speeds, 0, {"first": 1.0, "slow": 1.5}, incumbent=0)
    corrected = speeds.corrected("slow", cost(3.0))
    assert isinstance(corrected, Cost) and corrected.value == pytest.approx(cost(2.0).value)
    assert speeds.corrected("first", cost(3.0)) == cost(3.0)
    failure = Failure(stage="run", kind="error", message="no")
    assert speeds.corrected("slow", failure) is failure
    assert not speeds.saw((1, schedule(0)), "slow", failure, nodes=["first", "slow"])


@pytest.mark.parametrize("others", [{}, {"c": 1.0}, {"c": 1.0, "d": 2.0}])
def test_one_that_changes_its_speed_is_not_believed(others: dict[str, float]) -> None:
    speeds = Speeds()
    for number, seconds in enumerate((1.5, 1.52, 1.49)):
        assert not all_saw(speeds, number, {"first": 1.0, "slow": seconds, **others}, incumbent=number)
    found = all_saw(speeds, 3, {"first": 1.0, "slow": 2.9, **others}, incumbent=3)
    assert list(found) == ["slow"] and "1.93 times as long" in found["slow"]


@pytest.mark.parametrize("others", [{"b": 1.0}, {"b": 1.0, "c": 1.0}, {"b": 1.0, "c": 1.0, "d": 1.0}])
def test_the_first_one_may_be_the_one_that_throttles(others: dict[str, float]) -> None:
    speeds = Speeds()
    for number in range(3):
        assert not all_saw(speeds, number, {"first": 1.0, **others}, incumbent=number)
    assert list(all_saw(speeds, 3, {"first": 1.6, **others}, incumbent=3)) == ["first"]


def test_the_same_incumbent_tells_from_round_to_round() -> None:
    speeds = Speeds()
    for number in range(10):
        assert not all_saw(speeds, number, {"first": 1.0, "b": 1.0}, incumbent=1)
    assert list(all_saw(speeds, 10, {"first": 1.0, "b": 3.0}, incumbent=1)) == ["b"]
