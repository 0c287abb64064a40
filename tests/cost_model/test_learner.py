from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hltune.cost_model.adams2019.options import TUNING
from hltune.cost_model.adams2019.weights import Weights, weights_hash
from hltune.cost_model.learner import learn
from hltune.cost_model.metrics import count_pairs
from tests.cost_model.conftest import accuracy, loss_of, make_dataset

QUICK = replace(TUNING, epochs=30, time_limit_s=None)


def test_both_scorers_are_evaluated_on_what_they_did_not_see(builtin: Weights) -> None:
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
    # What chooses are the trees, which know more of these samples than the network does.
    assert learned.selected == "trees"
    found = count_pairs(learned.predictor(samples.schedules).mean, samples.costs).accuracy or 0
    assert found > max(0.8, accuracy(builtin, samples))


def test_the_epoch_is_chosen_only_by_enough_schedules(builtin: Weights) -> None:
    few, many = (
        learn(builtin, None, make_dataset(3, count, noise=1.0), replace(QUICK, learning_rate=0.05), seed=0).state
        for count in (40, 400)
    )
    assert few is not None and few.count == QUICK.epochs
    assert many is not None and many.count < QUICK.epochs


def test_learning_goes_on_where_it_stopped(builtin: Weights) -> None:
    samples = make_dataset(4, 60, noise=0.05)
    first = learn(builtin, None, samples, QUICK, seed=0)
    second = learn(first.weights, first.state, samples, QUICK, seed=0)
    assert second.state is not None and second.state.count == 2 * QUICK.epochs
    losses = [loss_of(weights, samples) for weights in (builtin, first.weights, second.weights)]
    assert losses[0] > losses[1] > losses[2]


MANY = [pytest.param(70, marks=pytest.mark.long), 100, pytest.param(140, marks=pytest.mark.long)]


@pytest.mark.parametrize("count", MANY)
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
