from __future__ import annotations

import jax
import numpy as np
import pytest

from hltune.cost_model.features import SCHEDULE_FEATURES
from hltune.cost_model.adams2019.loss import MiniBatch, batch_loss, dataset_loss, make_batch
from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.weights import SHAPES, Weights
from hltune.cost_model.dataset import Dataset
from hltune.values.errors import InputError
from hltune.values.features import Floats
from tests.cost_model.conftest import make_dataset, make_pipeline, make_schedules, perturbed


def test_neighbours_and_padding_do_not_matter(builtin: Weights) -> None:
    rng = np.random.default_rng(1)
    pipeline, schedules = make_pipeline(rng, 5), make_schedules(rng, 4100, 5)
    together = predict(builtin, pipeline, schedules, 2)
    alone = [predict(builtin, pipeline, schedules[[n]], 2)[0] for n in (0, 17, 4099)]
    np.testing.assert_allclose(together[[0, 17, 4099]], alone, rtol=1e-5)
    assert predict(builtin, pipeline, schedules[:0], 2).shape == (0,)


def test_loss_is_what_its_docstring_says(builtin: Weights) -> None:
    samples = make_dataset(2, 21)
    p = predict(builtin, samples.pipeline, samples.schedules, 2).astype(np.float64)
    r = samples.costs * 1e3
    error = np.square(1 / np.maximum(p / r.min(), 1e-10) - r.min() / r).sum()
    found = dataset_loss(builtin, samples)
    assert found >= error * (1 - 1e-4)
    assert found - error == pytest.approx(1e-5 * negative_trunk(builtin, samples), rel=0.02, abs=1e-3)


def negative_trunk(w: Weights, samples: Dataset) -> float:
    """In plain NumPy, stage by stage."""
    squashed = 1 / (1 + np.exp(-w["head1_filter"].astype(np.float64)))
    total = 0.0
    for schedule in samples.schedules.astype(np.float64):
        for stage, features in enumerate(schedule):
            a = w["head1_bias"] + (squashed * samples.pipeline[stage]).sum(axis=(1, 2))
            b = np.maximum(0, w["head2_bias"] + w["head2_filter"] @ np.log1p(features))
            total += np.maximum(0, -(w["trunk_bias"] + w["trunk_filter"] @ np.concatenate([a, b]))).sum()
    return total


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
                for value in make_batch(samples, best_s=float(samples.costs.min()))
            )
        )
        start = {name: values.astype(np.float64) for name, values in weights.items()}
        loss, gradient = jax.jit(batch_loss), jax.jit(jax.grad(batch_loss))(start, batch)
        for name, shape in SHAPES.items():
            direction = rng.standard_normal(shape)
            step = 1e-7
            ahead, behind = ({**start, name: start[name] + sign * step * direction} for sign in (1, -1))
            expected = (float(loss(ahead, batch)) - float(loss(behind, batch))) / (2 * step)
            assert float((gradient[name] * direction).sum()) == pytest.approx(expected, rel=1e-4, abs=1e-7), name


def dataset(pipeline: Floats, schedules: Floats, costs: np.ndarray) -> Dataset:
    return Dataset(pipeline=pipeline, schedules=schedules, costs=costs, cores=2)


def test_shapes_are_checked(builtin: Weights) -> None:
    rng = np.random.default_rng(6)
    pipeline, schedules = make_pipeline(rng, 3), make_schedules(rng, 4, 3)
    with pytest.raises(InputError, match="do not fit the pipeline"):
        predict(builtin, pipeline[:2], schedules, 2)
    with pytest.raises(InputError, match="wrong shape"):
        predict(builtin, pipeline[:, :39], schedules, 2)
    with pytest.raises(InputError, match="running times"):
        dataset(pipeline, schedules, np.zeros(4))
    with pytest.raises(InputError, match="overflowed"):
        dataset(pipeline, -schedules, np.ones(4))
