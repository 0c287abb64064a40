"""Non-local means: every pixel becomes a mean of the pixels nearby, weighted by how alike their surroundings are.

Inputs: ``input``, float32, shape (width, height, 3), indexed x, y, c, values of 0 to 1; ``sigma``, float32, usually
0.12 and at least 0.001: how large a difference still counts as alike. Outside of the image its edge is repeated:
``I(x, y, c)`` below is ``input`` with x clamped to 0 .. width-1 and y to 0 .. height-1. Everything is float32.

For all shifts (dx, dy) with -3 <= dx, dy <= 3::

    difference(x, y, dx, dy) = sum over c of (I(x, y, c) - I(x + dx, y + dy, c))^2
    column(x, y, dx, dy)     = sum over -3 <= j <= 3 of difference(x, y + j, dx, dy)
    patch(x, y, dx, dy)      = sum over -3 <= i <= 3 of column(x + i, y, dx, dy)
    weight(x, y, dx, dy)     = exp(-patch(x, y, dx, dy) / (49 * sigma^2))

``difference`` is needed at pixels outside of the image, too: the two coordinates x + i and x + i + dx are clamped
separately, not x + i first. The sums are in any order; the exponential may be off by some units in the last place, a
relative error of 1e-5 at most, and may be 0 where it would be below 1e-37.

Output: ``output``, float32, of the shape of ``input``: with both sums over the 49 shifts, in any order::

    output(x, y, c) = clamp(sum of weight(x, y, dx, dy) * I(x + dx, y + dy, c) / sum of weight(x, y, dx, dy), 0, 1)

The shift (0, 0) has the weight 1, so nothing is ever divided by a small number.

Source: Buades, Coll, Morel, "A non-local algorithm for image denoising", CVPR 2005.
"""

from collections.abc import Callable

import halide as hl

from hltune.suite.apps.shared import coloured, image, scalar
from hltune.suite.images import repeat_edge

_NEAR = range(-3, 4)


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """The weights are summed up as a fourth channel; two passes of seven rows and columns make the patches."""
    source, sigma = image("input", hl.Float(32), width, height, 3), scalar("sigma", hl.Float(32), 0.12)
    x, y, c, dx, dy = hl.vars("x y c dx dy")
    near = hl.RDom([hl.Range(-3, 7), hl.Range(-3, 7)], "near")
    names = ("difference", "column", "weight", "total", "output")
    difference, column, weight, total, output = map(hl.Func, names)

    edge = repeat_edge(source)
    difference[x, y, dx, dy] = _sum(lambda k: _square(edge[x, y, k] - edge[x + dx, y + dy, k]), range(3))
    column[x, y, dx, dy] = _sum(lambda j: difference[x, y + j, dx, dy], _NEAR)
    patch = _sum(lambda i: column[x + i, y, dx, dy], _NEAR)
    weight[x, y, dx, dy] = hl.fast_exp(patch * (-1 / (49 * sigma * sigma)))

    shifted = edge[x + near.x, y + near.y, hl.min(c, 2)]
    total[x, y, c] = 0.0
    total[x, y, c] += weight[x, y, near.x, near.y] * hl.select(c == 3, 1.0, shifted)
    output[x, y, c] = hl.clamp(total[x, y, c] / total[x, y, 3], 0, 1)
    source.dim(2).set_bounds(0, 3)
    return coloured(output, width, height)


def expert(vector_bytes: int) -> str:
    """Tiles of 32 columns and 64 rows, whose sums stay in the caches while all shifts pass by, seven at a time.

    For each dy the tile is gone through in blocks of four rows. ``difference`` of the seven dx rolls along: only the
    four rows that the block before did not need are computed, and the buffer holds as many as are alive. So the patches
    cost hardly more than in the whole image, except for six extra columns at the sides. Within a row, the seven weights
    of a vector of pixels are used as soon as they are there, and the sums, weights and colours, stay in registers for
    all seven.
    """
    lanes = vector_bytes // 4
    return f"""
output.compute_root()
    .split(x, tile, xi, 32).split(y, strip, yi, 64).reorder(xi, c, yi, tile, strip)
    .vectorize(xi, {lanes}).unroll(c).parallel(strip);
edge.compute_at(output, tile).vectorize(x, {lanes}, TailStrategy::RoundUp);
total.compute_at(output, tile).vectorize(x, {lanes});
total.update()
    .split(x, xo, xi, {lanes}).split(y, block, yi, 4).reorder(xi, c, near_x, xo, yi, block, near_y)
    .vectorize(xi).unroll(c).unroll(near_x);
weight.compute_at(total, near_x).vectorize(x, {lanes});
column.compute_at(total, block)
    .split(x, xo, xi, {lanes}, TailStrategy::RoundUp).reorder(xi, y, xo, dx).vectorize(xi).unroll(y);
difference.store_at(total, near_y).compute_at(total, block).vectorize(x, {lanes}, TailStrategy::RoundUp);
"""


def _square(value: hl.Expr) -> hl.Expr:
    return value * value


def _sum(term: Callable[[int], hl.Expr], indices: range) -> hl.Expr:
    first, *others = map(term, indices)
    for other in others:
        first += other
    return first
