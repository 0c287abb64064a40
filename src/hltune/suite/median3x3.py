"""3x3 median.

With the three pixels of each column sorted, the median of all nine is the median of three: the largest of the
column minima, the median of the column medians and the smallest of the column maxima.
"""

from collections.abc import Mapping

import halide as hl
import numpy as np

from hltune.pipeline.images import Array
from hltune.suite.images import estimated, input_image, repeat_edge, windows
from hltune.suite.strips import strips

_Value = hl.Expr | hl.FuncRef


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Sorts columns, then combines three neighbouring ones."""
    x, y = hl.vars("x y")
    edge = repeat_edge(input_image(width, height))
    low, mid, high = hl.Func("low"), hl.Func("mid"), hl.Func("high")
    column = edge[x, y - 1], edge[x, y], edge[x, y + 1]
    low[x, y] = hl.min(*column)
    mid[x, y] = _middle(*column)
    high[x, y] = hl.max(*column)
    output = hl.Func("output")
    output[x, y] = _middle(hl.max(*_across(low, x, y)), _middle(*_across(mid, x, y)), hl.min(*_across(high, x, y)))
    return estimated(output, width, height)


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """The same in NumPy: the fifth of nine sorted values."""
    image = arrays["input"]
    return (np.partition(windows(image, 3).reshape(*image.shape, 9), 4, axis=2)[:, :, 4],)


def expert(vector_bytes: int) -> str:
    """One vector of bytes at a time; the sorted columns stay inlined.

    Three more buffers would cost more loads and stores than the minima and maxima that they save.
    """
    return strips(lanes=vector_bytes)


def _across(func: hl.Func, x: hl.Var, y: hl.Var) -> tuple[hl.FuncRef, hl.FuncRef, hl.FuncRef]:
    return func[x - 1, y], func[x, y], func[x + 1, y]


def _middle(a: _Value, b: _Value, c: _Value) -> hl.Expr:
    return hl.max(hl.min(a, b), hl.min(hl.max(a, b), c))
