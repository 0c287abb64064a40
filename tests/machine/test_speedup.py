from __future__ import annotations

import numpy as np
import pytest

from hltune.machine.speedup import in_order, speedup
from hltune.values.cost import Cost, Counters
from hltune.values.unit import MILLISECONDS
from tests.report.values import PACKETS


def cost(values: list[float]) -> Cost:
    return Cost(unit=MILLISECONDS, turns=tuple((value * 1.3, value) for value in values))


def test_what_disturbs_a_turn_disturbs_both() -> None:
    disturbed = np.array([1.0, 3.0, 1.0, 2.0, 1.1])
    found = speedup(cost((2.0 * disturbed).tolist()), cost(disturbed.tolist()))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))


@pytest.mark.parametrize("turns", [6, 7, 8, 9, 10, 15, 16, 41])
def test_the_interval_covers_the_truth_as_often_as_it_says(turns: int) -> None:
    """And hardly more often, but for few turns, of which there is no narrower interval."""
    covered, draws = 0, 2000
    for a, b in np.exp(0.1 * np.random.default_rng(turns).standard_normal((draws, 2, turns))):
        found = speedup(cost((1.5 * a).tolist()), cost(b.tolist()))
        assert found is not None and found.low <= found.value <= found.high and found.interval is not None
        covered += found.low <= 1.5 <= found.high
    assert 0.94 * draws <= covered <= 0.999 * draws


def test_five_turns_are_too_few_for_an_interval() -> None:
    found = speedup(cost([2.0] * 5), cost([1.0] * 5))
    assert found is not None and found.interval is None and not found.sure


@pytest.mark.parametrize(("turns", "tie"), [(3, True), (5, True), (6, False)])
def test_what_does_not_lead_is_a_tie(turns: int, tie: bool) -> None:
    """After few turns 4% is nothing, for who is asked who leads and for who is asked whether that is sure."""
    costs = {"one": cost([1.04] * turns), "other": cost([1.0] * turns)}
    found = speedup(costs["one"], costs["other"])
    assert found is not None and found.tie is tie
    assert (in_order(costs, "one")[0] == "one") is tie


def test_too_few_turns_say_nothing() -> None:
    assert speedup(cost([1.0, 1.0]), cost([1.0, 1.0, 1.0])) is None


LUCKY = cost([0.5, *[2.0] * 8])
"""The least cost by far, for one moment was lucky."""


def test_who_is_surely_faster_in_turns_leads_and_not_the_least_cost() -> None:
    costs = {
        "slow": cost([4.0] * 9),
        "lucky": LUCKY,
        "steady": cost([1.8] * 9),
        "near": cost([1.81] * 9),
        "best": cost([1.7] * 9),
    }
    assert min(costs, key=lambda name: costs[name].value) == "lucky"
    assert in_order(costs) == ["best", "steady", "near", "lucky", "slow"]


def test_a_tie_does_not_take_the_lead() -> None:
    noisy = cost([1.5, 2.2, 1.9, 2.1, 1.9, 1.9, 1.9, 2.1, 2.0])
    assert in_order({"noisy": noisy, "lucky": LUCKY}) == ["lucky", "noisy"]


def test_a_circle_has_an_end() -> None:
    """Each is faster than the next one in two turns of three."""
    turns = [1.0, 2.0, 3.0]
    costs = {name: cost([turns[(at + turn) % 3] for turn in range(3)] * 21) for at, name in enumerate("abc")}
    assert sorted(in_order(costs)) == ["a", "b", "c"]


def test_of_equals_the_one_that_led_before_leads() -> None:
    former = cost([1.5, 2.2, 1.9, 2.1, 2.0, 2.0, 2.1, 2.0, 1.9])
    assert in_order({"lucky": LUCKY, "former": former}) == ["lucky", "former"]
    assert in_order({"lucky": LUCKY, "former": former}, "former") == ["former", "lucky"]
    assert in_order({"lucky": LUCKY, "former": cost([2.3] * 9)}, "former") == ["lucky", "former"]
    assert in_order({"lucky": LUCKY}, "gone") == ["lucky"]
    assert in_order({}, "gone") == []


@pytest.mark.parametrize(("less", "first"), [(0.97, "former"), (0.9, "other")])
def test_after_three_turns_only_who_is_much_faster_leads(less: float, first: str) -> None:
    """Of equals, one in four is faster or slower in all three."""
    former = [2.0, 2.1, 1.99]
    costs = {"former": cost(former), "other": cost([less * each for each in former])}
    assert in_order(costs, "former")[0] == first


def test_it_leads_no_more_if_anybody_is_surely_faster() -> None:
    """Though it is as fast as the leader, as far as turns can tell."""
    leader = [1.7, 1.7, 1.7, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    former = [2.4, 2.4, 2.4, 1.9, 1.9, 1.9, 2.4, 1.9, 2.4]
    other = [2.1, 2.1, 2.1, 1.8, 1.8, 1.8, 2.1, 1.8, 2.1]
    costs = {"leader": cost(leader), "former": cost(former), "other": cost(other)}
    assert in_order({name: costs[name] for name in ("leader", "former")}, "former")[0] == "former"
    assert in_order(costs, "former")[0] == "leader"


def test_what_is_counted_is_in_order_of_its_cost() -> None:
    counters = Counters(packets=1, hvx_instructions=0, instructions=1, allocations=0, peak_heap_bytes=0)
    costs = {
        name: Cost(unit=PACKETS, turns=((value,),), counters=counters)
        for name, value in {"b": 1.001, "a": 1.0, "same": 1.0}.items()
    }
    assert in_order(costs) == ["a", "same", "b"]
    assert in_order(costs, "b") == ["a", "same", "b"]
    assert in_order(costs, "same") == ["same", "a", "b"]
