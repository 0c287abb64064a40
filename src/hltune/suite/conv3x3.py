"""3x3 convolution of an image with an int8 mask: what the benchmarks with either accumulator share.

The sum of the nine products is shifted right by 4 and clamped to 0..255.
"""

from collections.abc import Mapping
from itertools import product

import halide as hl
import numpy as np

from hltune.pipeline.images import Array
from hltune.suite.images import correlated, estimated, input_image, repeat_edge
from hltune.suite.strips import strips


def convolution(accumulator: hl.Type, width: int, height: int) -> hl.Func:
    """Sums in the given type; products fit into 16 bits, sums of them wrap there."""
    x, y = hl.vars("x y")
    edge = repeat_edge(input_image(width, height))
    mask = hl.ImageParam(hl.Int(8), 2, "mask")
    mask.set_estimates([hl.Range(0, 3), hl.Range(0, 3)])
    total: hl.Expr | int = 0
    for dy, dx in product((-1, 0, 1), repeat=2):
        pixel, weight = (hl.cast(hl.Int(16), value) for value in (edge[x + dx, y + dy], mask[dx + 1, dy + 1]))
        total = hl.cast(accumulator, pixel * weight) + total
    output = hl.Func("output")
    output[x, y] = hl.cast(hl.UInt(8), hl.clamp(total >> 4, 0, 255))
    return estimated(output, width, height)


def convolved(arrays: Mapping[str, Array], accumulator: type[np.signedinteger]) -> tuple[Array, ...]:
    """The same in NumPy: an exact sum, of which the accumulator keeps the low bits."""
    total = correlated(arrays["input"], arrays["mask"]).astype(accumulator)
    return (np.clip(total >> 4, 0, 255).astype(np.uint8),)


def expert(vector_bytes: int) -> str:
    """One vector of 16-bit products at a time, which leaves registers for the accumulators of all rows of a block."""
    return strips(lanes=vector_bytes // 2)
