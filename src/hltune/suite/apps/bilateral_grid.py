"""Edge-preserving smoothing with a bilateral grid (Chen, Paris, Durand 2007).

An image of brightnesses becomes a small volume of space and brightness, which is blurred and read back at every
pixel. Everything is float32.

Inputs, in this order:

- ``input[x, y]``: float32, brightness in [0, 1]; outside of the image its edge is repeated.
- ``r_sigma``: float32, thickness of a layer of the volume, in (0, 1]; usually 0.1.

Steps, with S = 8 pixels per cell, ``scale = 1 / r_sigma`` rounded to float32, and ``value(x, y)`` the input clamped to
[0, 1]:

1. Splat. Cell (i, j) has the 64 pixels (S i - 4 + u, S j - 4 + v) for u and v in 0 .. 7. For each of them, with
   ``k = floor(value * scale + 0.5)``, ``grid(i, j, k, 0)`` grows by the value and ``grid(i, j, k, 1)`` by 1, row after
   row of pixels. All other elements of the grid are 0, also below the first and above the last layer.
2. Blur. The weights 1 4 6 4 1 (sum 16, not divided by) run over k, then over i, then over j.
3. Slice. A pixel (x, y) lies at ``(x / S, y / S, value * scale)`` in the volume. Both channels of the blurred grid are
   interpolated linearly between the 8 elements around that point, which starts with
   ``(floor(x / S), floor(y / S), floor(value * scale))``: first along j, then i, then k.
4. ``output[x, y]``: float32, of the size of the input, is channel 0 of that divided by channel 1. The latter is at
   least 8, for a pixel is in one of the layers around it.
"""
