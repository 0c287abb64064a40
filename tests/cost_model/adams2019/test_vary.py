from __future__ import annotations

import jax
import numpy as np
import pytest

from hltune.cost_model.adams2019.network import forward
from hltune.cost_model.adams2019.weights import Weights, vary, weights_hash
from tests.cost_model.conftest import make_pipeline, make_schedules


def test_every_coefficient_is_scaled_by_a_number_of_its_own(builtin: Weights) -> None:
    rng = np.random.default_rng(0)
    pipeline, schedules = make_pipeline(rng), make_schedules(rng, 5)
    varied = vary(builtin, rng, 1.0)
    compiled = jax.jit(forward)
    before, after = (np.asarray(compiled(w, pipeline, schedules, 2.0)[1]) for w in (builtin, varied))
    factors = varied["trunk_bias"] / builtin["trunk_bias"]
    assert len(np.unique(factors)) == 32
    np.testing.assert_allclose(after, before * factors, rtol=1e-3, atol=1e-3)
    assert np.log(factors).std() == pytest.approx(1.0, abs=0.4)


def test_nothing_else_changes_and_the_start_stays(builtin: Weights) -> None:
    before = weights_hash(builtin)
    varied = vary(builtin, np.random.default_rng(0), 0.5)
    assert weights_hash(builtin) == before != weights_hash(varied)
    for name in ("head1_filter", "head1_bias", "head2_filter", "head2_bias"):
        assert varied[name] is builtin[name]
    assert weights_hash(vary(builtin, np.random.default_rng(0), 0.0)) == before
