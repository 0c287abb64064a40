"""How many processes measure side by side: each of them has all images in memory."""

import math
from collections.abc import Sequence

import numpy as np

from hltune.runtime.worker import memory_share_bytes
from hltune.values.pipeline import Interval, PipelineSpec

_BESIDE_BYTES = 2**30
"""What a process needs beside images, to compile above all."""
_WHILE_VERIFYING = 2
"""So many times as much as the outputs takes comparing them with what is expected, beside themselves."""


def lanes_for(specs: Sequence[PipelineSpec], most: int) -> int:
    """As many processes as there is memory for, so many at most and one at least: each keeps all images it has seen."""
    outputs = [sum(_bytes(dtype, each.estimate) for each in spec.outputs for dtype in each.dtypes) for spec in specs]
    inputs = [sum(_bytes(each.dtype, each.estimate) for each in spec.buffers()) for spec in specs]
    each = _BESIDE_BYTES + sum(inputs) + sum(outputs) + _WHILE_VERIFYING * max(outputs)
    return max(1, min(most, memory_share_bytes(1) // each))


def _bytes(dtype: str, estimate: Sequence[Interval]) -> int:
    return np.dtype(dtype).itemsize * math.prod(extent for _, extent in estimate)
