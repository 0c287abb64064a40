"""Histogram equalisation: the brightness levels of a colour image are spread evenly, its colours stay.

Input: ``input[x, y, c]``, uint8, W x H x 3; c is red, green, blue. Below they are R, G and B.
Output: ``output[x, y, c]``, uint8, W x H x 3. Nothing outside of the image is needed.

Colours are computed in float32. All weights are multiples of 1/256, so small that every sum and product below fits into
the 24 bits of a float32: none of them is rounded, in whatever order they are computed. The only rounding is where it
says *rounded down*, and the output of every correct implementation is the same to the last bit. W * H is less than
2**31.

1. Brightness: ``luma[x, y] = (77 R + 150 G + 29 B) / 256``, rounded down to an integer, 0 ... 255.
2. Colour: two differences from the brightness, as in Y'CbCr::

       cr[x, y] = (R - luma) * 183/256 + 128
       cb[x, y] = (B - luma) *   9/16  + 128

3. The histogram, int32: ``histogram[v]`` is the number of pixels with ``luma == v``, for v = 0 ... 255. It is counted
   row by row, ``row_histogram[v, y]``, and the rows are added.
4. Its running sum, int32: ``cumulative[v] = histogram[0] + ... + histogram[v]``.
5. The new brightness of each level, an integer 0 ... 255: ``equalised[v] = 255 * cumulative[v] / (W * H)``, rounded
   down; computed in integers (255 * cumulative[v] may need all 32 bits of an unsigned number).
6. Back to red, green and blue, with ``bright = equalised[luma[x, y]]``::

       output[x, y, 0] = bright + (cr - 128) * 179/128
       output[x, y, 1] = bright - (cb - 128) * 11/32 - (cr - 128) * 91/128
       output[x, y, 2] = bright + (cb - 128) * 113/64

   each limited to 0 ... 255 and then rounded down.
"""

import halide as hl

from hltune.suite.apps.shared import coloured, image

_LEVELS = 256
_STRIP_ROWS, _BLOCK_ROWS = 64, 4


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Brightness is replaced, and the two differences of colour stay."""
    source = image("input", hl.UInt(8), width, height, 3)
    x, y, c = hl.vars("x y c")
    luma, cr, cb, output = hl.Func("luma"), hl.Func("cr"), hl.Func("cb"), hl.Func("output")
    red, green, blue = (hl.cast(hl.Float(32), source[x, y, channel]) for channel in range(3))
    luma[x, y] = hl.cast(hl.UInt(8), red * (77 / 256) + green * (150 / 256) + blue * (29 / 256))
    cr[x, y] = (red - luma[x, y]) * (183 / 256) + 128
    cb[x, y] = (blue - luma[x, y]) * (9 / 16) + 128
    bright = hl.Func("bright")
    bright[x, y] = _equalised(source, luma)[luma[x, y]]
    to_red, to_blue = cr[x, y] - 128, cb[x, y] - 128
    colours = [
        bright[x, y] + to_red * (179 / 128),
        bright[x, y] - to_blue * (11 / 32) - to_red * (91 / 128),
        bright[x, y] + to_blue * (113 / 64),
    ]
    output[x, y, c] = hl.mux(c, [hl.cast(hl.UInt(8), hl.clamp(colour, 0, 255)) for colour in colours])
    return coloured(output, width, height)


def expert(vector_bytes: int) -> str:
    """Three passes in strips of rows: brightness, counts, colours.

    Brightness is kept, a byte per pixel: it is needed twice as an index, and with it the last pass need not read green.
    Neighbours are often alike, and the second increment of a count has to wait until the first one is stored; so four
    rows are counted side by side, each in its own histogram. Every strip adds up its rows, and finally the strips are
    added. Looking up a table gains nothing from vectors, so a row of ``bright`` is looked up, a byte at a time, before
    its colours are computed.
    """
    lanes = vector_bytes // 4
    strip = f"split(y, strip, row, {_STRIP_ROWS})"
    return f"""
luma.compute_root().{strip}.split(x, xo, xi, {vector_bytes}).vectorize(xi).parallel(strip);

partial = histogram.update(0)
    .split(row_x, strip, yi, {_STRIP_ROWS}).split(yi, block, yi, {_BLOCK_ROWS}).rfactor(strip, u);
row_histogram.compute_at(partial, block).vectorize(v, {lanes});
row_histogram.update(0).split(y, yo, yi, {_BLOCK_ROWS}).reorder(yi, column_x, yo).unroll(yi);
partial.compute_root().vectorize(v, {lanes});
partial.update(0).reorder(yi, v, block, u).unroll(yi).vectorize(v, {lanes}).parallel(u);
histogram.compute_root().vectorize(v, {lanes});
histogram.update(0).reorder(v, strip).vectorize(v, {lanes});
cumulative.compute_root().vectorize(v, {lanes});
cumulative.update(0).unscheduled();
equalised.compute_root().vectorize(v, {lanes});

output.compute_root()
    .{strip}.split(x, xo, xi, {vector_bytes // 2}).reorder(xi, c, xo, row, strip)
    .vectorize(xi).unroll(c).parallel(strip);
bright.compute_at(output, row).unroll(x, 8);
"""


def _equalised(source: hl.ImageParam, luma: hl.Func) -> hl.Func:
    """A table: the new brightness of each level, by the share of the pixels that are not brighter."""
    v, y = hl.vars("v y")
    columns, rows = source.dim(0), source.dim(1)
    column = hl.RDom([hl.Range(columns.min(), columns.extent())], "column")
    row = hl.RDom([hl.Range(rows.min(), rows.extent())], "row")
    row_histogram, histogram, cumulative = hl.Func("row_histogram"), hl.Func("histogram"), hl.Func("cumulative")
    row_histogram[v, y] = 0
    row_histogram[luma[column.x, y], y] += 1
    histogram[v] = 0
    histogram[v] += row_histogram[v, row.x]
    level = hl.RDom([hl.Range(1, _LEVELS - 1)], "level")
    cumulative[v] = histogram[v]
    cumulative[level.x] += cumulative[level.x - 1]
    equalised, pixels = hl.Func("equalised"), columns.extent() * rows.extent()
    share = hl.cast(hl.UInt(64), cumulative[v]) * (_LEVELS - 1) / hl.cast(hl.UInt(64), pixels)
    equalised[v] = hl.cast(hl.UInt(8), share)
    return equalised
