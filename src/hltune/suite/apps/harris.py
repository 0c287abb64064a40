"""Harris corner strength of a colour image.

Input: ``input[x, y, c]``, float32, W x H x 3, values in [0, 1]; c is red, green, blue.
Output: ``output[x, y]``, float32, W x H. All arithmetic is float32, and nothing is rounded to integers.

Outside of the image its edge is repeated: wherever a formula asks for ``input[x, y, c]`` with x < 0 or x > W - 1, x is
replaced by the nearest of 0 and W - 1, and so is y. All that follows is defined for any coordinates in that way: the
gradients just outside of the image are those of the extended image, not copies of the gradients at the edge.

1. ``gray[x, y] = 0.299 input[x, y, 0] + 0.587 input[x, y, 1] + 0.114 input[x, y, 2]``.
2. Gradients, Sobel's masks divided by 12::

       gx[x, y] = sum over j = -1, 0, 1 of  w[j] (gray[x + 1, y + j] - gray[x - 1, y + j])
       gy[x, y] = sum over i = -1, 0, 1 of  w[i] (gray[x + i, y + 1] - gray[x + i, y - 1])
       w[-1] = 1/12,  w[0] = 2/12,  w[1] = 1/12

3. The structure tensor, with sums over the 3 x 3 pixels around (x, y), the pixel itself included::

       sxx[x, y] = sum of gx * gx        syy[x, y] = sum of gy * gy        sxy[x, y] = sum of gx * gy

4. ``output = sxx * syy - sxy * sxy - 0.04 (sxx + syy)**2``.

Source: Harris and Stephens, "A combined corner and edge detector", 1988.
"""

from collections.abc import Sequence

import halide as hl

from hltune.suite.apps.shared import image, luma
from hltune.suite.images import estimated, repeat_edge

_STRIP_ROWS, _BLOCK_ROWS = 64, 4
_K = 0.04


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Everything is a Func of its own; the sums add columns first, so that rows computed together share these."""
    source = image("input", hl.Float(32), width, height, 3)
    x, y = hl.vars("x y")
    edge, gray, gx, gy = repeat_edge(source), hl.Func("gray"), hl.Func("gx"), hl.Func("gy")
    gray[x, y] = luma(edge)
    gx[x, y] = _smooth([gray[x + 1, y + j] - gray[x - 1, y + j] for j in (-1, 0, 1)])
    gy[x, y] = _smooth([gray[x + i, y + 1] - gray[x + i, y - 1] for i in (-1, 0, 1)])
    sxx, syy, sxy = _sum3x3("xx", gx, gx), _sum3x3("yy", gy, gy), _sum3x3("xy", gx, gy)
    trace, output = hl.Func("trace"), hl.Func("output")
    trace[x, y] = sxx[x, y] + syy[x, y]
    output[x, y] = sxx[x, y] * syy[x, y] - sxy[x, y] * sxy[x, y] - hl.f32(_K) * trace[x, y] * trace[x, y]
    return estimated(output, width, height)


def expert(vector_bytes: int) -> str:
    """Strips of rows, with rolling line buffers of the grey image and its gradients; the sums stay in registers.

    Gradients cost six loads each, and nine pixels use them; products cost one multiplication, and line buffers of all
    three would be more traffic than that. Four rows at a time share the products and sums of the six rows around them.
    The borders are in ``gray`` alone.
    """
    lanes = vector_bytes // 4
    rows = f"""
    .split(y, yo, yi, {_BLOCK_ROWS}).split(x, xo, xi, {lanes}, TailStrategy::RoundUp).reorder(xi, yi, xo, yo)
    .vectorize(xi).unroll(yi);
"""
    return f"""
output.compute_root()
    .split(y, strip, yi, {_STRIP_ROWS}).split(yi, block, row, {_BLOCK_ROWS}).split(x, xo, xi, {lanes})
    .reorder(xi, row, xo, block, strip)
    .vectorize(xi).unroll(row).parallel(strip);
gray.store_at(output, strip).compute_at(output, block)
    .split(x, xo, xi, {lanes}, TailStrategy::RoundUp).vectorize(xi);
gx.store_at(output, strip).compute_at(output, block){rows}
gy.store_at(output, strip).compute_at(output, block){rows}
"""


def _smooth(taps: Sequence[hl.Expr]) -> hl.Expr:
    before, here, after = taps
    return (before + 2 * here + after) * hl.f32(1 / 12)


def _sum3x3(name: str, a: hl.Func, b: hl.Func) -> hl.Func:
    """The sum of the products of two Funcs, over the pixels around each pixel."""
    x, y = hl.vars("x y")
    product, total = hl.Func(f"g{name}"), hl.Func(f"s{name}")
    product[x, y] = a[x, y] * b[x, y]
    rows = [product[x - 1, y + j] + product[x, y + j] + product[x + 1, y + j] for j in (-1, 0, 1)]
    total[x, y] = rows[0] + rows[1] + rows[2]
    return total
