"""What many random programs teach about the schedules of any program: trees that correct T0.

| symbol | what                                                                                        |
|--------|---------------------------------------------------------------------------------------------|
| y      | logarithms of measured costs                                                                |
| s      | scales of T0's terms [12], such that ln T0 orders the schedules of each program as y does   |
| r      | y - ln T0, minus its mean over the program's schedules: what the trees learn                |

So nothing is learned from how long programs take, only from how their schedules differ. Programs are drawn whole into
the ensembles: how far these differ says how little is known of a program that nobody has seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from hltune.cost_model.bagging import Ensemble, bagged, predict, predict_unseen
from hltune.cost_model.failing import Failing, fit_failing
from hltune.cost_model.metrics import Evaluation
from hltune.cost_model.programs import NO_PROGRAMS, Programs
from hltune.cost_model.scorer import Scores
from hltune.lowered.estimate import TERMS
from hltune.values.errors import InputError

_TREES = 600
_SHAPE = {
    "objective": "regression",
    "learning_rate": 0.02,
    "num_leaves": 15,
    "max_bin": 63,
    "feature_fraction": 0.15,
    "min_data_in_leaf": 40,
}
_LOOSE, _STIFFNESS = 0.1, 4.0
"""Hold the scales near 1: a little in any case, and the more, the less T0 explains with scales that are hardly held."""
_TAIL = 0.005
"""Share of the values of a column that are extreme on either side."""
_USUAL = 0.99
"""Share of the learned programs that count as like the others."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """What was measured of one pipeline: programs, with a root, their costs [N], and programs that failed."""

    programs: Programs
    costs: NDArray[np.float64]
    failed: Programs = NO_PROGRAMS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Range:
    """Where the learned programs lie.

    Attributes:
        low, high: of each column of x [D], without the extremes.
        usual: share of the columns in which a program may lie outside, as few of the learned ones do.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    usual: float

    @classmethod
    def of(cls, groups: Sequence[Group]) -> Range:
        """That of some programs."""
        low, high = np.quantile(np.vstack([each.programs.x for each in groups]), (_TAIL, 1 - _TAIL), axis=0)
        found = cls(low=low, high=high, usual=0.0)
        usual = float(np.quantile([found.outside(each.programs) for each in groups], _USUAL))
        return cls(low=low, high=high, usual=usual)

    def outside(self, programs: Programs) -> float:
        """Share of the columns in which the median of a pipeline's programs lies outside."""
        middle = np.median(programs.x, axis=0)
        return float(np.mean((middle < self.low) | (middle > self.high)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pretrained:
    """What was learned.

    Attributes:
        scales: s.
        offset, offset_spread: mean and standard deviation, over programs, of what was taken out of r: how many times
            T0 a program takes, as a logarithm.
        error: root mean square of what the trees do not explain of r in programs that they have not drawn.
        range: where it knows its way.
        failing: which programs fail; None if too few did.
    """

    ensembles: tuple[Ensemble, ...]
    scales: NDArray[np.float64]
    offset: float
    offset_spread: float
    error: float
    range: Range
    failing: Failing | None = None

    def __call__(self, programs: Programs) -> Scores:
        """Predicts the logarithms of costs; the spread is that among the schedules of one pipeline.

        Raises:
            InputError: the programs have no root.
        """
        if len(programs) == 0:
            return Scores(mean=np.empty(0), spread=np.empty(0))
        if programs.x.shape[1] != len(self.range.low):
            raise InputError(
                "these features are not what the ranker has learned",
                expected=f"{len(self.range.low)} columns",
                found=f"{programs.x.shape[1]}",
            )
        mean, spread = predict(self.ensembles, programs.x)
        return Scores(mean=programs.log_t0(self.scales) + self.offset + mean, spread=spread)

    @property
    def scaled_t0(self) -> ScaledT0:
        """What is left without the trees."""
        return ScaledT0(scales=self.scales, offset=self.offset)

    def factor(self, spread: float) -> float:
        """How many times more or less than predicted a schedule may cost (one standard deviation), by its spread."""
        return float(np.exp(math.hypot(spread, self.error, self.offset_spread)))

    def unlike(self, programs: Programs) -> bool:
        """Nothing like this pipeline was learned: predictions are guesses, and trees correct T0 wrongly.

        Of random programs that nobody has learned from, orders are right more often there without them.
        """
        return self.range.outside(programs) > self.range.usual


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScaledT0:
    """T0 as it is fitted to a machine: s and the offset of `Pretrained`."""

    scales: NDArray[np.float64]
    offset: float

    def __call__(self, programs: Programs) -> Scores:
        """Predicts the logarithms of costs."""
        return Scores(mean=programs.log_t0(self.scales) + self.offset, spread=np.zeros(len(programs)))


def pretrain(groups: Sequence[Group], *, seed: int) -> Pretrained:
    """Learns from the schedules of many programs.

    Raises:
        InputError: there are none.
    """
    groups = [each for each in groups if len(each.costs) > 1]
    if not groups:
        raise InputError("no programs to learn from", expected="2 measured schedules or more of one", found="none")
    scales = fitted_scales(groups)
    residuals = [np.log(each.costs) - each.programs.log_t0(scales) for each in groups]
    offsets = np.array([each.mean() for each in residuals])
    x, r = np.vstack([each.programs.x for each in groups]), np.concatenate([each - each.mean() for each in residuals])
    ensembles = bagged(
        x,
        r,
        trees=_TREES,
        shape=_SHAPE,
        seed=seed,
        groups=np.repeat(np.arange(len(groups)), [len(each.costs) for each in groups]),
    )
    labels, unseen = predict_unseen(ensembles, x)
    return Pretrained(
        ensembles=ensembles,
        scales=scales,
        offset=float(offsets.mean()),
        offset_spread=float(offsets.std()),
        error=float(np.sqrt(np.mean(np.square((r - labels)[unseen])))) if unseen.any() else 0.0,
        range=Range.of(groups),
        failing=pretrain_failing(groups, seed=seed),
    )


def pretrain_failing(groups: Sequence[Group], *, seed: int) -> Failing | None:
    """Learns which programs fail; None if too few do."""
    number, failed = np.arange(len(groups)), [each.failed.x for each in groups if len(each.failed)]
    works, fails = [len(each.programs) for each in groups], [len(each.failed) for each in groups]
    return fit_failing(
        np.vstack([each.programs.x for each in groups]),
        np.vstack(failed) if failed else NO_PROGRAMS.x,
        seed=seed,
        groups=np.concatenate([np.repeat(number, works), np.repeat(number, fails)]),
    )


def fitted_scales(groups: Sequence[Group]) -> NDArray[np.float64]:
    """s, by least squares of r; each is above 0."""
    differences = _differences(groups, np.exp(_fitted(groups, _LOOSE)))
    noise = float(np.sqrt(np.mean(np.square(differences))))
    return np.exp(_fitted(groups, max(_LOOSE, _STIFFNESS * noise)))


def _fitted(groups: Sequence[Group], stiffness: float) -> NDArray[np.float64]:
    """ln s."""

    def residuals(logs: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([_differences(groups, np.exp(logs)), stiffness * logs])

    return least_squares(residuals, np.zeros(len(TERMS))).x


def _differences(groups: Sequence[Group], scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """r of all programs."""
    found = [np.log(each.costs) - each.programs.log_t0(scales) for each in groups]
    return np.concatenate([each - each.mean() for each in found])


def evaluate(ranker: Pretrained, groups: Iterable[Group]) -> Evaluation:
    """Evaluates by the schedules of each pipeline for itself, as they are ranked where nothing of it was measured."""

    def mean(programs: Programs) -> NDArray[np.float64]:
        return (ranker.scaled_t0 if ranker.unlike(programs) else ranker)(programs).mean

    return Evaluation.of([(np.exp(mean(each.programs)), each.costs) for each in groups if len(each.costs) > 1])


def evaluate_t0(groups: Iterable[Group], scales: NDArray[np.float64] | None = None) -> Evaluation:
    """The same of T0 alone."""
    return Evaluation.of([(np.exp(each.programs.log_t0(scales)), each.costs) for each in groups if len(each.costs) > 1])
