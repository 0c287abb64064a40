"""What the cost model sees of a pipeline and of a schedule: Halide's featurization as arrays.

| per stage, in float32 | shape   | what                                                                            |
|-----------------------|---------|---------------------------------------------------------------------------------|
| schedule features     | [39]    | the table of `ScheduleFeatures`; depend on the schedule                         |
| type masks            | [7]     | types in use; the model ignores them                                            |
| pipeline features     | [40, 7] | 24 kinds of operations, then 4 access patterns x 4 kinds of access; counts by   |
|                       |         | type: Bool, 8, 16, 32, 64 bits, Float, Double; depend on the algorithm alone    |

Little-endian, no header, one block of `STAGE_BYTES` per stage. Output Funcs come first; within a Func the last update
comes first and the pure definition last, so that row 0 is the last stage of the output.

Source: Halide 21, ``src/autoschedulers/adams2019/Featurization.h`` and ``State.cpp``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hltune.errors import InputError

T = TypeVar("T")
Floats = NDArray[np.float32]


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


SCHEDULE_FEATURES: tuple[str, ...] = ScheduleFeatures._fields
TYPES = 7
PIPELINE_SHAPE = (40, TYPES)
STAGE_FLOATS = len(SCHEDULE_FEATURES) + TYPES + PIPELINE_SHAPE[0] * PIPELINE_SHAPE[1]
STAGE_BYTES = 4 * STAGE_FLOATS
LARGEST_FEATURE = 1e14
"""What lies above has overflowed somewhere; Halide's own training rejects it as well."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """The featurization of one schedule of one pipeline; equal when its bytes are.

    Attributes:
        pipeline: [S, 40, 7], read-only.
        type_masks: [S, 7], read-only; kept so that the bytes can be written again.
        schedule: [S, 39], read-only.
    """

    pipeline: Floats
    type_masks: Floats
    schedule: Floats

    def __post_init__(self) -> None:
        stages = len(self.schedule)
        expected = ((stages, *PIPELINE_SHAPE), (stages, TYPES), (stages, len(SCHEDULE_FEATURES)))
        found = (self.pipeline.shape, self.type_masks.shape, self.schedule.shape)
        if expected != found or stages == 0:
            raise InputError("features of the wrong shape", expected=str(expected), found=str(found))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Features) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str = "featurization") -> Features:
        """Decodes Halide's binary form.

        Raises:
            InputError: not a whole number of stages, or none.
        """
        if not data or len(data) % STAGE_BYTES:
            raise InputError(
                "not a featurization of Adams2019",
                where=where,
                expected=f"a multiple of {STAGE_BYTES} bytes, one block per stage",
                found=f"{len(data)} bytes",
            )
        rows = np.frombuffer(data, dtype="<f4").reshape(-1, STAGE_FLOATS)
        schedule, masks, pipeline = np.split(rows, [len(SCHEDULE_FEATURES), len(SCHEDULE_FEATURES) + TYPES], axis=1)
        return cls(pipeline=pipeline.reshape(-1, *PIPELINE_SHAPE), type_masks=masks, schedule=schedule)

    def to_bytes(self) -> bytes:
        """Halide's binary form."""
        pipeline = self.pipeline.reshape(len(self.schedule), -1)
        return np.concatenate([self.schedule, self.type_masks, pipeline], axis=1).astype("<f4").tobytes()

    @property
    def stages(self) -> int:
        """Number of stages."""
        return len(self.schedule)

    @property
    def pipeline_hash(self) -> str:
        """Identifies the pipeline as far as the model can tell."""
        return pipeline_hash(self.pipeline)

    @property
    def schedule_hash(self) -> str:
        """Identifies the schedule among those of its pipeline as far as the model can tell."""
        return schedule_hash(self.schedule)

    @property
    def plausible(self) -> bool:
        """Whether all features are numbers that the model can work with."""
        return plausible(self.pipeline) and plausible(self.schedule)


def pipeline_hash(pipeline: Floats) -> str:
    """A stable hash of pipeline features [S, 40, 7]."""
    return _hash(pipeline)


def schedule_hash(schedule: Floats) -> str:
    """A stable hash of schedule features [S, 39]."""
    return _hash(schedule)


def plausible(features: Floats) -> bool:
    """Whether features of any shape are neither negative, nor overflown, nor NaN."""
    return bool(((features >= 0) & (features <= LARGEST_FEATURE)).all())


def _hash(array: Floats) -> str:
    return hashlib.sha256(str(array.shape).encode() + array.astype("<f4").tobytes()).hexdigest()
