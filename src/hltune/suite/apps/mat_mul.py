"""Product of two matrices of float32, as in BLAS ``sgemm`` with alpha 1 and beta 0.

Inputs, both float32, stored by rows: x is the column, y the row (in NumPy the shapes are reversed)::

    a[k, y]   inner x height   NumPy (height, inner)
    b[x, k]   width x inner    NumPy (inner, width)

The inner extent is the width of ``a``. Estimates and measurements use an inner extent that equals the output's width,
so that ``b`` is square. The product is::

    output[x, y] = sum over k in 0..inner-1 of a[k, y] * b[x, k]

which is NumPy's ``a @ b``. All arithmetic is float32; the order of the additions is free, and a product may be added
without being rounded first.

Output: ``output[x, y]``, float32, width x height; NumPy (height, width).
"""

import halide as hl

from hltune.suite.apps.shared import image
from hltune.suite.images import estimated

_PANEL = 32
"""Columns of ``b`` per task: 128 KiB at the usual size, which a second-level cache holds beside a few rows of ``a``."""


def pipeline(width: int = 1024, height: int = 1024) -> hl.Func:
    """The reduction is ``sums``; its loop over ``k`` is ``k_x`` in schedules."""
    a, b = image("a", hl.Float(32), width, height), image("b", hl.Float(32), width, width)
    x, y = hl.vars("x y")
    sums, output = hl.Func("sums"), hl.Func("output")
    k = hl.RDom([hl.Range(0, a.dim(0).extent())], "k")
    sums[x, y] = hl.cast(hl.Float(32), 0)
    sums[x, y] += a[k.x, y] * b[x, k.x]
    output[x, y] = sums[x, y]
    return estimated(output, width, height)


def expert(vector_bytes: int) -> str:
    """Tiles of 6 rows times 2 vectors of columns (4 times 4 with AVX-512) whose sums stay in registers.

    Each step of the reduction loads the tile's vectors of ``b`` and one number of each row of ``a``, and does one
    multiply-add per sum: more multiply-adds than loads. A task is a panel of columns. It copies its part of ``b`` once,
    densely, into the second-level cache; the rows of ``a`` then pass by.
    """
    lanes = vector_bytes // 4
    rows, vectors = (4, 4) if vector_bytes == 64 else (6, 2)
    columns = vectors * lanes
    return f"""
output.compute_root()
    .split(x, panel, x, {max(columns, _PANEL)}).split(x, tile, x, {columns}).split(x, vector, lane, {lanes})
    .split(y, strip, row, {rows})
    .reorder(lane, vector, row, tile, strip, panel)
    .vectorize(lane).unroll(vector).unroll(row).parallel(panel);
b_im.compute_at(output, panel).vectorize(_0, {lanes});
sums.compute_at(output, tile).vectorize(x, {lanes}).unroll(x).unroll(y);
sums.update(0).reorder(x, y, k_x).vectorize(x, {lanes}).unroll(x).unroll(y);
"""
