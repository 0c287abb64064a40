"""Fills the holes of an image from its surroundings, with a pyramid of averages weighted by opacity.

What is transparent is replaced by what coarser levels know about it. Everything is float32.

Input:

- ``input[x, y, c]``: float32, W x H x 4, colour in channels 0 .. 2 and opacity in channel 3, all in [0, 1].

Steps, for 10 levels l = 0 .. 9. Level l has the columns 0 .. E and the rows 0 .. F, with
``E = ceil((W - 1) / 2^l)`` and ``F = ceil((H - 1) / 2^l)``; outside of it, its edge is repeated:

1. ``down_0(x, y, c)`` is the colour times the opacity for c in 0 .. 2, and the opacity for c = 3.
2. ``down_l``, for l = 1 .. 9: every second pixel of the level before, smoothed with the weights 1/4 1/2 1/4 along x,
   then y. Along one axis: ``d(x) = (f(2x - 1) + 2 f(2x) + f(2x + 1)) / 4``, where coordinates that lie outside of the
   level before are moved to its edge.
3. ``filled_9 = down_9``; then for l = 8 .. 0, with up_l the level after stretched to twice its size, first along x, then
   y: ``u(x) = (f(floor(x / 2)) + f(floor((x + 1) / 2))) / 2``. That never leaves the level. Then
   ``filled_l(x, y, c) = down_l(x, y, c) + (1 - down_l(x, y, 3)) up_l(x, y, c)`` for all four channels.
4. ``output[x, y, c]``: float32, W x H x 3, is ``filled_0(x, y, c) / max(filled_0(x, y, 3), 1e-20)``: black where nothing
   is known.
"""
