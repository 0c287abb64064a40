"""Orders schedules by features of their lowered programs: trees that correct T0, see `hltune.lowered.estimate`.

| symbol | shape  | what                                                                          |
|--------|--------|-------------------------------------------------------------------------------|
| x      | [N, D] | totals, largest and heaviest bodies of each program, as logarithms            |
| t      | [N]    | ln T0                                                                         |
| y      | [N]    | logarithm of the measured cost                                                |

The trees learn y - t, minus its mean, and so never absolute times. There are several ensembles, each on samples drawn
with replacement; how far they differ is the spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.metrics import count_pairs, r2_of_logs, regret_at
from hltune.cost_model.scorer import Scores, Validation
from hltune.lowered.estimate import Estimate, estimate
from hltune.lowered.features import BODY, MEANS
from hltune.values.errors import InputError
from hltune.values.program_features import ProgramFeatures

NAME = "ranker"
_ENSEMBLES = 5
_TREES = 80
_HEAVIEST = 2
"""Bodies that are described one by one; all are in the sums."""
_LEAST_S = 1e-9
_QUIET = {"num_threads": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}
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

    boosters: tuple[lightgbm.Booster, ...]
    offset: float
    validation: Validation

    def __call__(self, programs: Programs) -> Scores:
        """Predicts the logarithms of costs."""
        if len(programs) == 0:
            return Scores(mean=np.empty(0), spread=np.empty(0))
        predicted = np.stack([np.asarray(each.predict(programs.x, num_threads=1)) for each in self.boosters])
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
    rng = np.random.default_rng(seed)
    count = len(costs)
    fewest = {"min_data_in_leaf": min(5, max(1, count // 4)), "min_data_in_bin": 1}
    boosters: list[lightgbm.Booster] = []
    unseen, times = np.zeros(count), np.zeros(count)
    for number in range(_ENSEMBLES):
        rows = rng.integers(count, size=count)
        drawn = lightgbm.Dataset(programs.x[rows], label=residual[rows] - offset)
        parameters = {**_QUIET, **_SHAPE, **fewest, "seed": seed + number}
        boosters.append(lightgbm.train(parameters, drawn, num_boost_round=_TREES))
        left = np.setdiff1d(np.arange(count), rows)
        if len(left):
            unseen[left] += np.asarray(boosters[-1].predict(programs.x[left], num_threads=1))
            times[left] += 1
    known = times > 0
    predicted = programs.t[known] + offset + unseen[known] / times[known]
    return Ranker(boosters=tuple(boosters), offset=offset, validation=_validation(predicted, costs[known]))


def _validation(predicted: NDArray[np.float64], costs: NDArray[np.float64]) -> Validation:
    return Validation(
        name=NAME,
        pairs=count_pairs(predicted, costs),
        regret_at_1=regret_at(1, predicted, costs) or 1.0,
        r2=r2_of_logs(np.exp(predicted), costs) if len(costs) else None,
    )
