"""Histogram equalisation: the brightness levels of a colour image are spread evenly, its colours stay.

Input: ``input[x, y, c]``, uint8, W x H x 3; c is red, green, blue. Below they are R, G and B.
Output: ``output[x, y, c]``, uint8, W x H x 3. Nothing outside of the image is needed.

Colours are computed in float32. All weights are multiples of powers of two, so small that every sum and product below
fits into the 24 bits of a float32: none of them rounds, in whatever order they are computed. The only rounding is where
it says *rounded down*, and the output is the same to the last bit for each right implementation. W * H is less than
2**24.

1. Brightness: ``luma[x, y] = (77 R + 150 G + 29 B) / 256``, rounded down to an integer, 0 ... 255.
2. Colour, the differences to the brightness as in Y'CbCr::

       cr[x, y] = (R - luma) * 183/256 + 128
       cb[x, y] = (B - luma) *   9/16  + 128

3. The histogram, int32: ``histogram[v]`` is the number of pixels with ``luma == v``, for v = 0 ... 255. It is counted
   row by row, ``row_histogram[v, y]``, and the rows are added.
4. Its running sum, int32: ``cumulative[v] = histogram[0] + ... + histogram[v]``.
5. The new brightness of each level, an integer 0 ... 255: ``equalised[v] = 255 * cumulative[v] / (W * H)``, rounded
   down; computed in integers (255 * cumulative[v] may need 32 bits without a sign).
6. Back to red, green and blue, with ``bright = equalised[luma[x, y]]``::

       output[x, y, 0] = bright + (cr - 128) * 179/128
       output[x, y, 1] = bright - (cb - 128) * 11/32 - (cr - 128) * 91/128
       output[x, y, 2] = bright + (cb - 128) * 113/64

   each limited to 0 ... 255 and then rounded down.
"""
