"""Which programs fail: trees that give each the chance that compiling, running or checking it fails.

Most of what fails takes too long to compile, and costs a tuner as much time as several that work. Trees on one
pipeline's programs start from what those of many random programs say, as the ranker's do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.bagging import Ensemble, bagged, predict

LEAST_FAILED = 3
"""Programs that have failed, with fewer of which there is nothing to learn."""
_TREES = 80
_SHAPE = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 7,
    "max_bin": 63,
    "feature_fraction": 0.3,
    "lambda_l2": 1.0,
}
"""The penalty keeps a leaf small where what is known already is sure: of few samples, it would be without bounds."""

_SUREST = 5.0
"""Logarithm of the odds: others are never surer, for trees learn nothing where what is known is certain."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Failing:
    """What was learned.

    Attributes:
        offset: logarithm of the odds that a program fails of which nothing else is known.
        start: what the trees correct; None for nothing.
    """

    ensembles: tuple[Ensemble, ...]
    offset: float
    start: Failing | None = None

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The chance of each program [N], by its row of numbers [N, D]."""
        return np.exp(-np.logaddexp(0.0, -self.log_odds(x)))

    def log_odds(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The logarithm of the odds that each fails [N]."""
        if len(x) == 0:
            return np.empty(0)
        return _known(x, self.start, self.offset) + predict(self.ensembles, x)[0]


def fit_failing(
    works: NDArray[np.float64],
    fails: NDArray[np.float64],
    *,
    seed: int,
    start: Failing | None = None,
    groups: NDArray[np.int64] | None = None,
) -> Failing | None:
    """Learns from programs that work [N, D] and that fail [M, D]; `start` if there are too few of either.

    Args:
        groups: of each [N + M], see `bagged`.
    """
    if min(len(works), len(fails)) < LEAST_FAILED:
        return start
    x, labels = np.vstack([works, fails]), np.repeat([0.0, 1.0], [len(works), len(fails)])
    offset = float(np.log(len(fails) / len(works)))
    known = _known(x, start, offset)
    ensembles = bagged(x, labels, trees=_TREES, shape=_SHAPE, seed=seed, groups=groups, known=known)
    return Failing(ensembles=ensembles, offset=offset, start=start)


def _known(x: NDArray[np.float64], start: Failing | None, offset: float) -> NDArray[np.float64]:
    """The logarithm of the odds that each fails [N], before anything is learned."""
    return np.full(len(x), offset) if start is None else np.clip(start.log_odds(x), -_SUREST, _SUREST)
