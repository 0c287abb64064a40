"""What a cost model sees of a `Featurization`: names for its columns, and its counts by operation and type.

| per stage, in float32 | shape   | what                                                                          |
|-----------------------|---------|-------------------------------------------------------------------------------|
| schedule features     | [39]    | `SCHEDULE_FEATURES`; depend on the schedule                                   |
| pipeline features     | [40, 7] | counts by operation and type, without types in use; depend on the algorithm   |

Source: Halide 21, ``src/autoschedulers/adams2019/Featurization.h``.
"""

import hashlib

from hltune.values.features import FLOAT, OPERATIONS, TYPES, Floats

PIPELINE_SHAPE = (OPERATIONS, TYPES)
_COLUMNS = """
    num_realizations num_productions points_computed_per_realization points_computed_per_production
    points_computed_total points_computed_minimum innermost_loop_extent innermost_pure_loop_extent
    unrolled_loop_extent inner_parallelism outer_parallelism bytes_at_realization bytes_at_production bytes_at_root
    innermost_bytes_at_realization innermost_bytes_at_production innermost_bytes_at_root inlined_calls
    unique_bytes_read_per_realization unique_lines_read_per_realization allocation_bytes_read_per_realization
    working_set vector_size native_vector_size num_vectors num_scalars scalar_loads_per_vector vector_loads_per_vector
    scalar_loads_per_scalar bytes_at_task innermost_bytes_at_task unique_bytes_read_per_vector
    unique_lines_read_per_vector unique_bytes_read_per_task unique_lines_read_per_task working_set_at_task
    working_set_at_production working_set_at_realization working_set_at_root
"""
SCHEDULE_FEATURES = tuple(_COLUMNS.split())
"""The schedule features of a stage, in Halide's order."""


def operations(pipeline_features: Floats) -> Floats:
    """What a model sees [S, 40, 7] of pipeline features [S, 287]."""
    return pipeline_features[:, TYPES:].reshape(-1, *PIPELINE_SHAPE)


def features_key(schedule: Floats) -> str:
    """Identifies a schedule among those of its pipeline as far as a model can tell, by its features [S, 39]."""
    return hashlib.sha256(str(schedule.shape).encode() + schedule.astype(FLOAT).tobytes()).hexdigest()
