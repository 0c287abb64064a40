"""Training on many pipelines with few schedules each: a fixed number of steps, whatever the number of pipelines.

Pipelines with about as many stages are stacked into one array, padded with zeros; a step takes some of them at random.
Many steps run in one compiled loop, for each is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hltune.cost_model.adams2019.loss import MiniBatch, make_batch
from hltune.cost_model.adams2019.losses import pipeline_loss
from hltune.cost_model.adams2019.network import Arrays
from hltune.cost_model.adams2019.optimizer import OptimizerState
from hltune.cost_model.adams2019.recipe import Recipe
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset
from hltune.values.errors import InputError

_STEPS_PER_CALL = 20
_ADAM = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingState:
    """What a training goes on from.

    Attributes:
        weights: of the last step.
        average: of the weights of all steps, the newest ones counting most: these are the result.
        optimizer: of Adam.
    """

    weights: Weights
    average: Weights
    optimizer: OptimizerState

    @classmethod
    def start(cls, weights: Weights) -> TrainingState:
        """Before the first step."""
        return cls(weights=weights, average=weights, optimizer=OptimizerState.start())


def pretrain_weights(
    state: TrainingState, datasets: Sequence[Dataset], recipe: Recipe, *, steps: int, initial: Weights, seed: int
) -> TrainingState:
    """Takes so many steps; the same arguments give the same result.

    Args:
        state: to go on from.
        datasets: one for each pipeline and machine.
        recipe: how to train.
        steps: rounded up to a multiple of 20.
        initial: weights that `Recipe.l2_to_init` pulls to.
        seed: of the choice of pipelines; the steps that were taken before count as well.

    Raises:
        InputError: there are no samples, or training diverged.
    """
    stacks = _stacks(datasets)
    if not stacks:
        raise InputError("no samples to train on", expected="1 measured schedule or more", found="0")
    rng = np.random.default_rng([seed, state.optimizer.count])
    sizes = np.array([len(stack.pipeline) for stack in stacks])
    optimizer = state.optimizer
    carry = _Carry(
        dict(state.weights),
        dict(state.average),
        optax.ScaleByAdamState(jnp.int32(optimizer.count), dict(optimizer.mean), dict(optimizer.square)),
        jax.random.key(int(rng.integers(2**31))),
    )
    for _ in range(-(-steps // _STEPS_PER_CALL)):
        number = int(rng.choice(len(stacks), p=sizes / sizes.sum()))
        rows = rng.integers(sizes[number], size=(_STEPS_PER_CALL, recipe.pipelines_per_step))
        carry = _steps(carry, stacks[number], jnp.asarray(rows), dict(initial), recipe)
    weights, average = _as_numpy(carry.weights), _as_numpy(carry.average)
    if not all(np.isfinite(values).all() for values in (*weights.values(), *average.values())):
        raise InputError("training diverged", where=str(recipe), todo="lower the learning rate")
    adam = carry.adam
    return TrainingState(
        weights=weights,
        average=average,
        optimizer=OptimizerState(count=int(adam.count), mean=_as_numpy(adam.mu), square=_as_numpy(adam.nu)),
    )


class _Carry(NamedTuple):
    weights: Arrays
    average: Arrays
    adam: Any
    key: jax.Array


def _stacks(datasets: Sequence[Dataset]) -> list[MiniBatch]:
    """All pipelines, stacked by their padded sizes."""
    by_shape: dict[tuple[int, ...], list[MiniBatch]] = {}
    for dataset in datasets:
        if len(dataset) > 1:
            batch = make_batch(dataset, best_s=float(dataset.runtimes_s.min()))
            by_shape.setdefault(batch.schedules.shape, []).append(batch)
    return [jax.tree.map(lambda *parts: jnp.asarray(np.stack(parts)), *batches) for batches in by_shape.values()]


@partial(jax.jit, static_argnames="recipe")
def _steps(carry: _Carry, stack: MiniBatch, rows: jax.Array, initial: Arrays, recipe: Recipe) -> _Carry:
    def step(carry: _Carry, chosen: jax.Array) -> tuple[_Carry, None]:
        key, noise_key = jax.random.split(carry.key)
        batch = jax.tree.map(partial(_rows, chosen), stack)
        if recipe.feature_noise:
            noise = recipe.feature_noise * jax.random.normal(noise_key, batch.schedules.shape)
            batch = batch._replace(schedules=jnp.asarray(batch.schedules) * jnp.exp(noise))
        gradient = jax.grad(_objective)(carry.weights, batch, initial, recipe)
        update, adam = _ADAM.update(gradient, carry.adam)
        weights = {name: values - recipe.learning_rate * update[name] for name, values in carry.weights.items()}
        # The first averages take the weights as they come.
        old = jnp.minimum(recipe.ema_decay, adam.count / (adam.count + 10))
        average = {name: old * values + (1 - old) * weights[name] for name, values in carry.average.items()}
        return _Carry(weights, average, adam, key), None

    return jax.lax.scan(step, carry, rows)[0]


def _rows(chosen: jax.Array, values: jax.Array) -> jax.Array:
    return values[chosen]


def _objective(weights: Arrays, batch: MiniBatch, initial: Arrays, recipe: Recipe) -> jax.Array:
    def loss_of(each: MiniBatch) -> jax.Array:
        return pipeline_loss(weights, each, recipe.loss)

    loss = jnp.mean(jax.vmap(loss_of)(batch))
    if not recipe.l2_to_init:
        return loss
    return loss + recipe.l2_to_init * sum(jnp.sum((weights[name] - initial[name]) ** 2) for name in weights)


def _as_numpy(arrays: Arrays) -> Weights:
    return {name: np.asarray(values) for name, values in arrays.items()}
