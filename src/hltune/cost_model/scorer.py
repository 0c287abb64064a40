"""What chooses the schedules to measure: scorers of one pipeline's schedules, and which of them to trust.

A scorer is a value that says how to learn; `fit` learns from samples and gives a predictor. So every fold of a
cross-validation starts from the same state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.train import TrainingOptions, train
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset, Mask
from hltune.cost_model.metrics import NO_PAIRS, PairCount, count_pairs, r2_of_logs, regret_at
from hltune.values.errors import InputError
from hltune.values.features import Floats

_LEAST_MS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Predictions for schedules [N], in logarithms of seconds.

    Attributes:
        mean: what is expected.
        spread: standard deviation, in the same unit; 0 or more.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]


class Predictor(Protocol):
    """Knows the running times of one pipeline's schedules. Used by one thread."""

    def predict(self, schedules: Floats) -> Scores:
        """Predicts for schedule features [N, S, 39]; N may be 0."""
        ...


class Scorer(Protocol):
    """A way to learn running times. Immutable; the same samples give the same predictor."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def fit(self, samples: Dataset) -> Predictor:
        """Learns.

        Raises:
            InputError: there are no samples.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkScorer:
    """The network, after training on the samples.

    Attributes:
        weights: where training starts. For an honest cross-validation they have not seen the samples.
        training: None leaves the weights as they are.
        seed: of the training.
    """

    weights: Weights
    training: TrainingOptions | None
    seed: int
    name: str = "network"

    def fit(self, samples: Dataset) -> Predictor:
        """See `Scorer`; the spread is the same for all schedules: that of the residuals."""
        require_samples(samples)
        weights = self.weights
        if self.training is not None:
            weights = train(weights, [samples], self.training, seed=self.seed).weights
        residual = np.log(samples.runtimes_s) - log_predicted_s(weights, samples, samples.schedules)
        return _NetworkPredictor(weights, samples, float(np.median(residual)), float(residual.std()))


@dataclass(frozen=True, slots=True)
class _NetworkPredictor:
    weights: Weights
    samples: Dataset
    offset: float
    spread: float

    def predict(self, schedules: Floats) -> Scores:
        mean = log_predicted_s(self.weights, self.samples, schedules) + self.offset
        return Scores(mean=mean, spread=np.full(len(mean), self.spread))


def log_predicted_s(weights: Weights, samples: Dataset, schedules: Floats) -> NDArray[np.float64]:
    """The network's prediction for schedules [N, S, 39] of the pipeline of some samples, log-seconds [N]."""
    predicted_ms = predict(weights, samples.pipeline, schedules, samples.cores).astype(np.float64)
    return np.log(np.maximum(predicted_ms, _LEAST_MS) / 1e3)


def require_samples(samples: Dataset) -> None:
    """Raises InputError if there are none."""
    if len(samples) == 0:
        raise InputError("no samples to learn from", expected="1 measured schedule or more", found="0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """How a scorer did on samples that it had not seen.

    Attributes:
        pairs: within folds, added up.
        regret_at_1: measured of the predicted best, divided by the best measured; mean over the folds.
        r2: of log running times, over all samples; None if they are all the same.
    """

    name: str
    pairs: PairCount
    regret_at_1: float
    r2: float | None


def cross_validate(scorers: Sequence[Scorer], samples: Dataset, *, folds: int, seed: int) -> tuple[Validation, ...]:
    """Fits every scorer on all folds but one and judges it on that one, for each fold in turn.

    Raises:
        InputError: there are fewer than two samples per fold.
    """
    if folds < 2 or len(samples) < 2 * folds:
        raise InputError(
            "too few samples for cross-validation",
            expected=f"2 folds or more, and {2 * folds} samples",
            found=f"{folds} folds, {len(samples)} samples",
        )
    fold = np.random.default_rng(seed).permutation(len(samples)) % folds
    return tuple(validate(scorer, samples, [fold == number for number in range(folds)]) for scorer in scorers)


def better(validations: Sequence[Validation]) -> Validation:
    """The one that orders most pairs rightly; the first of equals."""
    return max(validations, key=lambda validation: validation.pairs.accuracy or 0.0)


def validate(scorer: Scorer, samples: Dataset, folds: Sequence[Mask]) -> Validation:
    """Fits a scorer on all samples outside of a fold and judges it on those inside, for each fold [N] in turn.

    Raises:
        InputError: a fold leaves nothing to learn from.
    """
    pairs, regrets = NO_PAIRS, list[float]()
    predicted, measured = list[NDArray[np.float64]](), list[NDArray[np.float64]]()
    for held_out in folds:
        measured_s = samples.runtimes_s[held_out]
        mean = scorer.fit(samples.where(~held_out)).predict(samples.schedules[held_out]).mean
        pairs += count_pairs(mean, measured_s)
        regrets.append(regret_at(1, mean, measured_s) or 1.0)
        predicted.append(mean)
        measured.append(measured_s)
    return Validation(
        name=scorer.name,
        pairs=pairs,
        regret_at_1=float(np.mean(regrets)),
        r2=r2_of_logs(np.exp(np.concatenate(predicted)), np.concatenate(measured)),
    )
