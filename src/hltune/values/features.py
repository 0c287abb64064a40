"""What the cost model sees of a schedule, split into what belongs to the pipeline and what to the schedule.

Halide's form is one row of 326 float32, little-endian, per stage; row 0 is the last stage of the output:

| columns  | what                                                           | here                |
|----------|----------------------------------------------------------------|---------------------|
| 0..38    | schedule features: loop extents, bytes, lines, vectors, ...    | `schedule_features` |
| 39..325  | pipeline features: 7 types in use, then 40 x 7 counts by type  | `pipeline_features` |

Output Funcs come first; within a Func the last update comes first and the pure definition last.

Source: Halide 21, ``src/autoschedulers/adams2019/{Featurization.h,State.cpp}``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from hltune.values.errors import InputError

SCHEDULE_COLUMNS = 39
TYPES = 7
"""Bool, 8, 16, 32, 64 bits, Float, Double."""
OPERATIONS = 40
"""24 kinds of operations, then 4 access patterns x 4 kinds of access."""
PIPELINE_COLUMNS = TYPES + OPERATIONS * TYPES
COLUMNS = SCHEDULE_COLUMNS + PIPELINE_COLUMNS
POINTS_COMPUTED_MINIMUM = 5
"""A schedule feature that depends on the pipeline and its estimates alone."""

FLOAT = np.dtype("<f4")
STAGE_BYTES = COLUMNS * FLOAT.itemsize
Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

_LARGEST = 1e14
"""What lies above has overflowed somewhere; Halide's own training rejects it as well."""


def plausible(features: Floats) -> bool:
    """True if features of any shape are neither negative, nor overflowed, nor NaN."""
    return bool(((features >= 0) & (features <= _LARGEST)).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Featurization:
    """Both parts, row by row, as little-endian float32.

    Attributes:
        pipeline_features: [stages, 287]; the same for all schedules of a pipeline.
        schedule_features: [stages, 39].
    """

    pipeline_features: bytes
    schedule_features: bytes

    def __post_init__(self) -> None:
        found = (len(self.pipeline_features), len(self.schedule_features))
        expected = tuple(self.stages * columns * FLOAT.itemsize for columns in (PIPELINE_COLUMNS, SCHEDULE_COLUMNS))
        if self.stages == 0 or found != expected:
            raise InputError(
                "not a featurization: its parts do not fit each other",
                expected=f"{PIPELINE_COLUMNS} pipeline and {SCHEDULE_COLUMNS} schedule features per stage",
                found=f"{found[0]} and {found[1]} bytes",
            )
        if not (np.isfinite(self.pipeline_array()).all() and np.isfinite(self.schedule_array()).all()):
            raise InputError(
                "the featurization holds values that are not finite", expected="finite values", found="NaN or infinity"
            )

    @classmethod
    def from_halide(cls, data: bytes) -> Featurization:
        """Splits what the Adams2019 plugin returned.

        Raises:
            InputError: it has another size, or values that are not finite.
        """
        if not data or len(data) % STAGE_BYTES:
            expected = f"a multiple of {STAGE_BYTES} bytes"
            raise InputError("not a featurization: wrong size", expected=expected, found=f"{len(data)} bytes")
        rows = np.frombuffer(data, dtype=FLOAT).reshape(-1, COLUMNS)
        return cls(
            pipeline_features=rows[:, SCHEDULE_COLUMNS:].tobytes(),
            schedule_features=rows[:, :SCHEDULE_COLUMNS].tobytes(),
        )

    @classmethod
    def usable(cls, data: bytes) -> Featurization | None:
        """`from_halide`; None if there are no features, or numbers overflowed, from which nothing can be learned."""
        try:
            featurization = cls.from_halide(data)
        except InputError:
            return None
        good = plausible(featurization.schedule_array()) and plausible(featurization.pipeline_array())
        return featurization if good else None

    def to_halide(self) -> bytes:
        """The inverse of `from_halide`."""
        return np.concatenate([self.schedule_array(), self.pipeline_array()], axis=1).astype(FLOAT).tobytes()

    @property
    def stages(self) -> int:
        """Number of rows."""
        return len(self.schedule_features) // (SCHEDULE_COLUMNS * FLOAT.itemsize)

    @property
    def schedule_hash(self) -> str:
        """Stands for a schedule whose directives are not known: 64 hexadecimal digits."""
        return hashlib.sha256(b"schedule features" + self.schedule_features).hexdigest()

    @property
    def pipeline_hash(self) -> str:
        """Stands for a pipeline whose algorithm is not known: 64 hexadecimal digits.

        The numbers of points tell sizes of the same algorithm apart.
        """
        points = self.schedule_array()[:, POINTS_COMPUTED_MINIMUM].tobytes()
        return hashlib.sha256(b"pipeline features" + self.pipeline_features + points).hexdigest()

    def pipeline_array(self) -> Floats:
        """[stages, 287]."""
        return np.frombuffer(self.pipeline_features, dtype=FLOAT).reshape(-1, PIPELINE_COLUMNS)

    def schedule_array(self) -> Floats:
        """[stages, 39]."""
        return np.frombuffer(self.schedule_features, dtype=FLOAT).reshape(-1, SCHEDULE_COLUMNS)
