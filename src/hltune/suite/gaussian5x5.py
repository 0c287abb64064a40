"""5x5 Gaussian blur with the binomial weights 1 4 6 4 1 in both directions, rounded down."""

from collections.abc import Mapping, Sequence

import halide as hl
import numpy as np

from hltune.pipeline.images import Array
from hltune.suite.images import correlated, estimated, input_image, repeat_edge
from hltune.suite.strips import BLOCK_ROWS, HVX_BLOCK_ROWS, HVX_LANES, hvx_strips, strips

_WEIGHTS = (1, 4, 6, 4, 1)


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Blurs columns, then rows, in unsigned 16-bit numbers: 256 * 255 fits exactly."""
    x, y = hl.vars("x y")
    edge = repeat_edge(input_image(width, height))
    column, output = hl.Func("column"), hl.Func("output")
    column[x, y] = _weighted([hl.cast(hl.UInt(16), edge[x, y + k]) for k in range(-2, 3)])
    output[x, y] = hl.cast(hl.UInt(8), _weighted([column[x + k, y] for k in range(-2, 3)]) >> 8)
    return estimated(output, width, height)


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """The same in NumPy, over all 25 pixels at once."""
    return ((correlated(arrays["input"], np.outer(_WEIGHTS, _WEIGHTS)) // 256).astype(np.uint8),)


def expert(vector_bytes: int) -> str:
    """One vector of 16-bit lanes at a time, with a line buffer of blurred columns.

    Inlined, each column would be blurred five times; that is more than the buffer costs.
    """
    lanes = vector_bytes // 2
    return (
        strips(lanes)
        + f"""
column.compute_at(output, block)
    .split(y, yo, yi, {BLOCK_ROWS}).split(x, xo, xi, {lanes}).reorder(xi, yi, xo, yo).vectorize(xi).unroll(yi);
"""
    )


def expert_hvx() -> str:
    """One vector of bytes at a time, of which the sums fill two, with a line buffer of blurred columns."""
    return (
        hvx_strips()
        + f"""
column.compute_at(output, block).align_storage(x, {HVX_LANES})
    .split(y, yo, yi, {HVX_BLOCK_ROWS}).split(x, xo, xi, {HVX_LANES}, TailStrategy::RoundUp)
    .reorder(xi, yi, xo, yo).vectorize(xi).unroll(yi);
"""
    )


def _weighted(taps: Sequence[hl.Expr | hl.FuncRef]) -> hl.Expr:
    """Equal weights first added, then multiplied."""
    a, b, c, d, e = taps
    return (a + e) + 4 * (b + d) + 6 * c
