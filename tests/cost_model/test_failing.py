"""What fails is told by its numbers, first by other programs', then by its own pipeline's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hltune.cost_model.failing import LEAST_FAILED, Failing, fit_failing

COLUMNS = 6


def some(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, COLUMNS))


def learned(x: np.ndarray, failed: np.ndarray, start: Failing | None = None) -> Failing:
    found = fit_failing(x[~failed], x[failed], seed=0, start=start)
    assert found is not None
    return found


def test_chances_are_those_of_the_rule_and_add_up() -> None:
    """One in two of what is above 1 fails, whatever else it has."""
    x = some(3000, 0)
    failed = (x[:, 2] > 1) & (x[:, 4] > 0)
    known = learned(np.delete(x, 4, axis=1), failed)
    unseen = some(2000, 1)
    chances = known(np.delete(unseen, 4, axis=1))
    assert 0.35 < chances[unseen[:, 2] > 1.1].mean() < 0.65 and chances[unseen[:, 2] < 0.9].mean() < 0.05
    assert abs(chances.mean() - failed.mean()) < 0.03


def test_a_pipelines_own_failures_correct_what_others_say() -> None:
    x, own, unseen = some(2000, 0), some(60, 1), some(1000, 2)
    others = learned(x, x[:, 2] > 1)
    corrected = learned(own, (own[:, 2] > 1) | (own[:, 3] > 0.5), start=others)
    above, new = unseen[:, 2] > 1.2, (unseen[:, 2] < 0.8) & (unseen[:, 3] > 0.8)
    assert corrected(unseen)[above].mean() > 0.6
    assert corrected(unseen)[new].mean() > 4 * others(unseen)[new].mean()


def test_few_own_samples_do_not_outweigh_all_others() -> None:
    """What others are sure of, and is wrong here, moves by what was seen and no more."""
    x = some(2000, 0)
    others = replace(learned(x, x[:, 2] > 1), offset=-15.0)
    own = some(12, 1)
    corrected = learned(own, own[:, 3] > np.sort(own[:, 3])[-LEAST_FAILED - 1], start=others)
    moved = corrected.log_odds(x) - others.log_odds(x)
    assert 0.5 < np.abs(moved).max() < 20


def test_odds_beyond_all_floats_are_chances() -> None:
    sure = Failing(ensembles=learned(some(50, 0), some(50, 0)[:, 0] > 0).ensembles, offset=-1e4)
    assert np.all(sure(some(5, 1)) == 0)
    assert np.all(Failing(ensembles=sure.ensembles, offset=1e4)(some(5, 1)) == 1)


def test_too_few_failures_teach_nothing() -> None:
    x = some(50, 0)
    assert fit_failing(x, x[: LEAST_FAILED - 1], seed=0) is None
    assert fit_failing(x[:0], x, seed=0) is None
    start = learned(x, x[:, 0] > 0)
    assert fit_failing(x, x[: LEAST_FAILED - 1], seed=0, start=start) is start
    assert fit_failing(x, np.empty((0, 0)), seed=0) is None


def test_nothing_is_asked_of_nothing() -> None:
    x = some(50, 0)
    assert learned(x, x[:, 0] > 0)(np.empty((0, 0))).shape == (0,)
