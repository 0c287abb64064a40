"""Bottleneck block of ResNet-50: 256 channels are reduced to 64, convolved, expanded to 256 and added to the input.

It is the second block of the network's first group (``res2b``), for one image. The batch normalisations are folded
into weights and biases, as one does for inference.

Inputs, all float32, in Halide's order (in NumPy the shapes are reversed)::

    input[c, x, y]                   256 x width x height    NumPy (height, width, 256)
    reduce_weights[co, ci]           64 x 256                NumPy (256, 64)
    reduce_bias[co]                  64
    middle_weights[co, ci, dx, dy]   64 x 64 x 3 x 3         NumPy (3, 3, 64, 64), indices dy, dx, ci, co
    middle_bias[co]                  64
    expand_weights[co, ci]           256 x 64                NumPy (64, 256)
    expand_bias[co]                  256

The steps, with relu(v) = max(v, 0)::

    reduced[co, x, y] = relu(reduce_bias[co] + sum over ci in 0..255 of reduce_weights[co, ci] * input[ci, x, y])
    padded[c, x, y]   = reduced[c, x, y] inside of the image, 0 outside
    middle[co, x, y]  = relu(middle_bias[co] + sum over ci in 0..63, dx in 0..2, dy in 0..2 of
                             middle_weights[co, ci, dx, dy] * padded[ci, x + dx - 1, y + dy - 1])
    output[co, x, y]  = relu(input[co, x, y] + expand_bias[co] + sum over ci in 0..63 of
                             expand_weights[co, ci] * middle[ci, x, y])

The image is 0 <= x < width, 0 <= y < height. Padding is thus zeros of ``reduced``, not of ``input``; the filter is not
mirrored. All arithmetic is float32; the order of the additions is free, and a product may be added without being
rounded first.

Output: ``output[c, x, y]``, float32, 256 x width x height; NumPy (height, width, 256).

Source: He et al. 2016, Deep Residual Learning for Image Recognition, figure 5 (right) and table 1.
"""

import halide as hl

from hltune.suite.apps.shared import image
from hltune.suite.images import estimated

_F32 = hl.Float(32)
_WIDE, _NARROW = 256, 64

_STRIP_ROWS = 4
"""Rows per task: 14 tasks of the usual height, and copying 6 rows for each 4 costs next to nothing."""


def pipeline(width: int = 56, height: int = 56) -> hl.Func:
    """Each convolution is a Func of sums and one of the values after bias and ReLU."""
    source = image("input", _F32, _WIDE, width, height)
    reduce_weights, reduce_bias = image("reduce_weights", _F32, _NARROW, _WIDE), image("reduce_bias", _F32, _NARROW)
    middle_weights = image("middle_weights", _F32, _NARROW, _NARROW, 3, 3)
    middle_bias = image("middle_bias", _F32, _NARROW)
    expand_weights, expand_bias = image("expand_weights", _F32, _WIDE, _NARROW), image("expand_bias", _F32, _WIDE)
    c, x, y = hl.vars("c x y")

    wide = hl.RDom([hl.Range(0, _WIDE)], "wide")
    reduced_sums, reduced = hl.Func("reduced_sums"), hl.Func("reduced")
    reduced_sums[c, x, y] = reduce_bias[c]
    reduced_sums[c, x, y] += reduce_weights[c, wide.x] * source[wide.x, x, y]
    reduced[c, x, y] = hl.max(reduced_sums[c, x, y], 0)

    window = hl.RDom([hl.Range(0, _NARROW), hl.Range(0, 3), hl.Range(0, 3)], "window")
    padded = _zero_outside(reduced, source)
    middle_sums, middle = hl.Func("middle_sums"), hl.Func("middle")
    middle_sums[c, x, y] = middle_bias[c]
    middle_sums[c, x, y] += (
        middle_weights[c, window.x, window.y, window.z] * padded[window.x, x + window.y - 1, y + window.z - 1]
    )
    middle[c, x, y] = hl.max(middle_sums[c, x, y], 0)

    narrow = hl.RDom([hl.Range(0, _NARROW)], "narrow")
    output_sums, output = hl.Func("output_sums"), hl.Func("output")
    output_sums[c, x, y] = source[c, x, y] + expand_bias[c]
    output_sums[c, x, y] += expand_weights[c, narrow.x] * middle[narrow.x, x, y]
    output[c, x, y] = hl.max(output_sums[c, x, y], 0)
    return estimated(output, _WIDE, width, height)


def expert(vector_bytes: int) -> str:
    """Tiles of 3 x 2 pixels times 2 vectors of channels (4 with AVX-512) whose sums stay in registers, for all three.

    Each step of a reduction loads the tile's vectors of weights and 6 pixels, and does one multiply-add per sum: more
    multiply-adds than loads. ``reduced`` is computed first, for neighbouring strips of the 3x3 convolution share rows
    of it. Then each strip copies its rows with a border of zeros, so that no reduction checks for the border, and each
    tile takes all channels of ``middle`` straight to ``output``. The weights stay in the second-level cache.
    """
    lanes = vector_bytes // 4
    channels = f".split(c, slice, c, {(4 if vector_bytes == 64 else 2) * lanes}).split(c, vector, lane, {lanes})"
    tiles = f"{channels}.split(x, tile, column, 3).split(y, pair, row, 2)"
    unrolled = ".vectorize(lane).unroll(vector).unroll(column).unroll(row)"
    return f"""
reduced.compute_root(){tiles}
    .reorder(lane, vector, column, row, slice, tile, pair){unrolled}.parallel(pair);
output.compute_root().split(y, strip, y, {_STRIP_ROWS}){tiles}
    .reorder(lane, vector, column, row, slice, tile, pair, strip){unrolled}.parallel(strip);
padded.compute_at(output, strip).vectorize(c, {lanes});
middle.compute_at(output, tile){channels}
    .reorder(lane, vector, x, y, slice).vectorize(lane).unroll(vector).unroll(x).unroll(y);
""" + "".join(
        f"""
{of}_sums.compute_at({of}, slice).vectorize(c, {lanes}).unroll(c).unroll(x).unroll(y);
{of}_sums.update(0).reorder(c, x, y, {reduction}).vectorize(c, {lanes}).unroll(c).unroll(x).unroll(y);
"""
        for of, reduction in (("reduced", "wide_x"), ("middle", "window_x, window_y, window_z"), ("output", "narrow_x"))
    )


def _zero_outside(inside: hl.Func, source: hl.ImageParam) -> hl.Func:
    """The Func ``padded``: ``inside`` where ``source`` has pixels, 0 elsewhere."""
    c, x, y = hl.vars("c x y")
    columns, rows = source.dim(1), source.dim(2)
    is_inside = (x >= columns.min()) & (x <= columns.max()) & (y >= rows.min()) & (y <= rows.max())
    nearest = inside[c, hl.clamp(x, columns.min(), columns.max()), hl.clamp(y, rows.min(), rows.max())]
    padded = hl.Func("padded")
    padded[c, x, y] = hl.select(is_inside, nearest, hl.cast(_F32, 0))
    return padded
