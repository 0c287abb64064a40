"""Orders schedules by features of their lowered programs: trees that correct T0, see `hltune.lowered.estimate`.

| symbol | shape  | what                                                                          |
|--------|--------|-------------------------------------------------------------------------------|
| x      | [N, D] | totals, largest and heaviest bodies of each program, as logarithms            |
| t      | [N]    | ln T0                                                                         |
| y      | [N]    | logarithm of the measured cost                                                |

The trees learn y - t, minus its mean, and so never absolute times; there are several ensembles of them, see
`hltune.cost_model.bagging`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.bagging import Ensemble, bagged
from hltune.cost_model.metrics import count_pairs, r2_of_logs, regret_at
from hltune.cost_model.scorer import Scores, Validation
from hltune.lowered.estimate import Estimate, estimate
from hltune.lowered.features import BODY, MEANS
from hltune.values.errors import InputError
from hltune.values.program_features import ProgramFeatures

NAME = "ranker"
_TREES = 80
_HEAVIEST = 2
"""Bodies that are described one by one; all are in the sums."""
_LEAST_S = 1e-9
_SHAPE = {"objective": "regression", "learning_rate": 0.1, "num_leaves": 15, "max_bin": 63, "feature_fraction": 0.4}

_TOTALS = np.array([name not in MEANS for name in BODY])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Programs:
    """Lowered programs as a model sees them: x and t."""

    x: NDArray[np.float64]
    t: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.t)

    @classmethod
    def of(cls, features: Sequence[ProgramFeatures], *, cores: int) -> Programs:
        """In the order of the features."""
        estimates = [estimate(each, cores=cores) for each in features]
        rows = [_row(each, about) for each, about in zip(features, estimates, strict=True)]
        return cls(
            x=np.stack(rows) if rows else np.empty((0, 0)), t=np.log([each.seconds + _LEAST_S for each in estimates])
        )


def _row(features: ProgramFeatures, about: Estimate) -> NDArray[np.float64]:
    """One row of x."""
    bodies = features.bodies
    if len(bodies) == 0:
        bodies = np.zeros((1, len(BODY)))
    heaviest = np.argsort(-about.bodies)[:_HEAVIEST] if len(about.bodies) else np.zeros(1, np.intp)
    single = np.zeros((_HEAVIEST, bodies.shape[1]))
    single[: len(heaviest)] = bodies[heaviest]
    total = about.seconds + _LEAST_S
    shares = np.concatenate([about.terms, np.sort(about.bodies)[::-1][:_HEAVIEST]]) / total
    padded = np.zeros(len(about.terms) + _HEAVIEST)
    padded[: len(shares)] = shares
    counts = np.concatenate([bodies[:, _TOTALS].sum(axis=0), bodies.max(axis=0), single.ravel(), features.whole])
    return np.concatenate([np.log1p(np.maximum(counts, 0.0)), padded, [np.log(total)]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranker:
    """What was learned: trees, and the mean of y - t.

    Attributes:
        validation: on each sample, by those ensembles that have not drawn it.
    """

    ensembles: tuple[Ensemble, ...]
    offset: float
    validation: Validation

    def __call__(self, programs: Programs) -> Scores:
        """Predicts the logarithms of costs."""
        if len(programs) == 0:
            return Scores(mean=np.empty(0), spread=np.empty(0))
        predicted = np.stack([each.predict(programs.x) for each in self.ensembles])
        return Scores(mean=programs.t + self.offset + predicted.mean(axis=0), spread=predicted.std(axis=0))


def fit(programs: Programs, costs: NDArray[np.float64], *, seed: int) -> Ranker:
    """Learns the costs [N] of one pipeline's programs.

    Raises:
        InputError: there are none.
    """
    if len(programs) == 0:
        raise InputError("no samples to learn from", expected="1 measured schedule or more", found="0")
    residual = np.log(costs) - programs.t
    offset = float(residual.mean())
    ensembles = bagged(programs.x, residual - offset, trees=_TREES, shape=_SHAPE, seed=seed)
    unseen, times = np.zeros(len(costs)), np.zeros(len(costs))
    for each in ensembles:
        left = np.setdiff1d(np.arange(len(costs)), each.rows)
        if len(left):
            unseen[left] += each.predict(programs.x[left])
            times[left] += 1
    known = times > 0
    predicted = programs.t[known] + offset + unseen[known] / times[known]
    return Ranker(ensembles=ensembles, offset=offset, validation=_validation(predicted, costs[known]))


def _validation(predicted: NDArray[np.float64], costs: NDArray[np.float64]) -> Validation:
    return Validation(
        name=NAME,
        pairs=count_pairs(predicted, costs),
        regret_at_1=regret_at(1, predicted, costs) or 1.0,
        r2=r2_of_logs(np.exp(predicted), costs) if len(costs) else None,
    )
