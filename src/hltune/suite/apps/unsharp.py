"""Unsharp mask: a colour image becomes crisper where its brightness differs from the blurred brightness.

Input: ``input[x, y, c]``, float32, W x H x 3, values in [0, 1]; c is red, green, blue.
Output: ``output[x, y, c]``, float32, W x H x 3; not clamped, so it may be below 0 or above 1. All arithmetic is float32.

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
