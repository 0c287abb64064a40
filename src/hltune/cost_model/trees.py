"""Gradient-boosted trees that learn one pipeline's costs from dozens of samples.

| symbol | shape         | what                                                                     |
|--------|---------------|--------------------------------------------------------------------------|
| F      | [N, S, 39]    | schedule features                                                        |
| x      | [N, 39*S + 1] | ln(1 + F) of all stages side by side, then the network's log prediction  |
| y      | [N]           | logarithm of the measured cost, minus its mean                           |

Several ensembles learn it, see `hltune.cost_model.bagging`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.adams2019.scorer import log_prediction
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.bagging import bagged, predict
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.scorer import Predictor, Scores, require_samples
from hltune.values.features import Floats

_TREES = 60
"""Trees of an ensemble."""
_SHAPE = {"objective": "regression", "learning_rate": 0.12, "num_leaves": 15, "max_bin": 63, "feature_fraction": 0.5}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TreeScorer:
    """A `hltune.cost_model.scorer.Scorer`.

    Attributes:
        weights: weights of the network whose prediction is one of the features; for an honest validation they have not
            seen the samples.
        seed: seed of the draws and of LightGBM.
    """

    weights: Weights
    seed: int
    name: str = "trees"

    def fit(self, samples: Dataset) -> Predictor:
        """See `Scorer`."""
        require_samples(samples)
        x = _inputs(self.weights, samples, samples.schedules)
        y = np.log(samples.costs)
        offset = float(y.mean())
        ensembles = bagged(x, y - offset, trees=_TREES, shape=_SHAPE, seed=self.seed)

        def predictor(schedules: Floats) -> Scores:
            if len(schedules) == 0:
                return Scores(mean=np.empty(0), spread=np.empty(0))
            mean, spread = predict(ensembles, _inputs(self.weights, samples, schedules))
            return Scores(mean=mean + offset, spread=spread)

        return predictor


def _inputs(weights: Weights, samples: Dataset, schedules: Floats) -> NDArray[np.float64]:
    flat = np.log1p(schedules.astype(np.float64)).reshape(len(schedules), -1)
    return np.column_stack([flat, log_prediction(weights, samples, schedules)])
