"""Training of the network on measured schedules of any number of pipelines: one loop, for tuning and pre-training.

With the options `hltune.cost_model.adams2019.options.TUNING`, a step is that of the stock tool; the state of Adam is
handed on from one training to the next, so that two short ones are one long one.

Source: Halide 21, ``src/autoschedulers/adams2019/{cost_model_generator,retrain_cost_model}.cpp``.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hltune.cost_model.adams2019.batches import Block, Epoch, MiniBatch, draws, make_batch, passes
from hltune.cost_model.adams2019.losses import pipeline_loss
from hltune.cost_model.adams2019.network import Arrays, predict
from hltune.cost_model.adams2019.optimizer import OptimizerState
from hltune.cost_model.adams2019.options import LossName, TrainingOptions
from hltune.cost_model.adams2019.weights import Weights, check_weights
from hltune.cost_model.dataset import Dataset
from hltune.values.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingState:
    """What a training goes on from.

    Attributes:
        weights: weights of the last step.
        average: average of the weights of all steps, the newest ones counting most: the result.
        optimizer: state of Adam.
    """

    weights: Weights
    average: Weights
    optimizer: OptimizerState

    @classmethod
    def start(cls, weights: Weights, optimizer: OptimizerState | None = None) -> TrainingState:
        """The state before the first step, or without an average."""
        zeros = {name: np.zeros_like(values) for name, values in weights.items()}
        optimizer = optimizer or OptimizerState(count=0, mean=zeros, square=zeros)
        return cls(weights=weights, average=weights, optimizer=optimizer)


def train(
    start: TrainingState,
    datasets: Sequence[Dataset],
    options: TrainingOptions,
    *,
    initial: Weights,
    seed: int,
    held_out: Sequence[Dataset] = (),
) -> TrainingState:
    """Trains; the same arguments give the same result, unless time runs out.

    Args:
        datasets: one for each pipeline and machine.
        initial: weights that `TrainingOptions.l2_to_init` pulls to.
        seed: seed of the order of samples; the steps that were taken before count as well.
        held_out: other schedules of the same pipelines, in the same order.

    Returns:
        The state after the epoch with the smallest loss on held-out schedules, the start included; without them, after
        the last epoch that left all weights finite.

    Raises:
        InputError: there are no samples to train on, or training with `TrainingOptions.steps` diverged.
    """
    check_weights(start.weights)
    blocks = _epoch_of(datasets, options)
    deadline_s = time.monotonic() + (options.time_limit_s or math.inf)
    test_set = _test_set(datasets, held_out)
    state = best = start
    least = _mean_loss(start.average, test_set, options.loss)
    for _ in range(options.epochs):
        if time.monotonic() > deadline_s:
            break
        state = _epoch(state, blocks, options, initial, seed, deadline_s)
        if not all(np.isfinite(values).all() for values in (*state.weights.values(), *state.average.values())):
            if options.steps is not None:
                raise InputError("training diverged", where=str(options), todo="lower the learning rate")
            break
        loss = _mean_loss(state.average, test_set, options.loss)
        if loss < least or not test_set:
            best, least = state, loss
    return best


def rescaled(weights: Weights, datasets: Sequence[Dataset]) -> Weights:
    """Multiplies the trunk, and thereby all predictions, so that the median ratio of measured to predicted is 1.

    That changes no order of schedules. But the built-in weights are off by a factor of 2 and more on other machines
    than their own, and the loss would say little until hundreds of steps have corrected just that.
    """
    ratios: list[float] = []
    for dataset in datasets:
        predicted = predict(weights, dataset.pipeline, dataset.schedules, dataset.cores).astype(np.float64) / 1e3
        usable = np.isfinite(predicted) & (predicted > 0)
        if usable.any():
            ratios.append(float(np.median(dataset.costs[usable] / predicted[usable])))
    factor = np.float32(np.median(ratios)) if ratios else np.float32(1)
    return weights | {name: weights[name] * factor for name in ("trunk_filter", "trunk_bias")}


def _epoch(
    state: TrainingState, blocks: Epoch, options: TrainingOptions, initial: Weights, seed: int, deadline_s: float
) -> TrainingState:
    # The order depends on the steps taken before, so that a continued run repeats that of a long one.
    rng = np.random.default_rng([seed, state.optimizer.count])
    key = jax.random.key(int(rng.integers(2**31))) if options.feature_noise else None
    # What a step does not depend on is left out: other values of it compile nothing again.
    step_options = replace(options, steps=None, epochs=1, time_limit_s=None)
    old = state.optimizer
    adam = optax.ScaleByAdamState(jnp.int32(old.count), old.mean, old.square)
    optimizer = (optax.EmptyState(), adam, optax.EmptyState())
    carry = _Carry(state.weights, state.average, optimizer, key)
    for block in blocks(rng):
        carry = jax.block_until_ready(_steps(carry, block, dict(initial), step_options))
        if time.monotonic() > deadline_s:
            break
    _, adam, _ = carry.optimizer
    return TrainingState(
        weights=_as_numpy(carry.weights),
        average=_as_numpy(carry.average),
        optimizer=OptimizerState(count=int(adam.count), mean=_as_numpy(adam.mu), square=_as_numpy(adam.nu)),
    )


class _Carry(NamedTuple):
    weights: Arrays
    average: Arrays
    optimizer: tuple[optax.EmptyState, optax.ScaleByAdamState, optax.EmptyState]
    key: jax.Array | None


@partial(jax.jit, static_argnames="options")
def _steps(carry: _Carry, block: Block, initial: Arrays, options: TrainingOptions) -> _Carry:
    optimizer = _optimizer(options)

    def step(carry: _Carry, rows: jax.Array) -> tuple[_Carry, None]:
        key, batch = carry.key, jax.tree.map(operator.itemgetter(rows), block.stack)
        if key is not None:
            key, noise_key = jax.random.split(key)
            noise = options.feature_noise * jax.random.normal(noise_key, batch.schedules.shape)
            batch = batch._replace(schedules=jnp.asarray(batch.schedules) * jnp.exp(noise))
        gradient = jax.grad(_objective)(carry.weights, batch, options)
        distance = jax.tree.map(jnp.subtract, carry.weights, initial)
        updates, state = optimizer.update(gradient, carry.optimizer, distance)
        weights = optax.apply_updates(carry.weights, updates)
        # The first averages take the weights as they come.
        share = jnp.maximum(1 - options.ema_decay, 10 / (state[1].count + 10))
        return _Carry(weights, optax.incremental_update(weights, carry.average, share), state, key), None

    return jax.lax.scan(step, carry, jnp.asarray(block.rows))[0]


def _optimizer(options: TrainingOptions) -> optax.GradientTransformation:
    """Adam with L2; in place of the weights, it is given their distance from the initial ones."""
    return optax.chain(
        optax.add_decayed_weights(2 * options.l2_to_init),
        optax.scale_by_adam(b1=0.9, b2=0.999, eps=options.epsilon),
        optax.scale_by_learning_rate(options.learning_rate),
    )


def _objective(weights: Arrays, batch: MiniBatch, options: TrainingOptions) -> jax.Array:
    def loss_of(each: MiniBatch) -> jax.Array:
        return pipeline_loss(weights, each, options.loss) * (each.schedule_count if options.summed else 1)

    return jnp.mean(jax.vmap(loss_of)(batch))


def _epoch_of(datasets: Sequence[Dataset], options: TrainingOptions) -> Epoch:
    datasets = [dataset for dataset in datasets if len(dataset) > 1]
    if not datasets:
        raise InputError("no samples to train on", expected="2 measured schedules of a pipeline or more", found="fewer")
    if options.steps is None:
        return passes(datasets, options.batch_size)
    return draws(datasets, options.steps, options.pipelines_per_step)


def _test_set(datasets: Sequence[Dataset], held_out: Sequence[Dataset]) -> list[MiniBatch]:
    """Held-out samples, with the best cost of their pipeline, whether held out or not."""
    return [
        make_batch(samples, best_cost=min(each.best_cost for each in (samples, dataset) if len(each)))
        for samples, dataset in zip(held_out, datasets, strict=False)
        if len(samples)
    ]


def _mean_loss(weights: Weights, batches: Sequence[MiniBatch], name: LossName) -> float:
    """The loss per schedule; 0 without any."""
    counts = [int(batch.schedule_count) for batch in batches]
    losses = [float(_pipeline_loss(weights, batch, name)) for batch in batches]
    return sum(map(operator.mul, losses, counts)) / max(1, sum(counts))


_pipeline_loss = jax.jit(pipeline_loss, static_argnames="name")


def _as_numpy(arrays: Arrays) -> Weights:
    return {name: np.asarray(values) for name, values in arrays.items()}
