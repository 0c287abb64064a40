"""The maximum over a disc of radius 26 around each pixel.

Input: ``input``, float32, shape (width, height, 3), indexed x, y, c, no NaN. Outside of the image its edge is repeated:
``I(x, y, c)`` below is ``input`` with x clamped to 0 .. width-1 and y to 0 .. height-1.

The disc has the pixels (i, j), seen from its centre, with i^2 + j^2 <= 689, which is a radius of about 26.25: columns
of -26 <= i <= 26, each of the rows -t(i) <= j <= t(i) with t(i) = floor(sqrt(689 - i^2)); t(0) = 26, t(26) = 3.

Output: ``output``, float32, of the shape of ``input``, exact::

    output(x, y, c) = max over (i, j) of the disc of I(x + i, y + j, c)

How: 2^k rows together have the maximum ``tall_k``, which takes one comparison from ``tall_(k-1)``. A column of
2t + 1 rows is covered by two of these that overlap, with the largest 2^k that is no more than 2t + 1::

    tall_1(x, y, c)    = I(x, y, c)
    tall_2n(x, y, c)   = max(tall_n(x, y, c), tall_n(x, y + n, c))                       for n = 1, 2, 4, 8, 16
    column(x, y, c, t) = max(tall_n(x, y - t, c), tall_n(x, y + t + 1 - n, c))           n <= 2t + 1 < 2n
    output(x, y, c)    = max over -26 <= i <= 26 of column(x + i, y, c, t(i))

That is two comparisons for each column of the disc.
"""

import halide as hl

from hltune.suite.apps.shared import image
from hltune.suite.images import estimated, repeat_edge

_RADIUS = 26
_RADIUS_SQUARED = 689


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """One Func for each power of two; which of them a column needs follows from its half height t."""
    x, y, c, t = hl.vars("x y c t")
    i = hl.RDom([hl.Range(-_RADIUS, 2 * _RADIUS)], "i")

    tall = {1: repeat_edge(image("input", hl.Float(32), width, height, 3), "tall_1")}
    for n in (1, 2, 4, 8, 16):
        tall[2 * n] = hl.Func(f"tall_{2 * n}")
        tall[2 * n][x, y, c] = hl.max(tall[n][x, y, c], tall[n][x, y + n, c])

    column, disc, output = hl.Func("column"), hl.Func("disc"), hl.Func("output")
    two = {n: _maximum_of_two(tall[n], n, t) for n in (4, 8, 16, 32)}
    column[x, y, c, t] = hl.select(t < 4, two[4], t < 8, two[8], t < 16, two[16], two[32])
    # The half is far from any error of the square root, and no square lies in between.
    half_height = hl.cast(hl.Int(32), hl.sqrt(hl.cast(hl.Float(32), _RADIUS_SQUARED - i.x * i.x) + 0.5))
    disc[x, y, c] = column[x + _RADIUS, y, c, 3]
    disc[x, y, c] = hl.max(disc[x, y, c], column[x + i.x, y, c, hl.clamp(half_height, 3, _RADIUS)])
    output[x, y, c] = disc[x, y, c]
    return estimated(output, width, height, 3)


def expert(vector_bytes: int) -> str:
    """Slices of the image from top to bottom, 64 pixels wide, one row at a time.

    A new row of output takes one new row of each ``tall_n``, so all of them roll along with it, in buffers of 32 rows
    at most (Halide finds that out for some of them, and is told for the others), which a core's own caches hold. To
    begin a slice takes a hundred extra rows. The maxima of a row stay in registers, while all 53 columns of the disc
    pass by. Unrolled, their heights are constants, and each comparison finds its operand in memory: storing ``column``
    would save a third of them and cost as many stores and loads.
    """
    lanes = vector_bytes // 4
    roll = f".store_at(output, slice).compute_at(output, y).vectorize(x, {lanes}, TailStrategy::RoundUp)"
    return f"""
output.compute_root()
    .split(x, slice, xi, {min(64, 8 * lanes)}).reorder(xi, y, slice, c).vectorize(xi, {lanes})
    .parallel(slice).parallel(c);
disc.compute_at(output, y).vectorize(x, {lanes}).unroll(x);
disc.update().split(x, xo, xi, {lanes}).reorder(xi, xo, i_x).vectorize(xi).unroll(xo).unroll(i_x);
tall_1{roll};
tall_2{roll};
tall_4{roll}.fold_storage(y, 32);
tall_8{roll}.fold_storage(y, 32);
tall_16{roll}.fold_storage(y, 32);
tall_32{roll};
"""


def _maximum_of_two(tall: hl.Func, n: int, t: hl.Var) -> hl.Expr:
    """Of 2t + 1 rows. The limits of t that n implies tell Halide which rows it takes at most."""
    x, y, c = hl.vars("x y c")
    half = hl.clamp(t, n // 2, n - 1)
    return hl.max(tall[x, y - half, c], tall[x, y + half + 1 - n, c])
