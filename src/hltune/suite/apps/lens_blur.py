"""Blurs a photograph as a wide lens would: depth from a stereo pair, then a random sample of each pixel's aperture.

Inputs: ``left`` and ``right``, uint8, shape (width, height, 3) each, indexed x, y, c. All images below, given and
computed, repeat their edge: a coordinate outside of one means the nearest inside. All numbers are exact integers (int32
is enough where nothing else is said), ``>>`` rounds down, and divisions ``/`` of coordinates round down. So depths, and
which pixels are blurred into which, do not depend on the order of the computation.

1. **How badly the images match** at z = 0 .. 31, with x + 2z and x + 2z + 1 clamped to the image one by one (uint16)::

    cost(x, y, z) = sum over c of min(|left(x, y, c) - right(x + 2z, y, c)|, |left(x, y, c) - right(x + 2z + 1, y, c)|)

2. **Confidence** is the variance of the costs of a pixel, and 1 more, so that it is never 0. Matches that need what is
   beyond the right edge are worth little::

    variance(x, y)      = (32 * (sum over z of cost(x, y, z)^2) - (sum over z of cost(x, y, z))^2) >> 10
    confidence(x, y, z) = 1 + variance(x, y)   where x + 2z + 1 < width, else 1

3. **A pyramid** of 8 levels spreads costs to where there is no confidence. It has two channels, treated alike:
   push_0(x, y, z, 0) = cost * confidence and push_0(x, y, z, 1) = confidence. Level k has the size
   w_k = (w_(k-1) + 1) / 2, h_k = (h_(k-1) + 1) / 2, and w_0 = width, h_0 = height. Up to level 7, with z and channel
   left out::

    across_k(x, y) = (P(2x - 1, y) + 3 P(2x, y) + 3 P(2x + 1, y) + P(2x + 2, y) + 4) >> 3             P = push_(k-1)
    push_k(x, y)   = (A(x, 2y - 1) + 3 A(x, 2y) + 3 A(x, 2y + 1) + A(x, 2y + 2) + 4) >> 3             A = across_k

   and back from pull_7 = push_7 to level 0, where near(v) = v / 2, and far(v) = v / 2 - 1 for even v, v / 2 + 1 for odd
   v, clamped to level k + 1::

    wide_k(x, y) = (3 pull_(k+1)(near(x), y) + pull_(k+1)(far(x), y) + 2) >> 2        y of level k + 1
    tall_k(x, y) = (3 wide_k(x, near(y)) + wide_k(x, far(y)) + 2) >> 2
    pull_k(x, y) = (tall_k(x, y) + push_k(x, y) + 1) >> 1

4. **Depth** is the z of the least pull_0(x, y, z, 0) / pull_0(x, y, z, 1), as an exact fraction; the least z if several
   are equal. Fractions a / b and c / d are compared as a * d and c * b in int64.

5. **Blur**: size(x, y) = |depth(x, y) - 13|, a radius in half pixels, so 0 to 18. reach(x, y) is the largest
   size(x + i, y + j) of -9 <= i, j <= 9.

6. **Samples** s = 0 .. 31 of a pixel: with products and sums of uint32 that wrap around, ^ for exclusive or, and x, y
   and s as uint32::

    a = x * 0x9E3779B1 ^ y * 0x85EBCA6B ^ s * 0xC2B2AE35
    b = (a ^ a >> 15) * 0x2C1B3C6D
    d = (b ^ b >> 12) * 0x297A2D39
    h = d ^ d >> 15
    r = reach(x, y) / 2
    u = ((h & 0xFFFF) * (2r + 1) >> 16) - r,   v = ((h >> 16) * (2r + 1) >> 16) - r

   (shifts bind more than ^). The sampled pixel is p = (x + u, y + v), clamped to the image. It counts (weight 1, else 0)
   if 4 (u^2 + v^2) < size(p)^2, and also 4 (u^2 + v^2) < size(x, y)^2 or depth(p) < depth(x, y).

Output: ``output``, float32, of the shape of the inputs: the mean of the pixel itself and of all samples that count (as
often as they are drawn), as a part of 255: their exact integer sum of left, as float32, divided by 255 times their
number, as float32.
"""
