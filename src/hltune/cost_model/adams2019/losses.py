"""Losses on the schedules of one pipeline, of which pre-training chooses one.

| symbol | shape | what                                                                                   |
|--------|-------|----------------------------------------------------------------------------------------|
| p      | [N]   | logarithms of predicted running times                                                  |
| t      | [N]   | logarithms of measured ones                                                            |
| w      | [N]   | weight of a schedule: how many times as long as the fastest one it takes, to the -1/2  |

- throughput: that of Adams2019, per schedule; see `hltune.cost_model.adams2019.loss`.
- log: mean of w (p - t)^2, with the differences limited, so that what no model can know does not rule.
- rank: mean over pairs of ln(1 + exp(-(p_slow - p_fast) / 0.2)), each pair with a weight that grows with its difference
  and with the w of its faster schedule. It does not care for the scale of predictions.

All of them also have the term of Adams2019 that pulls coefficients back which are negative before the rectifier.
Source of the pairwise loss: Burges et al., "Learning to Rank using Gradient Descent", ICML 2005.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from hltune.cost_model.adams2019.loss import MiniBatch
from hltune.cost_model.adams2019.network import Arrays, forward
from hltune.cost_model.adams2019.recipe import LossName

_LEAST_MS = 1e-9
_LEAST_RELATIVE_TIME = 1e-10
_NEGATIVE_COEFFICIENTS = 1e-5
_LARGEST_ERROR = 3.0
"""Of a logarithm; beyond it the loss grows linearly."""
_TEMPERATURE = 0.2
_LARGEST_DIFFERENCE = 0.5
"""Of two logarithms; pairs that differ more do not weigh more."""

Term = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""From p, t and the mask of schedules that are not padding to a number."""


def pipeline_loss(weights: Arrays, batch: MiniBatch, name: LossName) -> jax.Array:
    """The loss on one pipeline, a number; traceable."""
    predicted = forward(weights, jnp.asarray(batch.pipeline), jnp.asarray(batch.schedules), jnp.asarray(batch.cores))
    scheduled = jnp.arange(batch.schedules.shape[0]) < batch.schedule_count
    staged = jnp.arange(batch.pipeline.shape[0]) < batch.stage_count
    p, t = jnp.log(jnp.maximum(predicted.ms, _LEAST_MS)), jnp.log(batch.runtimes_ms)
    loss = jnp.float32(0)
    for part in name.split("+"):
        loss += _TERMS[part](p, t, scheduled)
    counted = scheduled[:, None, None] & staged[None, :, None]
    negative = jnp.where(counted, jax.nn.relu(-predicted.trunk), 0)
    return loss + _NEGATIVE_COEFFICIENTS * jnp.sum(negative) / batch.schedule_count


def _throughput(p: jax.Array, t: jax.Array, scheduled: jax.Array) -> jax.Array:
    best = _best(t, scheduled)
    error = 1 / jnp.maximum(jnp.exp(p - best), _LEAST_RELATIVE_TIME) - jnp.exp(best - t)
    return _mean(error**2, scheduled)


def _log(p: jax.Array, t: jax.Array, scheduled: jax.Array) -> jax.Array:
    error = jnp.abs(p - t)
    limited = jnp.minimum(error, _LARGEST_ERROR)
    return _mean(_importance(t, scheduled) * (limited**2 + 2 * _LARGEST_ERROR * (error - limited)), scheduled)


def _rank(p: jax.Array, t: jax.Array, scheduled: jax.Array) -> jax.Array:
    slower = jnp.maximum(t[None, :] - t[:, None], 0)
    both = scheduled[None, :] & scheduled[:, None]
    weight = jnp.where(both, jnp.minimum(slower, _LARGEST_DIFFERENCE), 0) * _importance(t, scheduled)[:, None]
    wrong = jax.nn.softplus((p[:, None] - p[None, :]) / _TEMPERATURE)
    return jnp.sum(weight * wrong) / jnp.maximum(jnp.sum(weight), 1e-6)


_TERMS: dict[str, Term] = {"throughput": _throughput, "log": _log, "rank": _rank}


def _importance(t: jax.Array, scheduled: jax.Array) -> jax.Array:
    return jnp.exp(-0.5 * (t - _best(t, scheduled)))


def _best(t: jax.Array, scheduled: jax.Array) -> jax.Array:
    return jnp.min(jnp.where(scheduled, t, jnp.inf))


def _mean(values: jax.Array, scheduled: jax.Array) -> jax.Array:
    return jnp.sum(jnp.where(scheduled, values, 0)) / jnp.sum(scheduled)
