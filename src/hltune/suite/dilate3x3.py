"""3x3 dilation: the largest value around each pixel."""

from collections.abc import Mapping

import halide as hl

from hltune.pipeline.images import Array
from hltune.suite.images import estimated, input_image, repeat_edge, windows
from hltune.suite.strips import strips


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """The maximum of columns, then of rows."""
    x, y = hl.vars("x y")
    edge = repeat_edge(input_image(width, height))
    column, output = hl.Func("column"), hl.Func("output")
    column[x, y] = hl.max(edge[x, y - 1], edge[x, y], edge[x, y + 1])
    output[x, y] = hl.max(column[x - 1, y], column[x, y], column[x + 1, y])
    return estimated(output, width, height)


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """The same in NumPy."""
    return (windows(arrays["input"], 3).max(axis=(2, 3)),)


def expert(vector_bytes: int) -> str:
    """One vector of bytes at a time; ``column`` stays inlined.

    A buffer for ``column`` would save four of the eight maxima but add a store and a pass over the row, and loads and
    stores are what bounds this filter.
    """
    return strips(lanes=vector_bytes)
