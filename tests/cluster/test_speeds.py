"""Times of equal computers are comparable by what a schedule takes on all of them."""

import pytest

from hltune.cluster.speeds import Occasion, Speeds
from hltune.values.cost import Cost
from hltune.values.errors import Failure
from hltune.values.unit import MILLISECONDS


def cost(seconds: float) -> Cost:
    return Cost(unit=MILLISECONDS, turns=((seconds, 1.01 * seconds),))


def all_saw(speeds: Speeds, number: int, times: dict[str, float], *, session: int = 1) -> dict[str, str]:
    """What is said when all nodes have timed a schedule, one after the other."""
    found: dict[str, str] = {}
    for node, seconds in times.items():
        nodes = [each for each in times if each not in found]
        if node in nodes:
            found |= speeds.saw(Occasion(session=session, round=number), node, cost(seconds), nodes=nodes)
    return found


def test_a_slower_computer_is_corrected() -> None:
    speeds = Speeds()
    assert speeds.corrected("slow", cost(3.0), session=1) == cost(3.0)  # nobody knows yet
    assert not all_saw(speeds, 0, {"first": 1.0, "slow": 1.5})
    corrected = speeds.corrected("slow", cost(3.0), session=1)
    assert isinstance(corrected, Cost) and corrected.value == pytest.approx(cost(2.0).value)
    assert speeds.corrected("first", cost(3.0), session=1) == cost(3.0)
    failure = Failure(stage="run", kind="error", message="no")
    assert speeds.corrected("slow", failure, session=1) is failure
    assert not speeds.saw(Occasion(session=1, round=1), "slow", failure, nodes=["first", "slow"])


@pytest.mark.parametrize("others", [{}, {"c": 1.0}, {"c": 1.0, "d": 2.0}])
def test_one_that_changes_its_speed_is_not_believed(others: dict[str, float]) -> None:
    speeds = Speeds()
    for number, seconds in enumerate((1.5, 1.52, 1.49)):
        assert not all_saw(speeds, number, {"first": 1.0, "slow": seconds, **others})
    found = all_saw(speeds, 3, {"first": 1.0, "slow": 2.9, **others})
    assert list(found) == ["slow"] and "1.93 times as long" in found["slow"]


@pytest.mark.parametrize("others", [{"b": 1.0}, {"b": 1.0, "c": 1.0}, {"b": 1.0, "c": 1.0, "d": 1.0}])
def test_the_first_one_may_be_the_one_that_throttles(others: dict[str, float]) -> None:
    speeds = Speeds()
    for number in range(3):
        assert not all_saw(speeds, number, {"first": 1.0, **others})
    assert list(all_saw(speeds, 3, {"first": 1.6, **others})) == ["first"]


def test_a_change_shows_from_pipeline_to_pipeline() -> None:
    """One of them is no evidence, for equal computers may differ in their memory; its own times count for it."""
    speeds = Speeds()
    for number in range(5):
        assert not all_saw(speeds, 1, {"first": 1.0, "b": 1.0}, session=number)
    assert not all_saw(speeds, 1, {"first": 1.0, "b": 2.0}, session=5)
    assert speeds.factor("b", session=5) == pytest.approx(2.0)
    assert not all_saw(speeds, 1, {"first": 1.0, "b": 1.0}, session=6)
    assert speeds.factor("b", session=6) == pytest.approx(1.0)
    assert list(all_saw(speeds, 1, {"first": 1.0, "b": 2.0}, session=7)) == ["b"]


def test_what_was_long_ago_does_not_count() -> None:
    speeds = Speeds()
    for number in range(1000):
        assert not all_saw(speeds, 1, {"first": 1.0, "b": 1.0 + number / 500}, session=number)
