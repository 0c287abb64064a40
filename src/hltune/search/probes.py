"""An endless stream of searches that find different schedules.

Seeds alone soon repeat themselves: what a probe finds is steered by the cost model, and dropout only disturbs it. So
every few probes get other weights (see `hltune.cost_model.adams2019.weights.vary`), and some ask for more parallelism
than there are cores, which gives finer tasks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, cycle
from pathlib import Path

import numpy as np

from hltune.cost_model.adams2019.weights import Weights, vary
from hltune.search.autoschedulers import Adams2019Options

SEEDS_PER_ROUND = 100_000
_SIGMAS = (0.3, 1.0, 2.0)
"""How far variants lie from their centre, as standard deviations of logarithms."""
_TASKS_PER_CORE = (1, 1, 4, 16)
_GREEDY = 100
_DROPOUTS = (1, 1, 1, _GREEDY)
"""Percent chance that nothing is dropped: probes, and now and then a greedy search with the same weights."""


def probes(
    base: Adams2019Options, variants: Iterable[Path | None], *, round_number: int, each: int
) -> Iterator[Adams2019Options]:
    """Searches with beam 1; no seed ever comes twice, neither in a round nor in another one.

    Args:
        base: options with the parallelism and the memory limit.
        variants: files of weights, None for the built-in ones; the next one is asked for when it is needed.
        round_number: number of the tuning round, or of the batch.
        each: searches per variant.
    """
    seeds = count(round_number * SEEDS_PER_ROUND)
    tasks = cycle(_TASKS_PER_CORE)
    for weights in variants:
        parallelism = base.parallelism * next(tasks)
        for number in range(each):
            yield replace(
                base,
                parallelism=parallelism,
                beam_size=1,
                num_passes=1,
                weights=weights,
                random_dropout=_DROPOUTS[number % len(_DROPOUTS)],
                seed=next(seeds) % 2**31,
            )


def varied(centres: Sequence[Weights], rng: np.random.Generator) -> Iterator[Weights]:
    """An endless stream of variants of weights, of each in turn, some near and some far."""
    for centre in cycle(centres):
        yield vary(centre, rng, float(rng.choice(_SIGMAS)))
