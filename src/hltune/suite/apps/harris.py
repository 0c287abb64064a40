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
