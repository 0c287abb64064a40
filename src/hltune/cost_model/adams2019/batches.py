"""What the steps of a training see: pipelines padded to sizes that are compiled already, and stacked.

Two orders: `passes` takes every schedule once, one pipeline in a step; `draws` takes pipelines at random, with all of
their schedules, so that a number of steps means the same whatever the number of pipelines.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.adams2019.network import pad
from hltune.cost_model.dataset import Dataset
from hltune.values.features import Floats

_STEPS_PER_BLOCK = 20
_MS = 1e3


class MiniBatch(NamedTuple):
    """Some schedules of a pipeline, padded with zeros; or a stack of such, with one more axis in front.

    Attributes:
        pipeline, schedules, costs_ms: [S, 40, 7], [N, S, 39] and [N]; costs are 1 for padding.
        best_ms: smallest cost of the pipeline, whether in the batch or not.
        cores: what the plugin calls parallelism.
        schedule_count, stage_count: N and S without padding.
    """

    pipeline: Floats
    schedules: Floats
    costs_ms: Floats
    best_ms: np.float32
    cores: np.float32
    schedule_count: np.int32
    stage_count: np.int32


class Block(NamedTuple):
    """Some steps that run in one compiled loop, for each is short.

    Attributes:
        stack: pipelines of the same padded size.
        rows: positions of each step's pipelines in the stack, [steps, pipelines per step].
    """

    stack: MiniBatch
    rows: NDArray[np.int64]


Epoch = Callable[[np.random.Generator], Iterator[Block]]
"""The steps of one epoch."""


def make_batch(samples: Dataset, *, best_cost: float) -> MiniBatch:
    """Pads samples of a pipeline whose best schedule costs `best_cost`."""
    pipeline, schedules = pad(samples.pipeline, samples.schedules)
    costs_ms = np.ones(len(schedules), dtype=np.float32)
    costs_ms[: len(samples)] = samples.costs * _MS
    return MiniBatch(
        pipeline=pipeline,
        schedules=schedules,
        costs_ms=costs_ms,
        best_ms=np.float32(best_cost * _MS),
        cores=np.float32(samples.cores),
        schedule_count=np.int32(len(samples)),
        stage_count=np.int32(len(samples.pipeline)),
    )


def passes(datasets: Sequence[Dataset], batch_size: int) -> Epoch:
    """Epochs of one step for every mini-batch; pipelines with more schedules than `batch_size` are split at random."""
    whole = [_single(dataset, dataset.best_cost) if len(dataset) <= batch_size else None for dataset in datasets]

    def epoch(rng: np.random.Generator) -> Iterator[Block]:
        for dataset, block in zip(datasets, whole, strict=True):
            if block:
                yield block
                continue
            parts = -(-len(dataset) // batch_size)
            for rows in np.array_split(rng.permutation(len(dataset)), parts):
                mask = np.isin(np.arange(len(dataset)), rows)
                yield _single(dataset.where(mask), dataset.best_cost)

    return epoch


def draws(datasets: Sequence[Dataset], steps: int, pipelines_per_step: int) -> Epoch:
    """Epochs of `steps` steps, rounded up to whole blocks, each with pipelines of about as many stages."""
    by_shape: dict[tuple[int, ...], list[MiniBatch]] = {}
    for dataset in datasets:
        batch = make_batch(dataset, best_cost=dataset.best_cost)
        by_shape.setdefault(batch.schedules.shape, []).append(batch)
    stacks = [_stack(batches) for batches in by_shape.values()]
    sizes = np.array([len(stack.pipeline) for stack in stacks])

    def epoch(rng: np.random.Generator) -> Iterator[Block]:
        for _ in range(-(-steps // _STEPS_PER_BLOCK)):
            number = int(rng.choice(len(stacks), p=sizes / sizes.sum()))
            yield Block(stacks[number], rng.integers(sizes[number], size=(_STEPS_PER_BLOCK, pipelines_per_step)))

    return epoch


def _single(samples: Dataset, best_cost: float) -> Block:
    return Block(_stack([make_batch(samples, best_cost=best_cost)]), np.zeros((1, 1), dtype=np.int64))


def _stack(batches: Sequence[MiniBatch]) -> MiniBatch:
    return jax.tree.map(lambda *parts: jnp.asarray(np.stack(parts)), *batches)
