"""Losses against their formulas, written out in NumPy."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from hltune.cost_model.adams2019.loss import batch_loss, make_batch
from hltune.cost_model.adams2019.losses import pipeline_loss
from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset
from tests.cost_model.conftest import make_dataset


@pytest.fixture(scope="module")
def samples() -> Dataset:
    return make_dataset(3, 11)


def logs(weights: Weights, samples: Dataset) -> tuple[np.ndarray, np.ndarray]:
    predicted_ms = predict(weights, samples.pipeline, samples.schedules, samples.cores).astype(np.float64)
    return np.log(np.maximum(predicted_ms, 1e-9)), np.log(samples.costs * 1e3)


def best_s(samples: Dataset) -> float:
    return float(samples.costs.min())


def negative(weights: Weights, samples: Dataset) -> float:
    """The term of negative coefficients: what the loss of Adams2019 has besides its squares."""
    p, t = (np.exp(values) for values in logs(weights, samples))
    squares = float(np.mean((t.min() / p - t.min() / t) ** 2))
    batch = make_batch(samples, best_s=best_s(samples))
    return float(batch_loss(weights, batch)) / len(samples) - squares


def test_throughput_is_the_loss_of_adams2019_per_schedule(builtin: Weights, samples: Dataset) -> None:
    batch = make_batch(samples, best_s=best_s(samples))
    expected = float(batch_loss(builtin, batch)) / len(samples)
    assert float(pipeline_loss(builtin, batch, "throughput")) == pytest.approx(expected, rel=1e-4)


def test_rank_over_all_pairs(builtin: Weights, samples: Dataset) -> None:
    p, t = logs(builtin, samples)
    total = weights = 0.0
    for fast in range(len(t)):
        for slow in range(len(t)):
            if t[fast] < t[slow]:
                weight = min(t[slow] - t[fast], 0.5) * np.exp(-0.5 * (t[fast] - t.min()))
                total += weight * np.logaddexp(0, (p[fast] - p[slow]) / 0.2)
                weights += weight
    batch = make_batch(samples, best_s=best_s(samples))
    both, log = (float(pipeline_loss(builtin, batch, name)) for name in ("log+rank", "log"))
    assert both - log == pytest.approx(total / weights, rel=1e-3)


def test_log(builtin: Weights, samples: Dataset) -> None:
    p, t = logs(builtin, samples)
    error = np.abs(p - t)
    limited = np.minimum(error, 3)
    expected = np.mean(np.exp(-0.5 * (t - t.min())) * (limited**2 + 6 * (error - limited)))
    batch = make_batch(samples, best_s=best_s(samples))
    assert float(pipeline_loss(builtin, batch, "log")) - negative(builtin, samples) == pytest.approx(expected, rel=1e-3)


def test_rank_does_not_care_for_the_scale_of_predictions(builtin: Weights, samples: Dataset) -> None:
    scaled = builtin | {name: 4 * builtin[name] for name in ("trunk_filter", "trunk_bias")}
    batch = make_batch(samples, best_s=best_s(samples))
    one, other = (
        float(pipeline_loss(weights, batch, "rank")) - negative(weights, samples) for weights in (builtin, scaled)
    )
    assert one == pytest.approx(other, rel=1e-2)


@pytest.mark.parametrize("name", ["throughput", "log", "rank", "log+rank"])
def test_padding_changes_nothing_and_gradients_are_finite(name: str, builtin: Weights, samples: Dataset) -> None:
    batch = make_batch(samples, best_s=best_s(samples))
    wider = batch._replace(
        schedules=np.pad(batch.schedules, ((0, 16), (0, 4), (0, 0))),
        pipeline=np.pad(batch.pipeline, ((0, 4), (0, 0), (0, 0))),
        runtimes_ms=np.pad(batch.runtimes_ms, (0, 16), constant_values=1),
    )
    assert float(pipeline_loss(builtin, batch, name)) == pytest.approx(
        float(pipeline_loss(builtin, wider, name)), rel=1e-4
    )
    gradient = jax.grad(lambda weights: pipeline_loss(weights, wider, name))(builtin)
    assert all(np.isfinite(values).all() for values in gradient.values())
    assert any(np.abs(values).max() > 0 for values in gradient.values())
