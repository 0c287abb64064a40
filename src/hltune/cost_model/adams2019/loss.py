"""The loss of Adams2019 on schedules of one pipeline, padded to sizes that are compiled already.

| symbol | shape      | what                                                                     |
|--------|------------|--------------------------------------------------------------------------|
| r      | [N]        | measured running times in milliseconds                                   |
| p      | [N]        | predicted ones                                                           |
| best   |            | the smallest r of the pipeline                                           |
| Z      | [N, S, 32] | trunk of the network before its rectifier                                |

    loss = sum over n of (1 / max(p / best, 1e-10) - 1 / (r / best))^2  +  1e-5 * sum over n, s, c of max(0, -Z)

The first term compares throughputs relative to the fastest schedule, so that slow schedules hardly count. The second
one pulls coefficients back that are negative before the rectifier, where they have no other gradient.

Source: Halide 21, ``src/autoschedulers/adams2019/cost_model_generator.cpp``.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hltune.cost_model.adams2019.network import Arrays, forward, pad_schedules, pad_stages
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset
from hltune.values.features import Floats

_LEAST_RELATIVE_TIME = 1e-10
_NEGATIVE_COEFFICIENTS = 1e-5
_MS = 1e3


class MiniBatch(NamedTuple):
    """Some schedules of a pipeline, padded with zeros: running times of padding are 1.

    Attributes:
        schedule_count: N without padding.
        stage_count: S without padding.
    """

    pipeline: Floats
    schedules: Floats
    runtimes_ms: Floats
    best_ms: np.float32
    cores: np.float32
    schedule_count: np.int32
    stage_count: np.int32


def make_batch(samples: Dataset, *, best_s: float) -> MiniBatch:
    """Pads samples of a pipeline whose fastest schedule takes `best_s`."""
    schedules = pad_schedules(pad_stages(samples.schedules, axis=1))
    runtimes_ms = np.ones(len(schedules), dtype=np.float32)
    runtimes_ms[: len(samples)] = samples.runtimes_s * _MS
    return MiniBatch(
        pipeline=pad_stages(samples.pipeline, axis=0),
        schedules=schedules,
        runtimes_ms=runtimes_ms,
        best_ms=np.float32(best_s * _MS),
        cores=np.float32(samples.cores),
        schedule_count=np.int32(len(samples)),
        stage_count=np.int32(len(samples.pipeline)),
    )


def batch_loss(weights: Arrays, batch: MiniBatch) -> jax.Array:
    """The loss, a number; traceable."""
    predicted = forward(weights, jnp.asarray(batch.pipeline), jnp.asarray(batch.schedules), jnp.asarray(batch.cores))
    scheduled = jnp.arange(len(batch.schedules)) < batch.schedule_count
    staged = jnp.arange(len(batch.pipeline)) < batch.stage_count
    throughput = 1 / jnp.maximum(predicted.ms / batch.best_ms, _LEAST_RELATIVE_TIME)
    error = throughput - batch.best_ms / batch.runtimes_ms
    counted = scheduled[:, None, None] & staged[None, :, None]
    negative = jnp.where(counted, jax.nn.relu(-predicted.trunk), 0)
    return jnp.sum(jnp.where(scheduled, error, 0) ** 2) + _NEGATIVE_COEFFICIENTS * jnp.sum(negative)


def dataset_loss(weights: Weights, samples: Dataset, *, best_s: float | None = None) -> float:
    """The loss on all samples of a dataset at once; 0 without samples.

    Args:
        weights: of the network.
        samples: of one pipeline.
        best_s: of the fastest schedule of the pipeline, if it is not among the samples.
    """
    if len(samples) == 0:
        return 0.0
    best_s = float(samples.runtimes_s.min()) if best_s is None else best_s
    return float(_batch_loss(dict(weights), make_batch(samples, best_s=best_s)))


_batch_loss = jax.jit(batch_loss)
