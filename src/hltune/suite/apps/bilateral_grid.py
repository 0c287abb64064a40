"""Edge-preserving smoothing with a bilateral grid (Chen, Paris, Durand 2007).

A grey image becomes a small volume of space and brightness, which is blurred and read back at every pixel. Everything
is float32.

Inputs, in this order:

- ``input[x, y]``: float32, brightness in [0, 1]; outside of the image its edge is repeated.
- ``r_sigma``: float32, thickness of a layer of the volume, in (0, 1]; usually 0.1.

Steps, with S = 8 pixels per cell, ``scale = 1 / r_sigma`` rounded to float32, and ``value(x, y)`` the input clamped to
[0, 1]:

1. Splat. Cell (i, j) has the 64 pixels (S i - 4 + u, S j - 4 + v) for u and v in 0 .. 7. For each of them, with
   ``k = floor(value * scale + 0.5)``, ``grid(i, j, k, 0)`` grows by the value and ``grid(i, j, k, 1)`` by 1, row after
   row of pixels. All other elements of the grid are 0, also below the first and above the last layer.
2. Blur. The weights 1 4 6 4 1 (not divided by their sum) run over k, then over i, then over j.
3. Slice. A pixel (x, y) lies at ``(x / S, y / S, value * scale)`` in the volume. Both channels of the blurred grid are
   interpolated linearly between the 8 elements around that point, the first of which is
   ``(floor(x / S), floor(y / S), floor(value * scale))``: first along j, then i, then k.
4. ``output[x, y]``: float32, of the size of the input, is channel 0 of that divided by channel 1. The latter is at
   least 64: the element that the pixel itself fell into is one of those 8, and the blur adds at least 4 * 4 * 4 times
   its count to each of them.
"""

import halide as hl

from hltune.suite.apps.shared import from_origin, image, mix, scalar
from hltune.suite.images import estimated, repeat_edge

_CELL = 8


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """The grid is ``grid[x, y, z, c]``: place, layer, and channel (0: sum of values, 1: number of pixels)."""
    brightness = image("input", hl.Float(32), width, height)
    scale = 1.0 / scalar("r_sigma", hl.Float(32), 0.1)
    grid = _splat(repeat_edge(brightness), scale)
    return from_origin(estimated(_slice(_blur(grid), brightness, scale), width, height))


def _splat(edge: hl.Func, scale: hl.Expr) -> hl.Func:
    x, y, z, c = hl.vars("x y z c")
    value, nearest, grid = hl.Func("value"), hl.Func("nearest"), hl.Func("grid")
    value[x, y] = hl.clamp(edge[x, y], 0.0, 1.0)
    nearest[x, y] = hl.cast(hl.Int(32), value[x, y] * scale + 0.5)
    r = hl.RDom([hl.Range(0, _CELL), hl.Range(0, _CELL)], "r")
    pixel = x * _CELL + r.x - _CELL // 2, y * _CELL + r.y - _CELL // 2
    grid[x, y, z, c] = 0.0
    grid[x, y, nearest[pixel], c] += hl.select(c == 0, value[pixel], 1.0)
    return grid


def _blur(grid: hl.Func) -> hl.Func:
    x, y, z, c = hl.vars("x y z c")
    blur_z, blur_x, blur_y = hl.Func("blur_z"), hl.Func("blur_x"), hl.Func("blur_y")
    blur_z[x, y, z, c] = _weighted([grid[x, y, z + k, c] for k in range(-2, 3)])
    blur_x[x, y, z, c] = _weighted([blur_z[x + k, y, z, c] for k in range(-2, 3)])
    blur_y[x, y, z, c] = _weighted([blur_x[x, y + k, z, c] for k in range(-2, 3)])
    return blur_y


def _weighted(taps: list[hl.FuncRef]) -> hl.Expr:
    a, b, c, d, e = taps
    return (a + e) + 4.0 * (b + d) + 6.0 * c


def _slice(grid: hl.Func, brightness: hl.ImageParam, scale: hl.Expr) -> hl.Func:
    """``layers[x, y, k, c]`` is what the pixel sees of the layer below it (k = 0) and of the one above (k = 1)."""
    x, y, z, c, k = hl.vars("x y z c k")
    rows, columns, layers = hl.Func("rows"), hl.Func("columns"), hl.Func("layers")
    depth, layer, output = hl.Func("depth"), hl.Func("layer"), hl.Func("output")
    right, below = (hl.cast(hl.Float(32), each % _CELL) / _CELL for each in (x, y))
    rows[x, y, z, c] = mix(grid[x, y / _CELL, z, c], grid[x, y / _CELL + 1, z, c], below)
    columns[x, y, z, c] = mix(rows[x / _CELL, y, z, c], rows[x / _CELL + 1, y, z, c], right)
    depth[x, y] = hl.clamp(brightness[x, y], 0.0, 1.0) * scale
    layer[x, y] = hl.cast(hl.Int(32), depth[x, y])
    layers[x, y, k, c] = columns[x, y, layer[x, y] + k, c]
    sums, counts = (mix(layers[x, y, 0, i], layers[x, y, 1, i], depth[x, y] - layer[x, y]) for i in (0, 1))
    output[x, y] = sums / counts
    return output


def expert(vector_bytes: int) -> str:
    """Two passes: image to grid, blurred along z and x; then the rest, by strips of rows.

    In memory the two channels lie beside each other, then the layers: a pixel is added to the grid with one short
    vector, and what it reads back, two layers of two channels, is one vector of four.

    The first pass takes rows of cells in parallel. Neighbouring pixels mostly fall into the same element, so that each
    sum would wait for the one before; pixels of four cells in turn do not. The second pass blurs a row of cells along
    y when the strip comes to it, and stretches it to every row of pixels, before the pixels themselves interpolate
    between columns and layers.
    """
    lanes = vector_bytes // 4
    grid_order = "reorder_storage(c, z, x, y).reorder(c, z, x, y).fuse(c, z, cz)"
    return f"""
output.compute_root()
    .split(y, strip, yi, 64).split(yi, block, row, {_CELL}).split(x, xo, xi, {_CELL})
    .reorder(xi, xo, row, block, strip)
    .vectorize(xi).parallel(strip);
layer.compute_at(output, xo).vectorize(x, {_CELL});
layers.compute_at(output, xo).reorder_storage(c, k, x, y).reorder(c, k, x, y).vectorize(c).vectorize(k).unroll(x);
rows.compute_at(output, row).{grid_order}.vectorize(cz, {lanes});
blur_y.store_at(output, strip).compute_at(output, block).{grid_order}.vectorize(cz, {lanes});

blur_x.compute_root().{grid_order}.vectorize(cz, {lanes}).parallel(y);
blur_z.compute_at(blur_x, y).{grid_order}.vectorize(cz, {lanes});
grid.compute_at(blur_x, y).{grid_order}.vectorize(cz, {lanes});
grid.update(0)
    .split(x, xo, xi, 4).reorder(c, xi, r_x, r_y, xo, y)
    .vectorize(c).unroll(xi);
value.compute_at(grid, xo).vectorize(x, {lanes});
nearest.compute_at(grid, xo).vectorize(x, {lanes});
"""
