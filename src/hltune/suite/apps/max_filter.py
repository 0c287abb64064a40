"""The maximum over a disc of radius 26 around each pixel.

Input: ``input``, float32, shape (width, height, 3), indexed x, y, c, no NaN. Outside of the image, the nearest pixel of
its edge is meant: ``I(x, y, c)`` below is ``input`` with x clamped to 0 .. width-1 and y to 0 .. height-1.

The disc has the pixels (i, j), seen from its centre, with i^2 + j^2 <= 689, which is a radius of about 26.25: columns of
-26 <= i <= 26, each of the rows -t(i) <= j <= t(i) with t(i) = floor(sqrt(689 - i^2)); t(0) = 26, t(26) = 3.

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
