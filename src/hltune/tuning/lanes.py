"""How many processes measure side by side: each of them has all images in memory."""

from collections.abc import Sequence

from hltune.machine.inputs import input_bytes, output_bytes
from hltune.runtime.worker import memory_share_bytes
from hltune.values.pipeline import PipelineSpec

_BESIDE_BYTES = 2**30
"""What a process needs beside images, to compile above all."""
_KINDS = 2
"""Of inputs: noise, and smooth ones."""
_WHILE_VERIFYING = 2
"""So many times as much as the outputs takes comparing them with what is expected, beside themselves."""


def lanes_for(specs: Sequence[PipelineSpec], most: int) -> int:
    """As many processes as there is memory for, so many at most and one at least: each keeps all images it has seen."""
    inputs, outputs = sum(map(input_bytes, specs)), [*map(output_bytes, specs)]
    each = _BESIDE_BYTES + _KINDS * inputs + sum(outputs) + _WHILE_VERIFYING * max(outputs)
    return max(1, min(most, memory_share_bytes(1) // each))
