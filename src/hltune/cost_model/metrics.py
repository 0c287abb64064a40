"""How well predictions order schedules and say their costs: those of one pipeline, or of each of several.

`None` means that the samples do not determine the number; it is never replaced by a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROWS = 512
"""Rows of the matrix of pairs that are held at a time: bounds the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCount:
    """Pairs of schedules with different costs, and how many of them are in the right order: a tie is half a pair."""

    right: float
    total: int

    def __add__(self, other: PairCount) -> PairCount:
        return PairCount(right=self.right + other.right, total=self.total + other.total)

    @property
    def accuracy(self) -> float | None:
        """Share of the pairs in the right order."""
        return self.right / self.total if self.total else None


NO_PAIRS = PairCount(right=0.0, total=0)


def count_pairs(predicted: ArrayLike, measured: ArrayLike) -> PairCount:
    """Counts over all pairs; those with equal measurements do not count."""
    p, m = _arrays(predicted, measured)
    right, total = 0.0, 0
    for begin in range(0, len(m), _ROWS):
        rows = slice(begin, begin + _ROWS)
        faster = m[rows, None] < m[None, :]
        difference = np.sign(p[None, :] - p[rows, None])[faster]
        right += float((difference + 1).sum()) / 2
        total += int(faster.sum())
    return PairCount(right=right, total=total)


def regret_at(k: int, predicted: ArrayLike, measured: ArrayLike) -> float | None:
    """The best cost among the k that are predicted fastest, divided by the best of all: 1 is perfect.

    Of schedules with equal predictions the slower counts as chosen first. None without schedules.
    """
    p, m = _arrays(predicted, measured)
    if k < 1:
        raise ValueError(f"regret@{k}")
    if len(m) == 0:
        return None
    chosen = np.lexsort((-m, p))[:k]
    return float(m[chosen].min() / m.min())


def r2_of_logs(predicted: ArrayLike, measured: ArrayLike) -> float | None:
    """Share of the variance of the logarithms of costs that is explained; None with less than 2 different ones."""
    return _explained(predicted, measured, np.log)


def r2_of_throughputs(predicted: ArrayLike, measured: ArrayLike) -> float | None:
    """The same of throughputs, each relative to the best of its kind, predicted or measured."""
    return _explained(predicted, measured, lambda costs: costs.min() / costs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How well predictions order the schedules of some pipelines; None where their samples do not say.

    Attributes:
        pipelines, samples: pipelines, and samples of these.
        pair_accuracy: share of the pairs of schedules of a pipeline that are ordered rightly, over all pipelines.
        regret_at_1, regret_at_8: see `regret_at`; mean over pipelines.
        r2: share of the variance of relative throughput that is explained, mean over pipelines.
    """

    pipelines: int
    samples: int
    pair_accuracy: float | None
    regret_at_1: float | None
    regret_at_8: float | None
    r2: float | None

    @classmethod
    def of(cls, costs: Sequence[tuple[ArrayLike, ArrayLike]]) -> Evaluation:
        """Of predicted and measured costs [N] of each pipeline."""
        return cls(
            pipelines=len(costs),
            samples=sum(len(np.asarray(measured)) for _, measured in costs),
            pair_accuracy=sum((count_pairs(*each) for each in costs), start=NO_PAIRS).accuracy,
            regret_at_1=_mean(regret_at(1, *each) for each in costs),
            regret_at_8=_mean(regret_at(8, *each) for each in costs),
            r2=_mean(r2_of_throughputs(*each) for each in costs),
        )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _explained(
    predicted: ArrayLike, measured: ArrayLike, transform: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> float | None:
    p, m = _arrays(predicted, measured)
    if len(m) == 0 or np.all(m == m[0]):
        return None
    if not (p > 0).all() or not (m > 0).all():
        raise ValueError("costs have to be above 0")
    found, wanted = transform(p), transform(m)
    return 1 - float(np.square(wanted - found).sum()) / float(np.square(wanted - wanted.mean()).sum())


def _arrays(predicted: ArrayLike, measured: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    p, m = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if p.shape != m.shape or p.ndim != 1:
        raise ValueError(f"predicted {p.shape} and measured {m.shape} have to be lists of the same length")
    if not (np.isfinite(p).all() and np.isfinite(m).all()):
        raise ValueError("predictions and measurements have to be finite")
    return p, m
