"""Unsharp mask: a colour image becomes crisper where its brightness differs from the blurred brightness.

Input: ``input[x, y, c]``, float32, W x H x 3, values in [0, 1]; c is red, green, blue.
Output: ``output[x, y, c]``, float32, W x H x 3; not clamped, so it may be below 0 or above 1.
All arithmetic is float32.

Outside of the image its edge is repeated: wherever a formula asks for ``input[x, y, c]`` with x < 0 or x > W - 1, x is
replaced by the nearest of 0 and W - 1, and so is y.

1. ``gray[x, y] = 0.299 input[x, y, 0] + 0.587 input[x, y, 1] + 0.114 input[x, y, 2]``.
2. A Gaussian blur with sigma = 1.5, cut off at 3 pixels, in y and then in x::

       w[k] = exp(-k * k / (2 sigma**2)) / (sum of exp(-i * i / (2 sigma**2)) over i = -3 ... 3)
       blur_y[x, y] = sum over k = -3 ... 3 of  w[k] gray[x, y + k]
       blur_x[x, y] = sum over k = -3 ... 3 of  w[k] blur_y[x + k, y]

   The weights are computed in double precision and rounded to float32. They add up to 1.
3. ``sharp = 2 gray - blur_x``: what the blur took away is added once more.
4. ``ratio = sharp / max(gray, 2**-16)``: how much brighter the pixel gets. The maximum keeps black pixels black.
5. ``output[x, y, c] = ratio[x, y] * input[x, y, c]``: all channels alike, so that the hue stays.
"""

from collections.abc import Sequence
from math import exp

import halide as hl

from hltune.suite.apps.shared import coloured, image, luma
from hltune.suite.images import repeat_edge

_SIGMA, _RADIUS = 1.5, 3
_TAPS = range(-_RADIUS, _RADIUS + 1)
_DARKEST = 2**-16
_STRIP_ROWS, _BLOCK_ROWS = 64, 2


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Grey, blurred in y and in x; the ratio is a Func, for the three channels share it."""
    source = image("input", hl.Float(32), width, height, 3)
    x, y, c = hl.vars("x y c")
    edge, gray, blur_y, blur_x = repeat_edge(source), hl.Func("gray"), hl.Func("blur_y"), hl.Func("blur_x")
    gray[x, y] = luma(edge)
    blur_y[x, y] = _blurred([gray[x, y + k] for k in _TAPS])
    blur_x[x, y] = _blurred([blur_y[x + k, y] for k in _TAPS])
    sharp, ratio, output = hl.Func("sharp"), hl.Func("ratio"), hl.Func("output")
    sharp[x, y] = 2 * gray[x, y] - blur_x[x, y]
    ratio[x, y] = sharp[x, y] / hl.max(gray[x, y], _DARKEST)
    output[x, y, c] = ratio[x, y] * source[x, y, c]
    return coloured(output, width, height)


def expert(vector_bytes: int) -> str:
    """Strips of rows, with a rolling line buffer of the grey image; three channels share a ratio in a register.

    The time is that of memory. The input is read twice, but the second time from the second-level cache, for ``gray``
    is only three rows ahead. Two rows at a time share most of the rows that ``blur_y`` loads; the blur in x loads seven
    unaligned vectors from the first-level cache. The borders are in ``gray`` alone.
    """
    lanes = vector_bytes // 4
    return f"""
output.compute_root()
    .split(y, strip, yi, {_STRIP_ROWS}).split(yi, block, row, {_BLOCK_ROWS}).split(x, xo, xi, {lanes})
    .reorder(xi, c, xo, row, block, strip)
    .vectorize(xi).unroll(c).parallel(strip);
ratio.compute_at(output, xo).vectorize(x);
gray.store_at(output, strip).compute_at(output, block)
    .split(x, xo, xi, {lanes}, TailStrategy::RoundUp).vectorize(xi);
blur_y.compute_at(output, block)
    .split(x, xo, xi, {lanes}, TailStrategy::RoundUp).reorder(xi, y, xo).vectorize(xi).unroll(y);
"""


def _blurred(taps: Sequence[hl.FuncRef]) -> hl.Expr:
    """Pixels at the same distance are added first, then weighted."""
    bells = [exp(-k * k / (2 * _SIGMA**2)) for k in _TAPS]
    weights = [hl.f32(bell / sum(bells)) for bell in bells]
    total = weights[_RADIUS] * taps[_RADIUS]
    for k in range(1, _RADIUS + 1):
        total += weights[_RADIUS + k] * (taps[_RADIUS - k] + taps[_RADIUS + k])
    return total
