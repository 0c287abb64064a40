"""What the network's predictions are worth: as a `hltune.cost_model.scorer.Scorer`, and on many pipelines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.metrics import Evaluation
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


def evaluate(weights: Weights, datasets: Sequence[Dataset]) -> Evaluation:
    """Evaluates weights by the samples of each pipeline for itself."""
    usable = [dataset for dataset in datasets if len(dataset) > 1]
    return Evaluation.of([(_predicted_ms(weights, dataset, dataset.schedules), dataset.costs) for dataset in usable])
