"""Weights that rate schedules differently, for searches that have to find different schedules.

Each of the 32 trunk outputs is the coefficient of one term of the cost, such as the cost of a vector or of an
allocation; see `hltune.cost_model.adams2019.network`. The rectifier keeps them proportional to their rows of the
trunk, so that scaling a row scales one term: a search with such weights believes that loads are cheap, say, and
allocations expensive.
"""

import numpy as np

from hltune.cost_model.adams2019.weights import SHAPES, Weights


def vary(weights: Weights, rng: np.random.Generator, sigma: float) -> Weights:
    """Multiplies every term of the cost by a log-normal number; `sigma` is the standard deviation of its logarithm."""
    factors = np.exp(sigma * rng.standard_normal(SHAPES["trunk_bias"])).astype(np.float32)
    return weights | {
        "trunk_filter": weights["trunk_filter"] * factors[:, None],
        "trunk_bias": weights["trunk_bias"] * factors,
    }
