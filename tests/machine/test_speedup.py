from __future__ import annotations

import numpy as np
import pytest

from hltune.machine.speedup import speedup
from hltune.values.cost import Cost
from hltune.values.unit import MILLISECONDS


def cost(values: list[float]) -> Cost:
    return Cost(unit=MILLISECONDS, turns=tuple((value * 1.3, value) for value in values))


def test_what_disturbs_a_turn_disturbs_both() -> None:
    disturbed = np.array([1.0, 3.0, 1.0, 2.0, 1.1])
    found = speedup(cost((2.0 * disturbed).tolist()), cost(disturbed.tolist()))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        a, b = np.exp(0.1 * rng.standard_normal((2, 15)))
        found = speedup(cost((1.5 * a).tolist()), cost(b.tolist()))
        assert found is not None and found.low <= found.value <= found.high
        covered += found.low <= 1.5 <= found.high
    assert covered >= 0.85 * 200


def test_too_few_turns_say_nothing() -> None:
    assert speedup(cost([1.0, 1.0]), cost([1.0, 1.0, 1.0])) is None
