"""Orders one pipeline's schedules by features of their lowered programs, once some of them are measured.

The trees learn by how much the logarithm of the measured cost differs from what is known without measuring: T0, or
what the trees of many random programs say (`hltune.cost_model.pretrained`). They see no absolute times, for the mean
of the difference is taken out. There are several ensembles of them, see `hltune.cost_model.bagging`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.bagging import Ensemble, bagged, predict, predict_unseen
from hltune.cost_model.metrics import count_pairs, r2_of_logs, regret_at
from hltune.cost_model.programs import Programs
from hltune.cost_model.scorer import Scores, Validation

NAME = "ranker"
_TREES = 80
_SHAPE = {"objective": "regression", "learning_rate": 0.1, "num_leaves": 15, "max_bin": 63, "feature_fraction": 0.4}


class Ranks(Protocol):
    """What predicts the logarithms of programs' costs."""

    def __call__(self, programs: Programs) -> Scores:
        """Predicts."""
        ...


def by_t0(programs: Programs) -> Scores:
    """What is known before anything was measured: T0."""
    return Scores(mean=programs.log_t0(), spread=np.zeros(len(programs)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranker:
    """What was learned: trees, and the mean of what they correct.

    Attributes:
        start: what they correct.
        validation: on each sample, by those ensembles that have not drawn it.
    """

    ensembles: tuple[Ensemble, ...]
    offset: float
    start: Ranks
    validation: Validation

    def __call__(self, programs: Programs) -> Scores:
        """Predicts the logarithms of costs."""
        if len(programs) == 0:
            return Scores(mean=np.empty(0), spread=np.empty(0))
        mean, spread = predict(self.ensembles, programs.x)
        return Scores(mean=self.start(programs).mean + self.offset + mean, spread=spread)


def fit(programs: Programs, costs: NDArray[np.float64], *, start: Ranks = by_t0, seed: int) -> Ranker:
    """Learns the costs [N] of one pipeline's programs, of which there are some."""
    known = start(programs).mean
    residual = np.log(costs) - known
    offset = float(residual.mean())
    ensembles = bagged(programs.x, residual - offset, trees=_TREES, shape=_SHAPE, seed=seed)
    labels, unseen = predict_unseen(ensembles, programs.x)
    predicted = (known + offset + labels)[unseen]
    return Ranker(ensembles=ensembles, offset=offset, start=start, validation=_validation(predicted, costs[unseen]))


def _validation(predicted: NDArray[np.float64], costs: NDArray[np.float64]) -> Validation:
    return Validation(
        name=NAME,
        pairs=count_pairs(predicted, costs),
        regret_at_1=regret_at(1, predicted, costs) or 1.0,
        r2=r2_of_logs(np.exp(predicted), costs) if len(costs) else None,
    )
