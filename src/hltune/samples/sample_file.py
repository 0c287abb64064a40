"""`.sample` files of Halide's own tuning loop.

| offset          | what                                                    |
|-----------------|---------------------------------------------------------|
| 0               | the featurization: 326 float32 per stage                |
| 1304 * stages   | float32 running time in milliseconds                    |
| 1304 * stages+4 | int32 pipeline id                                       |
| 1304 * stages+8 | int32 schedule id                                       |

All little-endian, without a header.

Source: Halide 21, ``src/autoschedulers/adams2019/{featurization_to_sample,retrain_cost_model}.cpp``.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from hltune.values.errors import InputError
from hltune.values.features import STAGE_BYTES, Featurization

_TAIL = struct.Struct("<fii")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFile:
    """The content of a file.

    Attributes:
        pipeline_id: the stock loop numbers its generator's parameters, so different pipelines can share one.
        schedule_id: unique within one run of the loop.
    """

    featurization: Featurization
    runtime_s: float
    pipeline_id: int
    schedule_id: int

    def encode(self) -> bytes:
        """The bytes of the file."""
        return self.featurization.to_halide() + _TAIL.pack(self.runtime_s * 1e3, self.pipeline_id, self.schedule_id)

    @classmethod
    def decode(cls, data: bytes) -> SampleFile:
        """The inverse of `encode`; the running time is rounded to float32 milliseconds.

        Raises:
            InputError: the size is wrong, or a value makes no sense.
        """
        body = len(data) - _TAIL.size
        if body <= 0 or body % STAGE_BYTES:
            expected = f"{STAGE_BYTES} bytes per stage and {_TAIL.size} more"
            raise InputError("wrong size", expected=expected, found=f"{len(data)} bytes")
        runtime_ms, pipeline_id, schedule_id = _TAIL.unpack_from(data, body)
        if not 0 < runtime_ms < math.inf:
            raise InputError("bad running time", expected="a positive number of ms", found=str(runtime_ms))
        return cls(
            featurization=Featurization.from_halide(data[:body]),
            runtime_s=runtime_ms / 1e3,
            pipeline_id=pipeline_id,
            schedule_id=schedule_id,
        )
