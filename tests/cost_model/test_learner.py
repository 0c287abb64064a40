from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hltune.cost_model.adams2019.train import TrainingOptions
from hltune.cost_model.adams2019.weights import Weights, weights_hash
from hltune.cost_model.learner import learn
from tests.cost_model.conftest import make_dataset

QUICK = TrainingOptions(epochs=30)


def test_both_scorers_are_judged_on_what_they_did_not_see(builtin: Weights) -> None:
    samples = make_dataset(1, 200, noise=0.05)
    learned = learn(builtin, None, samples, QUICK, seed=0)
    assert [each.name for each in learned.validations] == ["network", "trees"]
    held_out = learned.held_out
    assert 15 < held_out < 60
    assert {each.pairs.total for each in learned.validations} == {held_out * (held_out - 1) // 2}
    best = max(learned.validations, key=lambda each: each.pairs.accuracy or 0)
    assert learned.selected == best.name and (best.pairs.accuracy or 0) > 0.75
    assert weights_hash(learned.weights) != weights_hash(builtin)
    assert learned.state is not None


def test_frozen_weights_and_few_samples(builtin: Weights) -> None:
    samples = make_dataset(2, 20)
    learned = learn(builtin, None, samples, None, seed=0)
    assert weights_hash(learned.weights) == weights_hash(builtin) and learned.state is None
    assert learned.validations == () and learned.held_out == 0
    scores = learned.predictor.predict(samples.schedules)
    assert np.isfinite(scores.mean).all()


@pytest.mark.parametrize("count", [70, 100, 140])
def test_noise_does_not_look_like_knowledge(builtin: Weights, count: int) -> None:
    accuracies: dict[str, list[float]] = {"network": [], "trees": []}
    for seed in (4, 5, 6, 7):
        samples = make_dataset(seed, count)
        noise = np.random.default_rng(0).permutation(samples.costs)
        shuffled = replace(samples, costs=noise)
        learned = learn(builtin, None, shuffled, QUICK, seed=0)
        for _ in range(3):  # what a round learned must not leak into the next one's evaluation
            learned = learn(learned.weights, learned.state, shuffled, QUICK, seed=0)
        for validation in learned.validations:
            accuracies[validation.name].append(validation.pairs.accuracy or 0)
    assert all(len(each) == 4 and 0.35 < np.mean(each) < 0.65 for each in accuracies.values()), accuracies
