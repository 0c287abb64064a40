"""Training of the network on measured schedules of any number of pipelines.

Each step is one of Adam on a mini-batch of one pipeline, with the settings of the stock tool: decay 0.9 and 0.999,
epsilon outside of the root. In three points training differs from it:

- A fresh start first multiplies the trunk by one number, so that the median prediction is right. That changes no order
  of schedules, but the built-in weights are off by a factor of 2 and more on other machines than their own, and the
  loss then says little until hundreds of steps have mended just that.
- The epoch that is best on held-out schedules is kept, the start included, and not the last one.
- The optimizer's state is handed on, so that two short runs can be one long run.

Source: Halide 21, ``src/autoschedulers/adams2019/{cost_model_generator,retrain_cost_model}.cpp``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hltune.cost_model.adams2019.features import pipeline_key
from hltune.cost_model.adams2019.loss import MiniBatch, batch_loss, dataset_loss, make_batch
from hltune.cost_model.adams2019.network import Arrays, predict
from hltune.cost_model.adams2019.optimizer import OptimizerState
from hltune.cost_model.adams2019.weights import Weights, check_weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.metrics import NO_PAIRS, count_pairs
from hltune.values.errors import InputError

_EVALUATED = 1000
"""Held-out schedules per pipeline that an epoch is judged by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How to train.

    Attributes:
        epochs: passes over all samples.
        learning_rate: of Adam.
        batch_size: most schedules in one step.
        held_out: share of the schedules of each pipeline that no step sees.
        least_held_out: with fewer schedules held out in all than this, all are trained on and the last epoch is kept: a
            handful without a fast one chooses an epoch that orders the others badly.
        l2_to_init: weight in the loss of the squared distance from the start.
        rescale: whether a start without an optimizer's state rescales the predictions.
        shuffle: whether each epoch takes the pipelines in another order, and not as given, as the stock tool does.
        time_limit_s: no step begins after this time.
    """

    epochs: int = 200
    learning_rate: float = 2e-3
    batch_size: int = 1024
    held_out: float = 0.2
    least_held_out: int = 30
    l2_to_init: float = 1e-3
    rescale: bool = True
    shuffle: bool = True
    time_limit_s: float = 60.0

    def __post_init__(self) -> None:
        for name, valid, expected in (
            ("epochs", self.epochs >= 1, "1 or more"),
            ("learning rate", 0 < self.learning_rate < 1, "above 0 and below 1"),
            ("batch size", self.batch_size >= 1, "1 or more"),
            ("held-out share", 0 <= self.held_out < 1, "0 or more and below 1"),
            ("L2 to the initial weights", 0 <= self.l2_to_init < float("inf"), "0 or more"),
            ("training time", self.time_limit_s > 0, "above 0"),
        ):
            if not valid:
                raise InputError("option out of range", where=name, expected=expected, found=str(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochMetrics:
    """Of the weights after an epoch; epoch 0 is the start.

    Attributes:
        training_loss: per schedule, on average over the epoch's steps; None for the start.
        held_out_loss: per schedule; None if nothing is held out.
        held_out_pair_accuracy: within pipelines; None if no two held-out schedules of a pipeline differ.
    """

    epoch: int
    training_loss: float | None
    held_out_loss: float | None
    held_out_pair_accuracy: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """The result.

    Attributes:
        weights: of the best epoch.
        optimizer_state: of the same epoch.
        metrics: one per epoch, the start first.
        best_epoch: the one with the smallest held-out loss, or the last one if nothing is held out.
    """

    weights: Weights
    optimizer_state: OptimizerState
    metrics: tuple[EpochMetrics, ...]
    best_epoch: int


def train(
    weights: Weights,
    datasets: Sequence[Dataset],
    options: TrainingOptions,
    *,
    seed: int,
    optimizer_state: OptimizerState | None = None,
    held_out: Sequence[Dataset] | None = None,
) -> Trained:
    """Trains weights; neither they nor the state are changed.

    Args:
        weights: the start.
        datasets: one for each pipeline and machine.
        options: how.
        seed: of the order of samples.
        optimizer_state: of an earlier training to continue.
        held_out: to choose the epoch by; without it, schedules are held out of `datasets` by their hashes.

    Raises:
        InputError: there are no samples to train on.
    """
    check_weights(weights)
    if held_out is None:
        datasets, held_out = _split_if_enough(datasets, options)
    datasets = [dataset for dataset in datasets if len(dataset)]
    if not datasets:
        raise InputError("no samples to train on", expected="1 measured schedule or more", found="0")
    if optimizer_state is None and options.rescale:
        weights = rescaled(weights, datasets)
    run = _Run(weights, optimizer_state or OptimizerState.start(), options, seed)
    return run.train(datasets, _held_out_sets(datasets, held_out))


def split(datasets: Sequence[Dataset], share: float) -> tuple[list[Dataset], list[Dataset]]:
    """Splits each dataset into training and held-out samples by the hashes of the schedules alone."""
    masks = [dataset.shares() < share for dataset in datasets]
    training = [dataset.where(~mask) for dataset, mask in zip(datasets, masks, strict=True)]
    return training, [dataset.where(mask) for dataset, mask in zip(datasets, masks, strict=True)]


def _split_if_enough(
    datasets: Sequence[Dataset], options: TrainingOptions
) -> tuple[Sequence[Dataset], Sequence[Dataset]]:
    training, held_out = split(datasets, options.held_out)
    enough = sum(map(len, held_out)) >= options.least_held_out and any(map(len, training))
    return (training, held_out) if enough else (datasets, ())


def rescaled(weights: Weights, datasets: Sequence[Dataset]) -> Weights:
    """Multiplies the trunk, and thereby all predictions, so that the median ratio of measured to predicted is 1."""
    ratios: list[float] = []
    for dataset in datasets:
        predicted_s = predict(weights, dataset.pipeline, dataset.schedules, dataset.cores).astype(np.float64) / 1e3
        usable = np.isfinite(predicted_s) & (predicted_s > 0)
        if usable.any():
            ratios.append(float(np.median(dataset.runtimes_s[usable] / predicted_s[usable])))
    factor = np.float32(np.median(ratios)) if ratios else np.float32(1)
    return weights | {name: weights[name] * factor for name in ("trunk_filter", "trunk_bias")}


class _Run:
    """One call of `train`."""

    def __init__(self, weights: Weights, state: OptimizerState, options: TrainingOptions, seed: int) -> None:
        self.start = dict(weights)
        self.weights = dict(weights)
        self.state = state
        self.options = options
        self.seed = seed
        self.deadline = time.monotonic() + options.time_limit_s

    def train(self, datasets: Sequence[Dataset], held_out: Sequence[_HeldOut]) -> Trained:
        metrics = [_evaluate(self.weights, held_out, epoch=0, training_loss=None)]
        best = (metrics[0], self.weights, self.state)
        fixed = {
            number: make_batch(dataset, best_s=_best_s(dataset))
            for number, dataset in enumerate(datasets)
            if len(dataset) <= self.options.batch_size
        }
        while len(metrics) <= self.options.epochs and time.monotonic() < self.deadline:
            loss = self._epoch(self._batches(datasets, fixed))
            if not (np.isfinite(loss) and all(np.isfinite(values).all() for values in self.weights.values())):
                break
            metrics.append(_evaluate(self.weights, held_out, epoch=len(metrics), training_loss=loss))
            if _better(metrics[-1], best[0]):
                best = (metrics[-1], self.weights, self.state)
        return Trained(weights=best[1], optimizer_state=best[2], metrics=tuple(metrics), best_epoch=best[0].epoch)

    def _batches(self, datasets: Sequence[Dataset], fixed: dict[int, MiniBatch]) -> Iterator[MiniBatch]:
        # The order depends on the steps taken before, so that a continued run repeats that of a long one.
        rng = np.random.default_rng([self.seed, self.state.count])
        order = rng.permutation(len(datasets)) if self.options.shuffle else range(len(datasets))
        for number in order:
            if number in fixed:
                yield fixed[number]
                continue
            dataset = datasets[number]
            parts = -(-len(dataset) // self.options.batch_size)
            for rows in np.array_split(rng.permutation(len(dataset)), parts):
                mask = np.zeros(len(dataset), dtype=np.bool_)
                mask[rows] = True
                yield make_batch(dataset.where(mask), best_s=_best_s(dataset))

    def _epoch(self, batches: Iterator[MiniBatch]) -> float:
        total, count = 0.0, 0
        for batch in batches:
            state = (np.int32(self.state.count), self.state.mean, self.state.square)
            weights, state, loss = _step(
                self.weights, self.start, state, batch, self.options.learning_rate, self.options.l2_to_init
            )
            total, count = total + float(loss), count + int(batch.schedule_count)
            if not np.isfinite(total):
                break
            self.weights = _as_numpy(weights)
            self.state = OptimizerState(count=int(state[0]), mean=_as_numpy(state[1]), square=_as_numpy(state[2]))
            if time.monotonic() > self.deadline:
                break
        return total / max(count, 1)


_State = tuple[Any, Arrays, Arrays]
"""The fields of an `OptimizerState`, as numbers or traced."""

_ADAM = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-5, eps_root=0.0)


@jax.jit
def _step(
    weights: Arrays,
    start: Arrays,
    state: _State,
    batch: MiniBatch,
    learning_rate: float,
    l2_to_init: float,
) -> tuple[Arrays, _State, jax.Array]:
    def objective(weights: Arrays) -> tuple[jax.Array, jax.Array]:
        loss = batch_loss(weights, batch)
        distance = sum((jnp.sum((weights[name] - start[name]) ** 2) for name in weights), jnp.float32(0))
        return loss + l2_to_init * distance, loss

    (_, loss), gradient = jax.value_and_grad(objective, has_aux=True)(weights)
    update, new = _ADAM.update(gradient, optax.ScaleByAdamState(*state))
    moved = {name: weights[name] - learning_rate * update[name] for name in weights}
    return moved, (new.count, new.mu, new.nu), loss


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Held-out samples, and the fastest running time of their pipeline, whether held out or not."""

    samples: Dataset
    best_s: float


def _held_out_sets(datasets: Sequence[Dataset], held_out: Sequence[Dataset]) -> list[_HeldOut]:
    best_s: dict[str, float] = {}
    for dataset in (*datasets, *held_out):
        if len(dataset):
            key = pipeline_key(dataset.pipeline)
            best_s[key] = min(best_s.get(key, float("inf")), _best_s(dataset))
    return [_HeldOut(_reduced(dataset), best_s[pipeline_key(dataset.pipeline)]) for dataset in held_out if len(dataset)]


def _evaluate(weights: Weights, sets: Sequence[_HeldOut], *, epoch: int, training_loss: float | None) -> EpochMetrics:
    loss, pairs, count = 0.0, NO_PAIRS, 0
    for held_out in sets:
        samples = held_out.samples
        loss += dataset_loss(weights, samples, best_s=held_out.best_s)
        pairs += count_pairs(predict(weights, samples.pipeline, samples.schedules, samples.cores), samples.runtimes_s)
        count += len(samples)
    return EpochMetrics(
        epoch=epoch,
        training_loss=training_loss,
        held_out_loss=loss / count if count else None,
        held_out_pair_accuracy=pairs.accuracy,
    )


def _better(new: EpochMetrics, best: EpochMetrics) -> bool:
    if new.held_out_loss is None or best.held_out_loss is None:
        return True
    return new.held_out_loss < best.held_out_loss


def _reduced(dataset: Dataset) -> Dataset:
    if len(dataset) <= _EVALUATED:
        return dataset
    return dataset.where(np.isin(np.arange(len(dataset)), np.argsort(dataset.shares())[:_EVALUATED]))


def _best_s(dataset: Dataset) -> float:
    return float(dataset.runtimes_s.min())


def _as_numpy(arrays: Arrays) -> Weights:
    return {name: np.asarray(values) for name, values in arrays.items()}
