"""The network of Adams2019: from features to a predicted cost, exactly as the plugin computes it.

| symbol | shape      | what                                                                          |
|--------|------------|-------------------------------------------------------------------------------|
| N      |            | schedules of one pipeline                                                     |
| S      |            | stages; row 0 is the last stage of the output                                 |
| P      | [S, 40, 7] | pipeline features                                                             |
| F      | [N, S, 39] | schedule features                                                             |
| A      | [S, 8]     | embedding of the algorithm: the sigmoid keeps its filter positive and bounded |
| B      | [N, S, 24] | embedding of the schedule                                                     |
| Z      | [N, S, 32] | trunk before its rectifier; the loss wants it positive                        |
| k      | 32 x [N,S] | coefficients of the hand-made cost terms                                      |

The running time is the sum over the stages of terms such as "vectors times cost of a vector". A stage whose features
are all zero costs nothing, so stages and schedules may be padded with zeros to sizes that are compiled already.

Source: Adams et al., "Learning to Optimize Halide with Tree Search and Random Programs", ACM TOG 38(4), 2019; Halide
21, ``src/autoschedulers/adams2019/cost_model_generator.cpp``.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.features import PIPELINE_SHAPE, ScheduleFeatures
from hltune.values.errors import InputError
from hltune.values.features import SCHEDULE_COLUMNS, Floats

_PAGE_BYTES = 4096
_CHUNK = 4096
"""Schedules that are predicted at a time: bounds the memory."""

Arrays = Mapping[str, jax.Array | Floats]
"""Weights by name, or their gradient: numbers as they are read, or traced."""


def predict(weights: Weights, pipeline_features: Floats, schedule_features: Floats, cores: int) -> Floats:
    """Predicted running times [N] in milliseconds, of schedules [N, S, 39] of one pipeline [S, 40, 7].

    Raises:
        InputError: the shapes do not fit together.
    """
    _check_shapes(pipeline_features, schedule_features)
    predicted = np.empty(len(schedule_features), dtype=np.float32)
    for begin in range(0, len(schedule_features), _CHUNK):
        part = schedule_features[begin : begin + _CHUNK]
        padded = pad(pipeline_features, part)
        predicted[begin : begin + len(part)] = _predict(dict(weights), *padded, cores)[: len(part)]
    return predicted


def forward(
    weights: Arrays, pipeline: jax.Array, schedules: jax.Array, cores: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Running times [N] in milliseconds and Z [N, S, 32], from P, F and the number of cores; traceable."""
    w = {name: jnp.asarray(values) for name, values in weights.items()}
    a = w["head1_bias"] + jnp.einsum("cot,sot->sc", jax.nn.sigmoid(w["head1_filter"]), pipeline)
    b = jax.nn.relu(w["head2_bias"] + jnp.log1p(schedules) @ w["head2_filter"].T)
    from_a, from_b = w["trunk_filter"][:, : a.shape[-1]], w["trunk_filter"][:, a.shape[-1] :]
    trunk = w["trunk_bias"] + a @ from_a.T + b @ from_b.T
    k = list(jnp.moveaxis(jax.nn.relu(trunk), -1, 0))
    f = ScheduleFeatures(*jnp.moveaxis(schedules, -1, 0))
    cost = (
        _compute_cost(f, k, cores)
        + _load_cost(f, k)
        + 2 * _store_cost(f, k)  # doubled by accident when the built-in weights were trained, and kept since
        + k[24] * f.num_realizations  # allocations
        + f.num_productions * (jnp.where(f.inner_parallelism > 1, k[25], 0) + (f.inner_parallelism - 1) * k[26])
        + f.working_set * k[27]
    )
    return jnp.sum(cost * 1e-9, axis=-1), trunk


def _check_shapes(pipeline: Floats, schedules: Floats) -> None:
    stages = len(pipeline)
    if stages == 0 or pipeline.shape[1:] != PIPELINE_SHAPE:
        expected = f"(S, {PIPELINE_SHAPE[0]}, {PIPELINE_SHAPE[1]})"
        raise InputError("pipeline features of the wrong shape", expected=expected, found=str(pipeline.shape))
    if schedules.ndim != 3 or schedules.shape[1:] != (stages, SCHEDULE_COLUMNS):
        expected = f"(N, {stages}, {SCHEDULE_COLUMNS})"
        raise InputError("schedule features do not fit the pipeline", found=str(schedules.shape), expected=expected)


def pad(pipeline: Floats, schedules: Floats) -> tuple[Floats, Floats]:
    """Adds zeros to P and F until there are powers of two of N and S, so that few sizes are ever compiled."""
    n, s = (max(least, 1 << (size - 1).bit_length()) for size, least in zip(schedules.shape, (16, 4), strict=False))
    more = (0, s - len(pipeline))
    return np.pad(pipeline, (more, (0, 0), (0, 0))), np.pad(schedules, ((0, n - len(schedules)), more, (0, 0)))


@jax.jit
def _predict(weights: Arrays, pipeline: Floats, schedules: Floats, cores: int) -> jax.Array:
    return forward(weights, jnp.asarray(pipeline), jnp.asarray(schedules), jnp.asarray(cores))[0]


def _tasks(f: ScheduleFeatures[jax.Array]) -> jax.Array:
    return jnp.maximum(1, f.inner_parallelism * f.outer_parallelism)


def _compute_cost(f: ScheduleFeatures[jax.Array], k: list[jax.Array], cores: jax.Array) -> jax.Array:
    inlined = f.inlined_calls != 0
    values = f.vector_size * f.num_vectors * jnp.where(inlined, k[2], k[0])
    values += f.num_scalars * jnp.where(inlined, k[3], k[1])
    tasks_per_core = _tasks(f) / cores
    idle_cores = jnp.ceil(tasks_per_core) / jnp.maximum(1, tasks_per_core)
    return values * idle_cores


def _load_cost(f: ScheduleFeatures[jax.Array], k: list[jax.Array]) -> jax.Array:
    per_realization = f.unique_lines_read_per_realization * k[5] + f.unique_bytes_read_per_realization * k[6]
    per_vector = (
        f.scalar_loads_per_vector * k[7]
        + f.vector_loads_per_vector * k[9]
        + f.unique_bytes_read_per_vector * k[11]
        + f.unique_lines_read_per_vector * k[13]
    )
    per_scalar = (
        f.scalar_loads_per_scalar * k[8]
        + f.unique_bytes_read_per_vector * k[10]
        + f.unique_lines_read_per_vector * k[12]
    )
    per_task = f.unique_bytes_read_per_task * k[14] + f.unique_lines_read_per_task * k[15]
    return (
        f.num_realizations * per_realization
        + f.num_vectors * per_vector
        + f.num_scalars * per_scalar
        + _tasks(f) * per_task
    )


def _store_cost(f: ScheduleFeatures[jax.Array], k: list[jax.Array]) -> jax.Array:
    parallel = f.inner_parallelism > 1  # other cores will read most of what is stored
    output = jnp.arange(f.inner_parallelism.shape[-1]) == 0  # nothing in the pipeline loads from it
    alpha = jnp.where(parallel, k[16], jnp.where(output, k[17], k[18]))
    beta = jnp.where(parallel, k[19], jnp.where(output, k[20], k[21]))
    innermost_bytes = jnp.maximum(1, f.innermost_bytes_at_task)
    lines = f.inner_parallelism * (f.bytes_at_task / innermost_bytes)
    false_sharing = jnp.where(parallel, k[22] * (f.num_vectors + f.num_scalars) / innermost_bytes, 0)
    threads_on_a_page = jnp.minimum(f.inner_parallelism, _PAGE_BYTES / innermost_bytes)
    page_faults = f.bytes_at_production * threads_on_a_page * f.inner_parallelism * f.outer_parallelism * k[23]
    return f.num_realizations * (lines * alpha + f.bytes_at_realization * beta) + false_sharing + page_faults
