"""What a cost model sees of a `Featurization`: names for its columns, and its counts by operation and type.

| per stage, in float32 | shape   | what                                                                          |
|-----------------------|---------|-------------------------------------------------------------------------------|
| schedule features     | [39]    | the table of `ScheduleFeatures`; depend on the schedule                       |
| pipeline features     | [40, 7] | counts by operation and type, without types in use; depend on the algorithm   |

Source: Halide 21, ``src/autoschedulers/adams2019/Featurization.h``.
"""

import hashlib
from typing import Generic, NamedTuple, TypeVar

from hltune.values.features import FLOAT, OPERATIONS, TYPES, Floats

T = TypeVar("T")


class ScheduleFeatures(NamedTuple, Generic[T]):
    """The schedule features of a stage, in Halide's order: numbers, columns, or whatever `T` is."""

    num_realizations: T
    num_productions: T
    points_computed_per_realization: T
    points_computed_per_production: T
    points_computed_total: T
    points_computed_minimum: T
    innermost_loop_extent: T
    innermost_pure_loop_extent: T
    unrolled_loop_extent: T
    inner_parallelism: T
    outer_parallelism: T
    bytes_at_realization: T
    bytes_at_production: T
    bytes_at_root: T
    innermost_bytes_at_realization: T
    innermost_bytes_at_production: T
    innermost_bytes_at_root: T
    inlined_calls: T
    unique_bytes_read_per_realization: T
    unique_lines_read_per_realization: T
    allocation_bytes_read_per_realization: T
    working_set: T
    vector_size: T
    native_vector_size: T
    num_vectors: T
    num_scalars: T
    scalar_loads_per_vector: T
    vector_loads_per_vector: T
    scalar_loads_per_scalar: T
    bytes_at_task: T
    innermost_bytes_at_task: T
    unique_bytes_read_per_vector: T
    unique_lines_read_per_vector: T
    unique_bytes_read_per_task: T
    unique_lines_read_per_task: T
    working_set_at_task: T
    working_set_at_production: T
    working_set_at_realization: T
    working_set_at_root: T


SCHEDULE_FEATURES = ScheduleFeatures._fields
PIPELINE_SHAPE = (OPERATIONS, TYPES)


def operations(pipeline_features: Floats) -> Floats:
    """What a model sees [S, 40, 7] of pipeline features [S, 287]."""
    return pipeline_features[:, TYPES:].reshape(-1, *PIPELINE_SHAPE)


def features_key(schedule: Floats) -> str:
    """Identifies a schedule among those of its pipeline as far as a model can tell, by its features [S, 39]."""
    return hashlib.sha256(str(schedule.shape).encode() + schedule.astype(FLOAT).tobytes()).hexdigest()
