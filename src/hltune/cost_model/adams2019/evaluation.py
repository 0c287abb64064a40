"""How well weights order the schedules of pipelines that they were not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.metrics import NO_PAIRS, count_pairs, r2_of_throughputs, regret_at

_LEAST_MS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How well weights order the schedules of some pipelines; None where their samples do not say.

    Attributes:
        pipelines: pipelines with two samples or more.
        samples: samples of these.
        pair_accuracy: share of the pairs of schedules of a pipeline that are ordered rightly, over all pipelines.
        regret_at_1: cost of the schedule that is predicted fastest, divided by the best, mean over pipelines.
        regret_at_8: the same for the best of the eight that are predicted fastest.
        r2: share of the variance of throughput, relative to the fastest schedule of the pipeline, that is explained;
            mean over pipelines.
    """

    pipelines: int
    samples: int
    pair_accuracy: float | None
    regret_at_1: float | None
    regret_at_8: float | None
    r2: float | None


def evaluate(weights: Weights, datasets: Sequence[Dataset]) -> Evaluation:
    """Evaluates weights by the samples of each pipeline for itself."""
    pairs, first, eight, explained = NO_PAIRS, list[float | None](), list[float | None](), list[float | None]()
    usable = [dataset for dataset in datasets if len(dataset) > 1]
    for dataset in usable:
        predicted = predict(weights, dataset.pipeline, dataset.schedules, dataset.cores).astype(np.float64)
        predicted = np.maximum(predicted, _LEAST_MS)
        pairs += count_pairs(predicted, dataset.costs)
        first.append(regret_at(1, predicted, dataset.costs))
        eight.append(regret_at(8, predicted, dataset.costs))
        explained.append(r2_of_throughputs(predicted, dataset.costs))
    return Evaluation(
        pipelines=len(usable),
        samples=sum(map(len, usable)),
        pair_accuracy=pairs.accuracy,
        regret_at_1=_mean(first),
        regret_at_8=_mean(eight),
        r2=_mean(explained),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
