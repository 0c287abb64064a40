"""Which of many candidates are worth measuring.

The rule: a share is drawn at random, so that the samples do not only confirm the model. For each of the others, a
cost of every candidate is drawn from its prediction (normal, in logarithms, with the predicted mean and
spread), and the candidate with the smallest draw is taken (Thompson sampling): a low prediction and a large
uncertainty both help. Of candidates with the same features, one is taken before any other is taken again: the model
cannot tell them apart, and measuring one of them teaches most of what there is to learn.
"""

import numpy as np

from hltune.cost_model.features import features_key
from hltune.cost_model.scorer import Scores
from hltune.values.features import Floats


def choose(
    scores: Scores | None, schedules: Floats, count: int, *, random_share: float, rng: np.random.Generator
) -> list[int]:
    """Chooses candidates by the rule above; returns their positions, in the order in which they should be measured.

    Without scores [N] all are drawn at random. The schedules are their features [N, S, 39].
    """
    keys = np.array([features_key(schedule) for schedule in schedules])
    left = np.ones(len(schedules), dtype=np.bool_)
    taken: set[str] = set()
    chosen: list[int] = []
    while len(chosen) < count and left.any():
        fresh = left & ~np.isin(keys, list(taken))
        if not fresh.any():
            taken.clear()
            continue
        if scores is None or rng.random() < random_share:
            index = int(rng.choice(np.flatnonzero(fresh)))
        else:
            drawn = scores.mean + scores.spread * rng.standard_normal(len(schedules))
            index = int(np.argmin(np.where(fresh, drawn, np.inf)))
        chosen.append(index)
        left[index] = False
        taken.add(keys[index])
    return chosen
