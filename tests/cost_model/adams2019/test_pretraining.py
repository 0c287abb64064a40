"""Training with the options of pre-training: many pipelines with few schedules each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hltune.cost_model.adams2019.options import LossName, TrainingOptions, pretraining
from hltune.cost_model.adams2019.scorer import evaluate
from hltune.cost_model.adams2019.train import TrainingState, train
from hltune.cost_model.adams2019.weights import Weights, builtin_weights, weights_hash
from hltune.cost_model.dataset import Dataset
from hltune.values.errors import InputError
from tests.cost_model.conftest import accuracy, loss_of, make_dataset, perturbed

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def programs() -> list[Dataset]:
    truth = perturbed(builtin_weights(), seed=5, scale=0.4)
    return [make_dataset(seed, 16, noise=0.05, truth=truth) for seed in range(24)]


def trained(builtin: Weights, datasets: list[Dataset], options: TrainingOptions, *, seed: int = 0) -> TrainingState:
    return train(TrainingState.start(builtin), datasets, options, initial=builtin, seed=seed)


@pytest.mark.parametrize("loss", ["throughput", "log", "rank", "log+rank"])
def test_what_was_learned_holds_for_other_programs(loss: LossName, builtin: Weights, programs: list[Dataset]) -> None:
    learned, others = programs[:16], programs[16:]
    state = trained(builtin, learned, replace(pretraining(300), loss=loss))
    before, after = (evaluate(weights, others).pair_accuracy or 0 for weights in (builtin, state.average))
    assert after > before + 0.02
    assert state.optimizer.count == 300
    before, after = (sum(loss_of(weights, each, loss) for each in learned) for weights in (builtin, state.average))
    assert after < before


@pytest.mark.long
def test_the_same_arguments_give_the_same_weights(builtin: Weights, programs: list[Dataset]) -> None:
    one, again, other, quiet = (
        trained(builtin, programs, replace(pretraining(40), feature_noise=noise), seed=seed)
        for noise, seed in ((0.1, 1), (0.1, 1), (0.1, 2), (0.0, 1))
    )
    assert weights_hash(one.average) == weights_hash(again.average)
    assert len({weights_hash(state.average) for state in (one, other, quiet)}) == 3


@pytest.mark.long
def test_l2_keeps_weights_near_the_initial_ones(builtin: Weights, programs: list[Dataset]) -> None:
    def distance(l2_to_init: float) -> float:
        weights = trained(builtin, programs, replace(pretraining(100), l2_to_init=l2_to_init)).weights
        return sum(float(((weights[name] - builtin[name]) ** 2).sum()) for name in builtin)

    assert distance(1.0) < distance(0.0) / 2


def test_pipelines_of_all_sizes_are_learned_from(builtin: Weights) -> None:
    truth = perturbed(builtin_weights(), seed=5, scale=0.4)
    mixed = [make_dataset(seed, count, noise=0.05, truth=truth) for seed, count in ((1, 16), (2, 6), (3, 40), (4, 1))]
    state = trained(builtin, mixed, pretraining(600))
    for samples in mixed[:3]:
        assert loss_of(state.average, samples, "log+rank") < loss_of(builtin, samples, "log+rank") / 2
        assert accuracy(state.average, samples) > accuracy(builtin, samples)


@pytest.mark.long
def test_the_last_steps_are_averaged(builtin: Weights, programs: list[Dataset]) -> None:
    last, average = (
        trained(builtin, programs, replace(pretraining(100), ema_decay=decay, learning_rate=0.05))
        for decay in (0.0, 0.9)
    )
    assert weights_hash(last.average) == weights_hash(last.weights) == weights_hash(average.weights)
    assert weights_hash(average.average) != weights_hash(average.weights)


def test_divergence_is_an_error(builtin: Weights, programs: list[Dataset]) -> None:
    start = TrainingState.start({**builtin, "trunk_bias": np.full(32, 3e38, dtype=np.float32)})
    with pytest.raises(InputError, match="diverged"):
        train(start, programs, pretraining(20), initial=builtin, seed=0)
