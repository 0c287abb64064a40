from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hltune.cost_model.acquisition import choose
from hltune.cost_model.scorer import Scores
from tests.cost_model.conftest import make_schedules


def scores(mean: np.ndarray, spread: float = 0.0) -> Scores:
    return Scores(mean=mean.astype(np.float64), spread=np.full(len(mean), spread))


def keys(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def alike(schedules: np.ndarray) -> list[str]:
    return [schedule.tobytes().hex() for schedule in schedules]


@given(st.integers(1, 40), st.integers(1, 50), st.floats(0, 1), st.integers(0, 99), st.booleans())
def test_chooses_as_many_as_there_are_and_none_twice(
    candidates: int, count: int, random_share: float, seed: int, known: bool
) -> None:
    rng = np.random.default_rng(seed)
    schedules = make_schedules(rng, 8)[rng.integers(8, size=candidates)]  # some are the same
    given_scores = scores(rng.random(candidates), 0.1) if known else None
    chosen = choose(given_scores, alike(schedules), count, random_share=random_share, rng=rng)
    assert len(chosen) == len(set(chosen)) == min(count, candidates)
    # All kinds come before any of them comes again.
    kinds = [schedules[index].tobytes() for index in chosen]
    distinct = len({schedule.tobytes() for schedule in schedules})
    assert len(set(kinds)) == min(distinct, len(kinds))


@given(st.integers(1, 60), st.integers(1, 80), st.floats(0, 1), st.integers(0, 99), st.booleans())
def test_what_the_rule_says_is_chosen(pool: int, count: int, random_share: float, seed: int, known: bool) -> None:
    """The rule as it is written, with sets of keys: the same draws, and the same choices."""
    rng = np.random.default_rng(seed)
    features = [str(number) for number in rng.integers(12, size=pool)]
    given_scores = scores(rng.random(pool), 0.2) if known else None
    failing = rng.random(pool)
    chosen = choose(
        given_scores, features, count, random_share=random_share, rng=np.random.default_rng(seed), failing=failing
    )
    again, left, taken, expected = np.random.default_rng(seed), [*range(pool)], set[str](), list[int]()
    while len(expected) < count and left:
        fresh = [number for number in left if features[number] not in taken]
        if not fresh:
            taken.clear()
            continue
        if given_scores is None or again.random() < random_share:
            index = int(again.choice(fresh))
        else:
            drawn = given_scores.mean + given_scores.spread * again.standard_normal(pool)
            drawn[again.random(pool) < failing] += 1e6
            index = min(fresh, key=lambda number: drawn[number])
        expected.append(index)
        left.remove(index)
        taken.add(features[index])
    assert chosen == expected


def test_without_spread_or_chance_the_best_come_first() -> None:
    rng = np.random.default_rng(0)
    mean = rng.permutation(50)
    chosen = choose(scores(mean), keys(50), 10, random_share=0.0, rng=rng)
    assert mean[chosen].tolist() == list(range(10))


def test_uncertain_candidates_get_their_chance() -> None:
    rng = np.random.default_rng(0)
    mean, spread = np.zeros(100), np.full(100, 0.01)
    mean[50:], spread[50:] = 0.5, 1.0
    given_scores = Scores(mean=mean, spread=spread)
    chosen = choose(given_scores, keys(100), 20, random_share=0.0, rng=rng)
    assert sum(index >= 50 for index in chosen) > 10


def test_what_is_likely_to_fail_comes_last() -> None:
    rng = np.random.default_rng(0)
    mean, failing = np.arange(40.0), np.where(np.arange(40) < 20, 0.999, 0.001)
    chosen = choose(scores(mean), keys(40), 40, random_share=0.0, rng=rng, failing=failing)
    assert sum(index < 20 for index in chosen[:20]) <= 2 and sorted(chosen) == list(range(40))


def test_a_share_is_chosen_at_random() -> None:
    rng = np.random.default_rng(0)
    mean = np.arange(1000.0)
    chosen = choose(scores(mean), keys(1000), 100, random_share=0.3, rng=rng)
    assert 15 < sum(index >= 100 for index in chosen) < 45
