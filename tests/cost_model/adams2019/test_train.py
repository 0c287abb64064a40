from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from hltune.cost_model.adams2019.batches import make_batch
from hltune.cost_model.adams2019.losses import pipeline_loss
from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.optimizer import decode_state, encode_state
from hltune.cost_model.adams2019.options import TUNING, TrainingOptions
from hltune.cost_model.adams2019.train import TrainingState, rescaled, train
from hltune.cost_model.adams2019.weights import Weights, weights_hash
from hltune.values.errors import InputError
from tests.cost_model.conftest import loss_of, make_dataset

PLAIN = replace(TUNING, epochs=6, l2_to_init=0, time_limit_s=None)


@pytest.mark.long
def test_steps_are_those_of_adam_with_l2_and_an_average(builtin: Weights) -> None:
    samples = make_dataset(3, 20)
    options = TrainingOptions(learning_rate=0.01, epsilon=1e-3, epochs=12, l2_to_init=0.02, ema_decay=0.5)
    found = train(TrainingState.start(builtin), [samples], options, initial=builtin, seed=0)

    gradient_of = jax.grad(pipeline_loss)
    batch = make_batch(samples, best_cost=samples.best_cost)
    weights = {name: values.astype(np.float64) for name, values in builtin.items()}
    average, mean, square = dict(weights), *(dict.fromkeys(weights, 0.0) for _ in range(2))
    for step in range(1, 13):
        gradient = gradient_of(
            {name: values.astype(np.float32) for name, values in weights.items()}, batch, "throughput"
        )
        old = min(0.5, step / (step + 10))
        for name in weights:
            g = np.asarray(gradient[name]) + 2 * 0.02 * (weights[name] - builtin[name])
            mean[name] = 0.9 * mean[name] + 0.1 * g
            square[name] = 0.999 * square[name] + 0.001 * g**2
            root = np.sqrt(square[name] / (1 - 0.999**step))
            weights[name] = weights[name] - 0.01 * mean[name] / (1 - 0.9**step) / (root + 1e-3)
            average[name] = old * average[name] + (1 - old) * weights[name]
    assert found.optimizer.count == 12
    for name in weights:
        np.testing.assert_allclose(found.weights[name], weights[name], atol=2e-4, err_msg=name)
        np.testing.assert_allclose(found.average[name], average[name], atol=2e-4, err_msg=name)
        np.testing.assert_allclose(found.optimizer.mean[name], mean[name], rtol=0.02, atol=1e-4, err_msg=name)
    assert max(np.abs(weights[name] - builtin[name]).max() for name in weights) > 0.05


def test_two_short_runs_are_one_long_run(builtin: Weights) -> None:
    datasets = [make_dataset(seed, 30) for seed in (1, 2)]
    options = replace(PLAIN, batch_size=16)
    start = TrainingState.start(builtin)
    long = train(start, datasets, options, initial=builtin, seed=3)
    first = train(start, datasets, replace(options, epochs=2), initial=builtin, seed=3)
    state = decode_state(encode_state(first.optimizer), where="file")
    rest = replace(options, epochs=4)
    second = train(TrainingState.start(first.weights, state), datasets, rest, initial=builtin, seed=3)
    assert weights_hash(second.weights) == weights_hash(long.weights)
    assert second.optimizer.count == long.optimizer.count == 6 * 2 * 2
    # Without the state it would be another run.
    other = train(TrainingState.start(first.weights), datasets, rest, initial=builtin, seed=3)
    assert weights_hash(other.weights) != weights_hash(long.weights)


def test_the_epoch_that_is_best_on_held_out_schedules_is_kept(builtin: Weights) -> None:
    samples = make_dataset(5, 60, noise=1.0)
    mask = samples.shares() < 0.3
    training, held_out = samples.where(~mask), samples.where(mask)
    options = replace(PLAIN, epochs=25, learning_rate=0.05)
    start = TrainingState.start(builtin)
    states = [start]
    for _ in range(options.epochs):
        states.append(train(states[-1], [training], replace(options, epochs=1), initial=builtin, seed=0))
    losses = [loss_of(state.weights, held_out, best_cost=samples.best_cost) for state in states]
    best = int(np.argmin(losses))
    assert 0 < best < 25
    kept = train(start, [training], options, initial=builtin, seed=0, held_out=[held_out])
    assert kept.optimizer.count == best
    assert weights_hash(kept.weights) == weights_hash(kept.average) == weights_hash(states[best].weights)


def test_rescaling_corrects_the_median(builtin: Weights) -> None:
    samples = make_dataset(10, 31)
    weights = rescaled(builtin, [samples])
    predicted = predict(weights, samples.pipeline, samples.schedules, 2) / 1e3
    assert np.median(samples.costs / predicted) == pytest.approx(1, rel=1e-3)
    order = np.argsort(predict(builtin, samples.pipeline, samples.schedules, 2))
    assert (np.diff(predicted[order]) >= 0).all()


def test_l2_keeps_the_initial_weights_near(builtin: Weights) -> None:
    def distance(l2_to_init: float) -> float:
        options = replace(PLAIN, epochs=40, l2_to_init=l2_to_init)
        start = TrainingState.start(builtin)
        weights = train(start, [make_dataset(11, 30)], options, initial=builtin, seed=0).weights
        return sum(float(np.square(weights[name] - builtin[name]).sum()) for name in builtin)

    assert distance(10.0) < 0.5 * distance(0.0)


def test_time_limit_ends_training(builtin: Weights) -> None:
    options = replace(PLAIN, epochs=10**6, time_limit_s=1e-9)
    trained = train(TrainingState.start(builtin), [make_dataset(12, 9)], options, initial=builtin, seed=0)
    assert trained.optimizer.count <= 1


def test_start_is_not_touched(builtin: Weights) -> None:
    before = weights_hash(builtin)
    trained = train(TrainingState.start(builtin), [make_dataset(13, 9)], PLAIN, initial=builtin, seed=0)
    assert weights_hash(builtin) == before != weights_hash(trained.weights)


@pytest.mark.parametrize("options", [PLAIN, replace(PLAIN, steps=20)], ids=["passes", "draws"])
def test_no_samples(builtin: Weights, options: TrainingOptions) -> None:
    for datasets in ([], [make_dataset(14, 0)]):
        with pytest.raises(InputError, match="no samples"):
            train(TrainingState.start(builtin), datasets, options, initial=builtin, seed=0)
