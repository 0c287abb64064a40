from __future__ import annotations

import jax
import numpy as np
import pytest

from hltune.cost_model.adams2019.batches import make_batch
from hltune.cost_model.adams2019.losses import pipeline_loss
from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.options import LossName
from hltune.cost_model.adams2019.weights import Weights, builtin_weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.features import SCHEDULE_FEATURES
from hltune.cost_model.metrics import count_pairs
from hltune.values.features import Floats

STAGES = 3

loss = jax.jit(pipeline_loss, static_argnames="name")
"""Compiled once for each size, not operation by operation."""


def make_pipeline(rng: np.random.Generator, stages: int = STAGES) -> Floats:
    return rng.integers(0, 8, size=(stages, 40, 7)).astype(np.float32)


def make_schedules(rng: np.random.Generator, count: int, stages: int = STAGES) -> Floats:
    """Features that reach every branch: some inlined, some serial, some parallel, sizes over many magnitudes."""
    values = np.floor(np.exp(rng.uniform(0, 12, size=(count, stages, len(SCHEDULE_FEATURES)))))
    for name in ("inlined_calls", "inner_parallelism", "outer_parallelism", "vector_size", "unrolled_loop_extent"):
        values[..., SCHEDULE_FEATURES.index(name)] = rng.choice([0, 1, 4, 16], size=(count, stages))
    return values.astype(np.float32)


def make_dataset(seed: int, count: int, *, noise: float = 0.2, truth: Weights | None = None) -> Dataset:
    """Costs by a network whose weights differ from the built-in ones, with noise."""
    rng = np.random.default_rng(seed)
    pipeline, schedules = make_pipeline(rng), make_schedules(rng, count)
    predicted_ms = predict(truth or perturbed(builtin_weights(), seed=99), pipeline, schedules, 2)
    costs = predicted_ms.astype(np.float64) / 1e3 * np.exp(noise * rng.standard_normal(count))
    return Dataset(pipeline=pipeline, schedules=schedules, costs=costs, cores=2)


def perturbed(weights: Weights, *, seed: int, scale: float = 0.05) -> Weights:
    rng = np.random.default_rng(seed)
    return {
        name: values + np.float32(scale) * rng.standard_normal(values.shape, dtype=np.float32)
        for name, values in weights.items()
    }


def loss_of(weights: Weights, samples: Dataset, name: LossName = "throughput", best_cost: float | None = None) -> float:
    """The loss per schedule."""
    return float(loss(weights, make_batch(samples, best_cost=best_cost or samples.best_cost), name=name))


def accuracy(weights: Weights, samples: Dataset) -> float:
    """Share of the pairs that the network orders rightly."""
    predicted = predict(weights, samples.pipeline, samples.schedules, samples.cores)
    return count_pairs(predicted, samples.costs).accuracy or 0.0


@pytest.fixture(scope="session")
def builtin() -> Weights:
    return builtin_weights()
