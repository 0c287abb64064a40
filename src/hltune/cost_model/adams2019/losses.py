"""Losses on the schedules of one pipeline.

| symbol | shape      | what                                                                                      |
|--------|------------|-------------------------------------------------------------------------------------------|
| p      | [N]        | predicted costs in milliseconds                                                           |
| r      | [N]        | measured ones                                                                             |
| best   |            | the smallest r of the pipeline                                                            |
| w      | [N]        | weight of a schedule, (r / best)^-1/2                                                     |
| Z      | [N, S, 32] | trunk of the network before its rectifier                                                 |

- throughput: mean of (1 / max(p / best, 1e-10) - best / r)^2. It compares throughputs relative to the fastest schedule,
  so that slow schedules hardly count.
- log: mean of w (ln p - ln r)^2, with the differences limited, so that what no model can know does not rule.
- rank: mean over pairs of ln(1 + exp(-(ln p_slow - ln p_fast) / 0.2)), each pair with a weight that grows with its
  difference and with the w of its faster schedule. It does not care for the scale of predictions.

All of them also have the term 1e-5 / N * sum over n, s, c of max(0, -Z), which pulls coefficients back that are
negative before the rectifier, where they have no other gradient.

Source: throughput and the last term, but for N: Halide 21, ``src/autoschedulers/adams2019/cost_model_generator.cpp``;
the pairwise loss: Burges et al., "Learning to Rank using Gradient Descent", ICML 2005.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from hltune.cost_model.adams2019.batches import MiniBatch
from hltune.cost_model.adams2019.network import Arrays, forward
from hltune.cost_model.adams2019.options import LossName

_LEAST_MS = 1e-9
_LEAST_RELATIVE_TIME = 1e-10
_NEGATIVE_COEFFICIENTS = 1e-5
_LARGEST_ERROR = 3.0
"""Difference of logarithms beyond which the loss grows linearly."""
_TEMPERATURE = 0.2
_LARGEST_DIFFERENCE = 0.5
"""Difference of logarithms beyond which a pair does not weigh more."""


def pipeline_loss(weights: Arrays, batch: MiniBatch, name: LossName) -> jax.Array:
    """The loss on one pipeline, a number; traceable."""
    ms, trunk = forward(weights, jnp.asarray(batch.pipeline), jnp.asarray(batch.schedules), jnp.asarray(batch.cores))
    scheduled = jnp.arange(batch.schedules.shape[0]) < batch.schedule_count
    staged = jnp.arange(batch.pipeline.shape[0]) < batch.stage_count
    costs = _Costs(ms, jnp.asarray(batch.costs_ms), jnp.asarray(batch.best_ms), scheduled)
    counted = scheduled[:, None, None] & staged[None, :, None]
    negative = jnp.where(counted, jax.nn.relu(-trunk), 0)
    loss = _NEGATIVE_COEFFICIENTS * jnp.sum(negative) / batch.schedule_count
    for term in name.split("+"):
        loss += _TERMS[term](costs)
    return loss


class _Costs(NamedTuple):
    """Milliseconds; `scheduled` is the mask of schedules that are not padding."""

    predicted: jax.Array
    measured: jax.Array
    best: jax.Array
    scheduled: jax.Array

    def logs(self) -> tuple[jax.Array, jax.Array]:
        return jnp.log(jnp.maximum(self.predicted, _LEAST_MS)), jnp.log(self.measured)

    def importance(self) -> jax.Array:
        return jnp.exp(-0.5 * (jnp.log(self.measured) - jnp.log(self.best)))

    def mean(self, values: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(self.scheduled, values, 0)) / jnp.sum(self.scheduled)


def _throughput(costs: _Costs) -> jax.Array:
    error = 1 / jnp.maximum(costs.predicted / costs.best, _LEAST_RELATIVE_TIME) - costs.best / costs.measured
    # Padding would overflow, and its gradient with it.
    return costs.mean(jnp.where(costs.scheduled, error, 0) ** 2)


def _log(costs: _Costs) -> jax.Array:
    p, r = costs.logs()
    error = jnp.abs(p - r)
    limited = jnp.minimum(error, _LARGEST_ERROR)
    return costs.mean(costs.importance() * (limited**2 + 2 * _LARGEST_ERROR * (error - limited)))


def _rank(costs: _Costs) -> jax.Array:
    p, r = costs.logs()
    slower = jnp.maximum(r[None, :] - r[:, None], 0)
    both = costs.scheduled[None, :] & costs.scheduled[:, None]
    weight = jnp.where(both, jnp.minimum(slower, _LARGEST_DIFFERENCE), 0) * costs.importance()[:, None]
    wrong = jax.nn.softplus((p[:, None] - p[None, :]) / _TEMPERATURE)
    return jnp.sum(weight * wrong) / jnp.maximum(jnp.sum(weight), 1e-6)


_TERMS: dict[str, Callable[[_Costs], jax.Array]] = {"throughput": _throughput, "log": _log, "rank": _rank}
