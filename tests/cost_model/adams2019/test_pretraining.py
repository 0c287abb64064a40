from __future__ import annotations

import numpy as np
import pytest

from hltune.cost_model.adams2019.pretrainer import TrainingState, pretrain_weights
from hltune.cost_model.adams2019.recipe import Recipe
from hltune.cost_model.adams2019.weights import Weights, builtin_weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.adams2019.evaluation import evaluate
from hltune.values.errors import InputError
from tests.cost_model.conftest import make_dataset, perturbed


@pytest.fixture(scope="module")
def programs() -> list[Dataset]:
    truth = perturbed(builtin_weights(), seed=5, scale=0.4)
    return [make_dataset(seed, 16, noise=0.05, truth=truth) for seed in range(24)]


@pytest.mark.parametrize("loss", ["throughput", "log", "rank", "log+rank"])
def test_what_was_learned_holds_for_other_programs(loss: str, builtin: Weights, programs: list[Dataset]) -> None:
    recipe = Recipe(loss=loss)  # type: ignore[arg-type]
    start = TrainingState.start(builtin)
    trained = pretrain_weights(start, programs[:16], recipe, steps=300, initial=builtin, seed=0)
    before, after = (evaluate(weights, programs[16:]).pair_accuracy or 0 for weights in (builtin, trained.average))
    assert after > before + 0.02
    assert trained.optimizer.count == 300
    assert start.weights is builtin


def test_the_same_arguments_give_the_same_weights(builtin: Weights, programs: list[Dataset]) -> None:
    runs = [
        pretrain_weights(
            TrainingState.start(builtin), programs, Recipe(feature_noise=0.1), steps=40, initial=builtin, seed=1
        )
        for _ in range(2)
    ]
    assert all(np.array_equal(runs[0].average[name], runs[1].average[name]) for name in builtin)


def test_pull_keeps_weights_near_their_start(builtin: Weights, programs: list[Dataset]) -> None:
    def distance(pull: float) -> float:
        start = TrainingState.start(builtin)
        recipe = Recipe(l2_to_init=pull)
        weights = pretrain_weights(start, programs, recipe, steps=100, initial=builtin, seed=0).weights
        return sum(float(((weights[name] - builtin[name]) ** 2).sum()) for name in builtin)

    assert distance(1.0) < distance(0.0) / 2


def test_pipelines_of_all_sizes_are_stacked(builtin: Weights) -> None:
    mixed = [make_dataset(1, 16), make_dataset(2, 3), make_dataset(3, 40), make_dataset(4, 1)]
    state = pretrain_weights(TrainingState.start(builtin), mixed, Recipe(), steps=40, initial=builtin, seed=0)
    assert all(np.isfinite(values).all() for values in state.average.values())


def test_nothing_to_learn_from(builtin: Weights) -> None:
    with pytest.raises(InputError, match="no samples to train on"):
        pretrain_weights(TrainingState.start(builtin), [], Recipe(), steps=1, initial=builtin, seed=0)


def test_recipes_are_checked() -> None:
    with pytest.raises(InputError, match="averaging"):
        Recipe(ema_decay=1.0)
