"""What the network's predictions are worth: as a `hltune.cost_model.scorer.Scorer`, and on many pipelines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.metrics import NO_PAIRS, count_pairs, r2_of_throughputs, regret_at
from hltune.cost_model.scorer import Predictor, Scores, require_samples
from hltune.values.features import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkScorer:
    """The network with its weights as they are; from the samples it learns the scale of its predictions.

    For an honest validation the weights have not seen the samples.
    """

    weights: Weights
    name: str = "network"

    def fit(self, samples: Dataset) -> Predictor:
        """See `Scorer`; the spread is the same for all schedules: that of the residuals."""
        require_samples(samples)
        residual = np.log(samples.costs) - log_prediction(self.weights, samples, samples.schedules)
        offset, spread = float(np.median(residual)), float(residual.std())

        def predictor(schedules: Floats) -> Scores:
            mean = log_prediction(self.weights, samples, schedules) + offset
            return Scores(mean=mean, spread=np.full(len(mean), spread))

        return predictor


def log_prediction(weights: Weights, samples: Dataset, schedules: Floats) -> NDArray[np.float64]:
    """The logarithms [N] of the costs that the network predicts for schedules [N, S, 39] of the samples' pipeline."""
    return np.log(_predicted_ms(weights, samples, schedules) / 1e3)


def _predicted_ms(weights: Weights, samples: Dataset, schedules: Floats) -> NDArray[np.float64]:
    predicted_ms = predict(weights, samples.pipeline, schedules, samples.cores)
    return np.maximum(predicted_ms.astype(np.float64), 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How well weights order the schedules of some pipelines; None where their samples do not say.

    Attributes:
        pipelines, samples: pipelines with two samples or more, and samples of these.
        pair_accuracy: share of the pairs of schedules of a pipeline that are ordered rightly, over all pipelines.
        regret_at_1, regret_at_8: see `hltune.cost_model.metrics.regret_at`; mean over pipelines.
        r2: share of the variance of relative throughput that is explained, mean over pipelines.
    """

    pipelines: int
    samples: int
    pair_accuracy: float | None
    regret_at_1: float | None
    regret_at_8: float | None
    r2: float | None


def evaluate(weights: Weights, datasets: Sequence[Dataset]) -> Evaluation:
    """Evaluates weights by the samples of each pipeline for itself."""
    usable = [dataset for dataset in datasets if len(dataset) > 1]
    costs = [(_predicted_ms(weights, dataset, dataset.schedules), dataset.costs) for dataset in usable]
    return Evaluation(
        pipelines=len(usable),
        samples=sum(map(len, usable)),
        pair_accuracy=sum((count_pairs(*each) for each in costs), start=NO_PAIRS).accuracy,
        regret_at_1=_mean(regret_at(1, *each) for each in costs),
        regret_at_8=_mean(regret_at(8, *each) for each in costs),
        r2=_mean(r2_of_throughputs(*each) for each in costs),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
