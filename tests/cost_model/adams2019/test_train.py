from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hltune.cost_model.adams2019.loss import dataset_loss
from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.optimizer import decode_state, encode_state
from hltune.cost_model.adams2019.train import TrainingOptions, rescaled, split, train
from hltune.cost_model.adams2019.weights import Weights, weights_hash
from hltune.values.errors import InputError
from tests.cost_model.conftest import make_dataset

PLAIN = TrainingOptions(epochs=6, held_out=0, l2_to_init=0)


def test_two_short_runs_are_one_long_run(builtin: Weights) -> None:
    datasets = [make_dataset(seed, 30) for seed in (1, 2)]
    options = replace(PLAIN, batch_size=16)
    long = train(builtin, datasets, options, seed=3)
    first = train(builtin, datasets, replace(options, epochs=2), seed=3)
    state = decode_state(encode_state(first.optimizer_state), where="file")
    second = train(first.weights, datasets, replace(options, epochs=4), seed=3, optimizer_state=state)
    assert weights_hash(second.weights) == weights_hash(long.weights)
    assert second.optimizer_state.count == long.optimizer_state.count == 6 * 2 * 2
    assert long.best_epoch == 6 and long.metrics[-1].held_out_loss is None
    # Without the state it would be another run.
    assert weights_hash(train(first.weights, datasets, replace(options, epochs=4), seed=3).weights) != weights_hash(
        long.weights
    )


def test_best_epoch_is_restored(builtin: Weights) -> None:
    options = TrainingOptions(epochs=25, learning_rate=0.05, rescale=False)
    training, held_out = split([make_dataset(5, 60, noise=1.0)], 0.3)
    trained = train(builtin, training, options, seed=0, held_out=held_out)
    losses = [epoch.held_out_loss for epoch in trained.metrics]
    assert [epoch.epoch for epoch in trained.metrics] == list(range(26))
    assert None not in losses and trained.best_epoch == int(np.argmin(losses)) < 25
    # The weights are those of that epoch, and so is the state.
    assert trained.optimizer_state.count == trained.best_epoch
    best_s = min(each.costs.min() for each in (*training, *held_out))
    again = dataset_loss(trained.weights, held_out[0], best_s=best_s) / len(held_out[0])
    assert again == pytest.approx(min(losses), rel=1e-5)


def test_held_out_schedules_stay_held_out() -> None:
    large = make_dataset(8, 100)
    keep = np.arange(100) < 50
    (training,), (held_out,) = split([large], 0.25)
    (_,), (small,) = split([large.where(keep)], 0.25)
    assert 5 < len(held_out) < 50 and len(training) + len(held_out) == 100
    known = {schedule.tobytes() for schedule in held_out.schedules}
    assert {schedule.tobytes() for schedule in small.schedules} <= known


def test_few_samples_are_all_trained_on(builtin: Weights) -> None:
    trained = train(builtin, [make_dataset(9, 12)], TrainingOptions(epochs=2), seed=0)
    assert trained.metrics[-1].held_out_loss is None and trained.best_epoch == 2


def test_rescaling_mends_the_median(builtin: Weights) -> None:
    samples = make_dataset(10, 31)
    weights = rescaled(builtin, [samples])
    predicted_s = predict(weights, samples.pipeline, samples.schedules, 2) / 1e3
    assert np.median(samples.costs / predicted_s) == pytest.approx(1, rel=1e-3)
    order = np.argsort(predict(builtin, samples.pipeline, samples.schedules, 2))
    assert (np.diff(predicted_s[order]) >= 0).all()


def test_pull_keeps_the_start_near(builtin: Weights) -> None:
    def distance(l2_to_init: float) -> float:
        options = replace(PLAIN, epochs=40, l2_to_init=l2_to_init, rescale=False)
        weights = train(builtin, [make_dataset(11, 30)], options, seed=0).weights
        return sum(float(np.square(weights[name] - builtin[name]).sum()) for name in builtin)

    assert distance(10.0) < 0.5 * distance(0.0)


def test_time_limit_ends_training(builtin: Weights) -> None:
    options = replace(PLAIN, epochs=10**6, time_limit_s=1e-9)
    assert train(builtin, [make_dataset(12, 9)], options, seed=0).best_epoch <= 1


def test_start_is_not_touched(builtin: Weights) -> None:
    before = weights_hash(builtin)
    train(builtin, [make_dataset(13, 9)], PLAIN, seed=0)
    assert weights_hash(builtin) == before


def test_no_samples(builtin: Weights) -> None:
    with pytest.raises(InputError, match="no samples"):
        train(builtin, [], PLAIN, seed=0)
    with pytest.raises(InputError, match="no samples"):
        train(builtin, [make_dataset(14, 0)], PLAIN, seed=0)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"learning_rate": 0.0},
        {"held_out": 1.0},
        {"l2_to_init": -1.0},
        {"batch_size": 0},
        {"time_limit_s": 0.0},
    ],
)
def test_options_are_checked(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match="out of range"):
        TrainingOptions(**change)
