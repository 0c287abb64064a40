"""Non-local means: every pixel becomes a mean of the pixels nearby, weighted by how alike their surroundings are.

Inputs: ``input``, float32, shape (width, height, 3), indexed x, y, c, values of 0 to 1; ``sigma``, float32, usually 0.12
and at least 0.001: how large a difference still counts as alike. Outside of the image, the nearest pixel of its edge is
meant: ``I(x, y, c)`` below is ``input`` with x clamped to 0 .. width-1 and y to 0 .. height-1. All is float32.

For all shifts (dx, dy) with -3 <= dx, dy <= 3::

    difference(x, y, dx, dy) = sum over c of (I(x, y, c) - I(x + dx, y + dy, c))^2
    column(x, y, dx, dy)     = sum over -3 <= j <= 3 of difference(x, y + j, dx, dy)
    patch(x, y, dx, dy)      = sum over -3 <= i <= 3 of column(x + i, y, dx, dy)
    weight(x, y, dx, dy)     = exp(-patch(x, y, dx, dy) / (49 * sigma^2))

``difference`` is meant at pixels outside of the image, too: the two coordinates x + i and x + i + dx are clamped one by
one, not x + i first. The sums are in any order; the exponential may be off by some units in the last place, a relative
error of 1e-5 at most, and may be 0 where it would be below 1e-37.

Output: ``output``, float32, of the shape of ``input``: with both sums over the 49 shifts, in any order::

    output(x, y, c) = clamp(sum of weight(x, y, dx, dy) * I(x + dx, y + dy, c) / sum of weight(x, y, dx, dy), 0, 1)

The shift (0, 0) has the weight 1, so nothing is ever divided by a small number.

Source: Buades, Coll, Morel, "A non-local algorithm for image denoising", CVPR 2005.
"""
