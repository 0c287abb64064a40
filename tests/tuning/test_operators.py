from __future__ import annotations

import pytest

from hltune.search.operators import OPERATORS, Operator
from hltune.tuning import operators
from hltune.tuning.operators import Successes, Try


def tries(name: str, *, won: int, lost: int, failed: int = 0) -> list[Try]:
    costs = [0.5] * won + [1.5] * lost + [None] * failed
    return [Try(operators=(name,), cost=cost, parent_cost=1.0) for cost in costs]


def test_every_operator_has_a_chance_before_anything_is_known() -> None:
    weights = Successes.of([]).weights()
    assert weights.keys() == {each.name for each in OPERATORS}
    assert min(weights.values()) > 0
    assert weights["scale"] > weights["align"] > weights["parallel"]


def test_a_new_operator_needs_nothing_but_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Operator("new", lambda _: None)
    monkeypatch.setattr(operators, "OPERATORS", (*OPERATORS, new))
    weights = Successes.of([]).weights()
    assert min(weights.values()) < weights["new"] < max(weights.values())


def test_what_succeeds_is_tried_more_often() -> None:
    found = Successes.of([*tries("parallel", won=30, lost=10), *tries("scale", won=0, lost=200, failed=50)])
    assert found.tries == {"parallel": 40, "scale": 250} and found.wins == {"parallel": 30}
    weights, before = found.weights(), Successes.of([]).weights()
    assert weights["parallel"] > 10 * before["parallel"]
    assert weights["scale"] < 0.1 * before["scale"]
    assert weights["block"] == before["block"]


def test_a_win_is_faster_than_its_parent() -> None:
    assert Try(operators=("tail",), cost=0.97, parent_cost=1.0).won
    assert not Try(operators=("tail",), cost=0.99, parent_cost=1.0).won  # may be noise
    assert not Try(operators=("tail",), cost=None, parent_cost=1.0).won


def test_all_operators_of_a_mutant_count_once() -> None:
    found = Successes.of([Try(operators=("tail", "scale", "tail"), cost=0.5, parent_cost=1.0)])
    assert found.tries == found.wins == {"tail": 1, "scale": 1}
