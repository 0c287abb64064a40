"""Sobel edge strength: |gx| + |gy|, at most 255."""

from collections.abc import Mapping

import halide as hl
import numpy as np

from hltune.pipeline.images import Array
from hltune.suite.images import correlated, estimated, input_image, repeat_edge
from hltune.suite.strips import strips


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Smooths and differentiates columns, then does the other of the two across them; 16-bit numbers are enough."""
    x, y = hl.vars("x y")
    edge = repeat_edge(input_image(width, height))
    above, here, below = (hl.cast(hl.Int(16), edge[x, y + k]) for k in (-1, 0, 1))
    smooth, slope, output = hl.Func("smooth"), hl.Func("slope"), hl.Func("output")
    smooth[x, y] = above + 2 * here + below
    slope[x, y] = below - above
    gx = smooth[x + 1, y] - smooth[x - 1, y]
    gy = slope[x - 1, y] + 2 * slope[x, y] + slope[x + 1, y]
    output[x, y] = hl.cast(hl.UInt(8), hl.min(hl.abs(gx) + hl.abs(gy), 255))
    return estimated(output, width, height)


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """The same in NumPy, from the two 3x3 masks."""
    mask = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    gx, gy = (correlated(arrays["input"], each) for each in (mask, mask.T))
    return (np.minimum(abs(gx) + abs(gy), 255).astype(np.uint8),)


def expert(vector_bytes: int) -> str:
    """One vector of 16-bit lanes at a time; ``smooth`` and ``slope`` stay inlined.

    Both are a few operations on bytes that the edge buffer holds anyway; 16-bit buffers of them would be four times
    the traffic.
    """
    return strips(lanes=vector_bytes // 2)
