"""Convolution layer of a neural network: 3x3, 128 channels to 128 channels, bias and ReLU, for a batch of 5 images.

Inputs, all float32, in Halide's order (in NumPy the shapes are reversed)::

    input[ci, x, y, n]      128 x (width + 2) x (height + 2) x 5    NumPy (5, height + 2, width + 2, 128)
    filter[co, dx, dy, ci]  128 x 3 x 3 x 128                       NumPy (128, 3, 3, 128), indices ci, dy, dx, co
    bias[co]                128                                     NumPy (128,)

The input has one pixel more on each side than the output, so nothing is read outside of it: the pixel (x, y) of the
output is computed from the 3x3 pixels (x..x+2, y..y+2) of the input. The filter is not mirrored::

    sum[co, x, y, n] = bias[co] + sum over ci in 0..127, dx in 0..2, dy in 0..2 of
                           filter[co, dx, dy, ci] * input[ci, x + dx, y + dy, n]
    output[co, x, y, n] = max(sum[co, x, y, n], 0)

All arithmetic is float32; the order of the 1152 additions is free, and a product may be added without being rounded
first.

Output: ``output[co, x, y, n]``, float32, 128 x width x height x 5; NumPy (5, height, width, 128).
"""

import halide as hl

from hltune.suite.apps.shared import image
from hltune.suite.images import estimated

_CHANNELS = 128
_IMAGES = 5

_PIXELS = 5
"""Pixels of a tile: with 2 vectors of sums each, registers remain for the factors; 5 divides the usual width."""

_STRIP_ROWS = 8
"""Rows per task: enough to make its copies of the filter cheap, and few enough for many tasks."""


def pipeline(width: int = 100, height: int = 80) -> hl.Func:
    """The reduction is ``sums``, over input channels (``r_x`` in schedules) and the window (``r_y``, ``r_z``)."""
    source = image("input", hl.Float(32), _CHANNELS, width + 2, height + 2, _IMAGES)
    filter_ = image("filter", hl.Float(32), _CHANNELS, 3, 3, _CHANNELS)
    bias = image("bias", hl.Float(32), _CHANNELS)
    co, x, y, n = hl.vars("co x y n")
    sums, output = hl.Func("sums"), hl.Func("output")
    r = hl.RDom([hl.Range(0, _CHANNELS), hl.Range(0, 3), hl.Range(0, 3)], "r")
    sums[co, x, y, n] = bias[co]
    sums[co, x, y, n] += filter_[co, r.y, r.z, r.x] * source[r.x, x + r.y, y + r.z, n]
    output[co, x, y, n] = hl.max(sums[co, x, y, n], 0)
    return estimated(output, _CHANNELS, width, height, _IMAGES)


def expert(vector_bytes: int) -> str:
    """Tiles of 5 pixels times 2 vectors of output channels (4 with AVX-512) whose sums stay in registers.

    Each step of the reduction loads the tile's vectors of the filter and 5 pixels, and does one multiply-add per sum:
    more multiply-adds than loads. A task is a strip of rows. For one slice of output channels after the other, it
    copies their part of the filter (``filter_im``) into the second-level cache, densely and in the order of the
    reduction; in ``filter`` itself they lie far apart, and few cache lines could hold them.
    """
    lanes = vector_bytes // 4
    channels = (4 if vector_bytes == 64 else 2) * lanes
    return f"""
output.compute_root()
    .split(y, strip, row, {_STRIP_ROWS}).fuse(strip, n, task)
    .split(co, slice, co, {channels}).split(co, vector, lane, {lanes}).split(x, tile, pixel, {_PIXELS})
    .reorder(lane, vector, pixel, tile, row, slice, task)
    .vectorize(lane).unroll(vector).unroll(pixel).parallel(task);
filter_im.compute_at(output, slice).reorder_storage(_0, _3, _1, _2).vectorize(_0, {lanes});
sums.compute_at(output, tile).vectorize(co, {lanes}).unroll(co).unroll(x);
sums.update(0).reorder(co, x, r_x, r_y, r_z).vectorize(co, {lanes}).unroll(co).unroll(x).unroll(r_x, 4);
"""
