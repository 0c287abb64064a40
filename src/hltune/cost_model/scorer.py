"""Scorers, which predict the costs of one pipeline's schedules, and how to tell which of them to trust.

A scorer is a value that says how to learn; `fit` learns from samples and gives a predictor. So every fold of a
cross-validation starts from the same state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.dataset import Dataset, Mask
from hltune.cost_model.metrics import NO_PAIRS, PairCount, count_pairs, r2_of_logs, regret_at
from hltune.values.errors import InputError
from hltune.values.features import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Predictions for schedules [N]: mean and standard deviation of the logarithms of their costs."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]


Predictor = Callable[[Floats], Scores]
"""Predicts the costs of one pipeline's schedules, given by their features [N, S, 39]; N may be 0."""


class Scorer(Protocol):
    """A way to learn costs. Immutable; the same samples give the same predictor."""

    @property
    def name(self) -> str:
        """Name for people."""
        ...

    def fit(self, samples: Dataset) -> Predictor:
        """Learns; raises InputError if there are no samples."""
        ...


def require_samples(samples: Dataset) -> None:
    """Raises InputError if there are none."""
    if len(samples) == 0:
        raise InputError("no samples to learn from", expected="1 measured schedule or more", found="0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """How well a scorer predicts samples that it had not seen; see `hltune.cost_model.metrics`.

    Attributes:
        pairs: pairs within folds, added up.
        regret_at_1: mean over the folds.
        r2: share of the variance of the logarithms of all costs that is explained; None if they are all the same.
    """

    name: str
    pairs: PairCount
    regret_at_1: float
    r2: float | None


def validate(scorer: Scorer, samples: Dataset, folds: Sequence[Mask]) -> Validation:
    """Fits a scorer on all samples outside of a fold and evaluates it on those inside, for each fold [N] in turn."""
    pairs, regrets = NO_PAIRS, list[float]()
    predicted, measured = list[NDArray[np.float64]](), list[NDArray[np.float64]]()
    for held_out in folds:
        costs = samples.costs[held_out]
        mean = scorer.fit(samples.where(~held_out))(samples.schedules[held_out]).mean
        pairs += count_pairs(mean, costs)
        regrets.append(regret_at(1, mean, costs) or 1.0)
        predicted.append(mean)
        measured.append(costs)
    return Validation(
        name=scorer.name,
        pairs=pairs,
        regret_at_1=float(np.mean(regrets)),
        r2=r2_of_logs(np.exp(np.concatenate(predicted)), np.concatenate(measured)),
    )
