"""Losses against their formulas, written out in NumPy."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from hltune.cost_model.adams2019.batches import make_batch
from hltune.cost_model.adams2019.losses import pipeline_loss
from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.options import LossName
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset
from tests.cost_model.conftest import loss, loss_of, make_dataset

gradient = jax.jit(jax.grad(pipeline_loss), static_argnums=2)


@pytest.fixture(scope="module")
def samples() -> Dataset:
    return make_dataset(3, 11)


def logs(weights: Weights, samples: Dataset) -> tuple[np.ndarray, np.ndarray]:
    predicted_ms = predict(weights, samples.pipeline, samples.schedules, samples.cores).astype(np.float64)
    return np.log(np.maximum(predicted_ms, 1e-9)), np.log(samples.costs * 1e3)


def negative(w: Weights, samples: Dataset) -> float:
    """The term of negative coefficients, stage by stage."""
    squashed = 1 / (1 + np.exp(-w["head1_filter"].astype(np.float64)))
    total = 0.0
    for schedule in samples.schedules.astype(np.float64):
        for stage, features in enumerate(schedule):
            a = w["head1_bias"] + (squashed * samples.pipeline[stage]).sum(axis=(1, 2))
            b = np.maximum(0, w["head2_bias"] + w["head2_filter"] @ np.log1p(features))
            total += np.maximum(0, -(w["trunk_bias"] + w["trunk_filter"] @ np.concatenate([a, b]))).sum()
    return 1e-5 * total / len(samples)


@pytest.mark.parametrize("best", [1.0, 0.3])  # the best schedule is in the batch, or is not
def test_throughput(builtin: Weights, samples: Dataset, best: float) -> None:
    p, r = (np.exp(values) for values in logs(builtin, samples))
    best_ms = best * r.min()
    squares = np.square(1 / np.maximum(p / best_ms, 1e-10) - best_ms / r).mean()
    found = loss_of(builtin, samples, best_cost=best * samples.best_cost)
    assert found == pytest.approx(squares + negative(builtin, samples), rel=1e-4)


def test_rank_over_all_pairs(builtin: Weights, samples: Dataset) -> None:
    p, t = logs(builtin, samples)
    total = weights = 0.0
    for fast in range(len(t)):
        for slow in range(len(t)):
            if t[fast] < t[slow]:
                weight = min(t[slow] - t[fast], 0.5) * np.exp(-0.5 * (t[fast] - t.min()))
                total += weight * np.logaddexp(0, (p[fast] - p[slow]) / 0.2)
                weights += weight
    both, log = (loss_of(builtin, samples, name) for name in ("log+rank", "log"))
    assert both - log == pytest.approx(total / weights, rel=1e-3)


def test_log(builtin: Weights, samples: Dataset) -> None:
    p, t = logs(builtin, samples)
    error = np.abs(p - t)
    limited = np.minimum(error, 3)
    expected = np.mean(np.exp(-0.5 * (t - t.min())) * (limited**2 + 6 * (error - limited)))
    assert loss_of(builtin, samples, "log") - negative(builtin, samples) == pytest.approx(expected, rel=1e-3)


def test_rank_does_not_care_for_the_scale_of_predictions(builtin: Weights, samples: Dataset) -> None:
    scaled = builtin | {name: 4 * builtin[name] for name in ("trunk_filter", "trunk_bias")}
    one, other = (loss_of(weights, samples, "rank") - negative(weights, samples) for weights in (builtin, scaled))
    assert one == pytest.approx(other, rel=1e-3)


@pytest.mark.parametrize("name", ["throughput", "log", "rank", "log+rank"])
def test_padding_changes_nothing_and_gradients_are_finite(name: LossName, builtin: Weights, samples: Dataset) -> None:
    batch = make_batch(samples, best_cost=samples.best_cost)
    wider = batch._replace(
        schedules=np.pad(batch.schedules, ((0, 16), (0, 4), (0, 0))),
        pipeline=np.pad(batch.pipeline, ((0, 4), (0, 0), (0, 0))),
        costs_ms=np.pad(batch.costs_ms, (0, 16), constant_values=1),
    )
    plain, padded = (float(loss(builtin, each, name=name)) for each in (batch, wider))
    assert plain == pytest.approx(padded, rel=1e-4)
    slopes = gradient(builtin, wider, name).values()
    assert all(np.isfinite(values).all() for values in slopes)
    assert any(np.abs(values).max() > 0 for values in slopes)
