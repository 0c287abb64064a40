"""Local Laplacian filter: enhances or smoothes details, keeps edges (Paris, Hasinoff, Kautz 2011; Aubry 2014).

Inputs, in this order:

- ``input[x, y, c]``: uint16, W x H x 3; outside of it, its edge is repeated as far as the pyramids reach.
- ``alpha``: float32, how much details are enhanced; usually 1/7.
- ``beta``: float32, how much of large edges is kept; usually 1.

Steps, in float32. Pyramids have 8 levels j = 0 .. 7 and cover the whole plane (of which 512 pixels around the image
are more than enough). There are 8 intensities k / 7, for k = 0 .. 7.

1. ``gray(x, y) = (77 r + 150 g + 29 b) / 2^24``, in [0, 1). This is exact in float32, in any order.
2. ``remap(i) = alpha t exp(-t^2 / 2)`` with ``t = i / 256``, for whole numbers i: a curve that is looked up.
3. ``curved_0(x, y, k) = beta (gray - k / 7) + k / 7 + remap(floor(1792 gray) - 256 k)``, where 1792 = 7 * 256.
4. Down: ``curved_j`` (for each k) and ``gray_j`` are every second pixel of the level before, smoothed with the weights
   1/8 3/8 3/8 1/8 along y, then x. Along one axis:
   ``d(x) = (f(2x - 1) + 3 (f(2x) + f(2x + 1)) + f(2x + 2)) / 8``. ``gray_0 = gray``.
5. Up: a level is stretched to twice its size, first along x, then y, linearly. Along one axis, with floor(x / 2) = h:
   ``u(x) = 3/4 f(h) + 1/4 f(h - 1)`` for even x, and ``3/4 f(h) + 1/4 f(h + 1)`` for odd x.
6. Details: ``detail_j(x, y, k) = curved_j - up(curved_j+1)``, and ``detail_7 = curved_7``.
7. ``blend_j(x, y)`` is ``detail_j`` at the intensity of ``gray_j``: with ``l = 7 gray_j`` and ``k = floor(l)``, clamped to
   0 .. 6, it is ``(1 - f) detail_j(x, y, k) + f detail_j(x, y, k + 1)``, where f = l - k.
8. ``result_7 = blend_7``; ``result_j = up(result_j+1) + blend_j``.
9. ``output[x, y, c]``: uint16, W x H x 3, is ``input (result_0 + 0.01) / (gray + 0.01)``, clamped to [0, 65535] and then
   rounded to the nearest, as floor(v + 0.5).
"""
