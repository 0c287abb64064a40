from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.cost_model.metrics import count_pairs, r2_of_logs, r2_of_throughputs, regret_at

# Few values, so that ties are common.
TIMES = st.sampled_from([0.5, 1.0, 2.0, 3.0, 7.0])
SAMPLES = st.lists(st.tuples(TIMES, TIMES), max_size=12)


def columns(samples: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [p for p, _ in samples], [m for _, m in samples]


@given(SAMPLES)
def test_pairs_by_brute_force(samples: list[tuple[float, float]]) -> None:
    right, total = 0.0, 0
    for p1, m1 in samples:
        for p2, m2 in samples:
            if m1 < m2:
                total += 1
                right += 1.0 if p1 < p2 else 0.5 if p1 == p2 else 0.0
    pairs = count_pairs(*columns(samples))
    assert (pairs.right, pairs.total, pairs.accuracy) == (right, total, right / total if total else None)


@given(SAMPLES, st.integers(1, 5))
def test_regret_by_brute_force(samples: list[tuple[float, float]], k: int) -> None:
    found = regret_at(k, *columns(samples))
    if not samples:
        assert found is None
        return
    chosen = sorted(samples, key=lambda sample: (sample[0], -sample[1]))[:k]
    assert found == min(m for _, m in chosen) / min(m for _, m in samples)


@given(SAMPLES)
def test_r2_by_brute_force(samples: list[tuple[float, float]]) -> None:
    predicted, measured = columns(samples)
    found = r2_of_logs(predicted, measured)
    if len(set(measured)) < 2:
        assert found is None
        return
    logs = [math.log(m) for m in measured]
    mean = sum(logs) / len(logs)
    residual = sum((log - math.log(p)) ** 2 for log, p in zip(logs, predicted, strict=True))
    assert found == pytest.approx(1 - residual / sum((log - mean) ** 2 for log in logs))


def test_many_samples_are_counted_in_parts() -> None:
    rng = np.random.default_rng(0)
    p, m = rng.integers(0, 50, size=(2, 1300))
    difference = (p[:, None] < p[None, :]) + 0.5 * (p[:, None] == p[None, :])
    faster = m[:, None] < m[None, :]
    pairs = count_pairs(p, m)
    assert (pairs.right, pairs.total) == (difference[faster].sum(), faster.sum())


def test_no_and_one_sample() -> None:
    assert count_pairs([], []).accuracy is None and count_pairs([1.0], [2.0]).accuracy is None
    assert regret_at(1, [], []) is None and regret_at(1, [5.0], [2.0]) == 1.0
    assert r2_of_logs([], []) is None and r2_of_logs([1.0], [2.0]) is None


@pytest.mark.parametrize(("p", "m"), [([1.0], [1.0, 2.0]), ([float("nan")], [1.0]), ([[1.0]], [[1.0]])])
def test_misuse_raises(p: list[float], m: list[float]) -> None:
    with pytest.raises(ValueError):
        count_pairs(p, m)


def test_r2_of_throughputs_by_hand() -> None:
    measured = [1.0, 2.0, 4.0]  # throughputs 1, 1/2, 1/4 of the best
    assert r2_of_throughputs([3.0, 6.0, 12.0], measured) == pytest.approx(1.0)  # the scale does not matter
    wanted, found = np.array([1, 0.5, 0.25]), np.array([0.5, 1, 0.25])
    variance = ((wanted - wanted.mean()) ** 2).sum()
    assert r2_of_throughputs([2.0, 1.0, 4.0], measured) == pytest.approx(1 - ((wanted - found) ** 2).sum() / variance)
    assert r2_of_throughputs([1.0, 2.0], [3.0, 3.0]) is None
    with pytest.raises(ValueError, match="above 0"):
        r2_of_throughputs([0.0, 1.0], [1.0, 2.0])
