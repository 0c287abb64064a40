"""Ensembles of gradient-boosted trees, each on samples drawn with replacement: their mean predicts, and how far they
differ is the spread.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import lightgbm
import numpy as np
from numpy.typing import NDArray

_ENSEMBLES = 5
_QUIET = {"num_threads": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}


class Ensemble(NamedTuple):
    """Trees, and the samples that they were grown on, by number; some come several times."""

    booster: lightgbm.Booster
    rows: NDArray[np.int64]

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Labels [N] of samples [N, D]; of classes, logarithms of the odds."""
        return np.asarray(self.booster.predict(x, num_threads=1, raw_score=True))


def bagged(
    x: NDArray[np.float64],
    labels: NDArray[np.float64],
    *,
    trees: int,
    shape: Mapping[str, Any],
    seed: int,
    groups: NDArray[np.int64] | None = None,
    known: NDArray[np.float64] | None = None,
) -> tuple[Ensemble, ...]:
    """Learns labels [N] of samples [N, D]; the same arguments give the same trees.

    Samples of a group [N], counted from 0, are drawn together; without groups each is one of its own. Of what is
    known already [N], the trees learn what is missing.
    """
    members = _members(np.arange(len(labels)) if groups is None else groups)
    count = len(members)
    rng = np.random.default_rng(seed)
    fewest = {"min_data_in_leaf": min(5, max(1, len(labels) // 4)), "min_data_in_bin": 1}
    ensembles: list[Ensemble] = []
    for number in range(_ENSEMBLES):
        rows = np.concatenate([members[int(each)] for each in rng.integers(count, size=count)])
        drawn = lightgbm.Dataset(x[rows], label=labels[rows], init_score=None if known is None else known[rows])
        parameters = {**_QUIET, **fewest, **shape, "seed": seed + number}
        ensembles.append(Ensemble(lightgbm.train(parameters, drawn, num_boost_round=trees), rows))
    return tuple(ensembles)


def predict(ensembles: Sequence[Ensemble], x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread of the labels [N] of samples [N, D]; there has to be one."""
    predicted = np.stack([each.predict(x) for each in ensembles])
    return predicted.mean(axis=0), predicted.std(axis=0)


def predict_unseen(
    ensembles: Sequence[Ensemble], x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Labels of the samples [N, D] that the ensembles were grown on, each by those that have not drawn it.

    Returns labels [N], and which samples [N] there is a label of.
    """
    labels, times = np.zeros(len(x)), np.zeros(len(x))
    for each in ensembles:
        left = np.setdiff1d(np.arange(len(x)), each.rows)
        if len(left):
            labels[left] += each.predict(x[left])
            times[left] += 1
    return labels / np.maximum(times, 1), times > 0


def _members(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The samples of each group, by number."""
    order: NDArray[np.int64] = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
