"""Bilateral guided upsampling (Chen, Adams, Wadhwa, Hasinoff 2016).

An effect was computed on a small copy of an image. Here it is carried over to the large image: a grid over space and
brightness gets, in each cell, the affine colour transform that fits the effect best, and every pixel is transformed by
what the grid says at its place and brightness. Everything is float32; colours are (r, g, b) in [0, 1].

Inputs, in this order, for an output of W x H pixels:

- ``small_before[x, y, c]``: float32, the small copy, ceil(W / 8) x ceil(H / 8) x 3.
- ``small_after[x, y, c]``: float32, the effect on it, of the same size. Outside of both, their edge is repeated.
- ``image[x, y, c]``: float32, W x H x 3, 8 times as large in x and in y.

Steps, with ``gray(r, g, b) = r / 4 + g / 2 + b / 4`` clamped to [0, 1]:

1. Splat. Cell (i, j) has the 256 small pixels (16 i - 8 + u, 16 j - 8 + v) for u and v in 0 .. 15. A pixel of colour
   (r, g, b) before and (r', g', b') after falls into layer ``k = floor(8 gray(r, g, b) + 0.5)``, one of 0 .. 8. From
   s = (r, g, b, 1, r', g', b') it adds the 22 products s_p s_q, for p in 0 .. 3 and q in p .. 6, to that element: they
   are numbered m = 0 .. 21 in the order of p, then q. All other elements of the grid are 0, in every layer.
2. Blur. The weights 1/64 1/27 1/8 1 1/8 1/27 1/64 run over k, then over j, then over i.
3. Solve. In each cell (i, j, k) and with the blurred moments M(p, q) = M(q, p), the 4 x 4 matrix
   ``A(p, q) = M(p, q) + (1 if p = q)`` and the three right-hand sides ``B(p, c) = M(p, 4 + c) + (1 if p = c)``, for c in
   0 .. 2, give the model X = inverse(A) B. The ones stand for a sample of each colour that did not change; they make
   A positive definite, with no eigenvalue below 1. It is solved by Gauss-Jordan elimination, which needs no pivoting
   then.
4. Slice. A pixel (x, y) of the image lies at ``(x / 128, y / 128, 8 gray(its colour))`` in the grid. The model is
   interpolated linearly between the 8 cells around that point, which starts with the floor of each: first along j,
   then i, then k.
5. ``output[x, y, c]``: float32, W x H x 3, is r X(0, c) + g X(1, c) + b X(2, c) + X(3, c), clamped to [0, 1], where
   (r, g, b) is the pixel of the image.
"""
