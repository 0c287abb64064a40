"""Which of many candidates are worth measuring.

The rule: a share is drawn at random, so that the samples do not only confirm the model. For each of the others, a
cost of every candidate is drawn from its prediction (normal, in logarithms, with the predicted mean and
spread), and the candidate with the smallest draw is taken (Thompson sampling): a low prediction and a large
uncertainty both help. Whether it fails is drawn as well, from the chance that it does. Of candidates with the same
features, one is taken before any other is taken again: the model cannot tell them apart, and measuring one of them
teaches most of what there is to learn.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.scorer import Scores

_FAILED = 1e6
"""What failure adds to the logarithm of a cost: more than any two differ."""


def choose(
    scores: Scores | None,
    features: Sequence[str],
    count: int,
    *,
    random_share: float,
    rng: np.random.Generator,
    failing: NDArray[np.float64] | float = 0.0,
) -> list[int]:
    """Chooses candidates by the rule above; returns their positions, in the order in which they should be measured.

    Without scores [N] all are drawn at random. What has the same features has the same key among `features` [N].

    Args:
        failing: the chance that each fails [N], or all do.
    """
    different, keys = _numbered(features)
    left = np.ones(len(keys), dtype=np.bool_)
    taken = np.zeros(different, dtype=np.bool_)
    chosen: list[int] = []
    while len(chosen) < count and left.any():
        fresh = left & ~taken[keys]
        if not fresh.any():
            taken[:] = False
            continue
        if scores is None or rng.random() < random_share:
            index = int(rng.choice(np.flatnonzero(fresh)))
        else:
            drawn = scores.mean + scores.spread * rng.standard_normal(len(keys))
            drawn[rng.random(len(keys)) < failing] += _FAILED
            index = int(np.argmin(np.where(fresh, drawn, np.inf)))
        chosen.append(index)
        left[index] = False
        taken[keys[index]] = True
    return chosen


def _numbered(features: Sequence[str]) -> tuple[int, NDArray[np.intp]]:
    """How many different keys there are, and the number of each [N]."""
    numbers: dict[str, int] = {}
    keys = np.array([numbers.setdefault(each, len(numbers)) for each in features], dtype=np.intp)
    return len(numbers), keys
