from __future__ import annotations

from functools import partial

import jax
import numpy as np
import pytest

from hltune.cost_model.adams2019.batches import MiniBatch, make_batch
from hltune.cost_model.adams2019.losses import pipeline_loss
from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.weights import SHAPES, Weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.features import SCHEDULE_FEATURES
from hltune.values.errors import InputError
from hltune.values.features import Floats
from tests.cost_model.conftest import make_pipeline, make_schedules, perturbed

loss = jax.jit(partial(pipeline_loss, name="throughput"))
gradient = jax.jit(jax.grad(loss))


def test_neighbours_and_padding_do_not_matter(builtin: Weights) -> None:
    rng = np.random.default_rng(1)
    pipeline, schedules = make_pipeline(rng, 5), make_schedules(rng, 4100, 5)
    together = predict(builtin, pipeline, schedules, 2)
    alone = [predict(builtin, pipeline, schedules[[n]], 2)[0] for n in (0, 17, 4099)]
    np.testing.assert_allclose(together[[0, 17, 4099]], alone, rtol=1e-5)
    assert predict(builtin, pipeline, schedules[:0], 2).shape == (0,)


def column(name: str) -> int:
    return SCHEDULE_FEATURES.index(name)


BRANCHES: dict[str, dict[str, float]] = {
    "inlined": {"inlined_calls": 3, "inner_parallelism": 1},
    "not inlined": {"inlined_calls": 0, "inner_parallelism": 1},
    "parallel inside": {"inlined_calls": 0, "inner_parallelism": 6},
    "idle cores": {"inlined_calls": 0, "inner_parallelism": 1, "outer_parallelism": 3},
}


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("stages", [1, 3])  # a single stage is row 0 alone
def test_gradient_by_finite_differences(builtin: Weights, branch: str, stages: int) -> None:
    rng = np.random.default_rng(3)
    schedules = make_schedules(rng, 6, stages)
    for name, value in BRANCHES[branch].items():
        schedules[..., column(name)] = value
    check_gradient(perturbed(builtin, seed=4), make_pipeline(rng, stages), schedules)


def check_gradient(weights: Weights, pipeline: Floats, schedules: Floats) -> None:
    rng = np.random.default_rng(5)
    predicted_s = predict(weights, pipeline, schedules, 2).astype(np.float64) / 1e3
    samples = dataset(pipeline, schedules, predicted_s * np.exp(0.5 * rng.standard_normal(len(schedules))))
    with jax.enable_x64(True):
        batch = MiniBatch(
            *(
                value.astype(np.float64) if value.dtype.kind == "f" else value
                for value in make_batch(samples, best_cost=samples.best_cost)
            )
        )
        start = {name: values.astype(np.float64) for name, values in weights.items()}
        slopes = gradient(start, batch)
        for name, shape in SHAPES.items():
            direction = rng.standard_normal(shape)
            step = 1e-7
            ahead, behind = ({**start, name: start[name] + sign * step * direction} for sign in (1, -1))
            expected = (float(loss(ahead, batch)) - float(loss(behind, batch))) / (2 * step)
            assert float((slopes[name] * direction).sum()) == pytest.approx(expected, rel=1e-4, abs=1e-7), name


def dataset(pipeline: Floats, schedules: Floats, costs: np.ndarray) -> Dataset:
    return Dataset(pipeline=pipeline, schedules=schedules, costs=costs, cores=2)


def test_shapes_are_checked(builtin: Weights) -> None:
    rng = np.random.default_rng(6)
    pipeline, schedules = make_pipeline(rng, 3), make_schedules(rng, 4, 3)
    with pytest.raises(InputError, match="do not fit the pipeline"):
        predict(builtin, pipeline[:2], schedules, 2)
    with pytest.raises(InputError, match="wrong shape"):
        predict(builtin, pipeline[:, :39], schedules, 2)
