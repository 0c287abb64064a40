from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from hltune.cost_model.adams2019.scorer import NetworkScorer
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.metrics import count_pairs
from hltune.cost_model.scorer import Scorer, validate
from hltune.cost_model.trees import TreeScorer
from hltune.values.errors import InputError
from tests.cost_model.conftest import make_dataset

SCORERS: dict[str, Callable[[Weights], Scorer]] = {
    "network": lambda weights: NetworkScorer(weights=weights),
    "trees": lambda weights: TreeScorer(weights=weights, seed=0),
}


@pytest.fixture(params=SCORERS)
def scorer(request: pytest.FixtureRequest, builtin: Weights) -> Scorer:
    return SCORERS[request.param](builtin)


def test_learns_something(scorer: Scorer) -> None:
    samples = make_dataset(1, 120, noise=0.05)
    train = np.arange(120) < 90
    scores = scorer.fit(samples.where(train))(samples.schedules[~train])
    assert scores.mean.shape == scores.spread.shape == (30,)
    assert (scores.spread >= 0).all() and np.isfinite(scores.mean).all()
    assert (count_pairs(scores.mean, samples.costs[~train]).accuracy or 0) > 0.7
    # Of the costs, not of milliseconds.
    assert abs(np.median(scores.mean - np.log(samples.costs[~train]))) < 0.5


def test_is_deterministic_and_silent(scorer: Scorer, capfd: pytest.CaptureFixture[str]) -> None:
    samples = make_dataset(2, 40)
    first, second = (scorer.fit(samples)(samples.schedules) for _ in range(2))
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.spread, second.spread)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_samples(scorer: Scorer, count: int) -> None:
    samples = make_dataset(3, count)
    scores = scorer.fit(samples)(samples.schedules)
    logs = np.log(samples.costs)
    assert (scores.mean > logs.min() - 1).all() and (scores.mean < logs.max() + 1).all()
    assert (scores.spread >= 0).all() and (scores.spread <= np.ptp(logs) + 1).all()
    assert scorer.fit(samples)(samples.schedules[:0]).mean.shape == (0,)


def test_no_samples(scorer: Scorer) -> None:
    with pytest.raises(InputError, match="no samples"):
        scorer.fit(make_dataset(4, 0))


def test_the_better_one_chooses(builtin: Weights) -> None:
    samples = make_dataset(5, 60, noise=0.05)
    fold = np.random.default_rng(0).permutation(60) % 4
    folds = [fold == number for number in range(4)]
    validations = [validate(make(builtin), samples, folds) for make in SCORERS.values()]
    assert [each.name for each in validations] == ["network", "trees"]
    # Every pair within a fold of 15, and no other.
    assert all(each.pairs.total == 4 * 15 * 14 // 2 for each in validations)
    assert all(each.regret_at_1 >= 1 and each.r2 is not None for each in validations)


def test_commands_do_not_import_the_heavy_libraries() -> None:
    code = "import sys, hltune.cli.main, hltune.cost_model.adams2019.weights as _; "
    code += "print({'jax', 'optax', 'lightgbm'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
