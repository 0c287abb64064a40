"""3x3 convolution with a 16-bit accumulator, which wraps around."""

from collections.abc import Mapping

import halide as hl
import numpy as np

from hltune.pipeline.images import Array
from hltune.suite.conv3x3 import convolution, convolved, expert

__all__ = ["expert", "pipeline", "reference"]


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Inputs: ``input`` and the 3x3 ``mask``."""
    return convolution(hl.Int(16), width, height)


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """The same in NumPy."""
    return convolved(arrays, np.int16)
