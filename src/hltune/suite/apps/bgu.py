"""Bilateral guided upsampling (Chen, Adams, Wadhwa, Hasinoff 2016).

An effect was computed on a small copy of an image. Here it is carried over to the large image: a grid over space and
brightness gets, in each cell, the affine colour transform that fits the effect best, and every pixel is transformed by
what the grid says at its place and brightness. Everything is float32; colours are (r, g, b) in [0, 1].

Inputs, for an output of W x H pixels:

- ``small_before[x, y, c]``: float32, the small copy, ceil(W / 8) x ceil(H / 8) x 3.
- ``small_after[x, y, c]``: float32, the effect on it, of the same size. Outside of both, their edge is repeated.
- ``image[x, y, c]``: float32, W x H x 3, 8 times as large in x and in y.

Steps, with ``gray(r, g, b) = r / 4 + g / 2 + b / 4`` clamped to [0, 1]:

1. Splat. Cell (i, j) has the 256 small pixels (16 i - 8 + u, 16 j - 8 + v) for u and v in 0 .. 15. A pixel of colour
   (r, g, b) before and (r', g', b') after falls into layer ``k = floor(8 gray(r, g, b) + 0.5)``, one of 0 .. 8. From
   s = (r, g, b, 1, r', g', b') it adds the 22 products s_p s_q, for p in 0 .. 3 and q in p .. 6, to the moments of that
   cell and layer: they are numbered m = 0 .. 21 in the order of p, then q. The pixels are added row by row, and that
   matters: the rounding of these sums alone moves the output by some 1e-4. All other elements of the grid are 0, also
   below the first and above the last layer.
2. Blur. The weights 1/64 1/27 1/8 1 1/8 1/27 1/64 run over k, then over j, then over i.
3. Solve. In each cell (i, j, k) and with the blurred moments M(p, q) = M(q, p), the 4 x 4 matrix
   ``A(p, q) = M(p, q) + (1 if p = q)`` and the three right-hand sides ``B(p, c) = M(p, 4 + c) + (1 if p = c)``, for c
   in 0 .. 2, give the model X = inverse(A) B. The ones stand for a sample of each colour that did not change; they make
   A positive definite, with no eigenvalue below 1. It is solved by Gauss-Jordan elimination, which needs no pivoting
   then.
4. Slice. A pixel (x, y) of the image lies at ``(x / 128, y / 128, 8 gray(its colour))`` in the grid. The model is
   interpolated linearly between the 8 elements around that point, the first of which is at the floor of each
   coordinate: first along j, then i, then k.
5. ``output[x, y, c]``: float32, W x H x 3, is r X(0, c) + g X(1, c) + b X(2, c) + X(3, c), clamped to [0, 1], where
   (r, g, b) is the pixel of the image.
"""

from collections.abc import Sequence

import halide as hl

from hltune.suite.apps.shared import coloured, from_origin, image, mix
from hltune.suite.images import repeat_edge

_ZOOM, _CELL, _LAYERS = 8, 16, 8
_PAIRS = [(p, q) for p in range(4) for q in range(p, 7)]


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """The grid is ``moments[x, y, z, m]``; the models are ``model[x, y, z, c, p]``, as X(p, c) above."""
    small = -(-width // _ZOOM), -(-height // _ZOOM), 3
    before, after = (image(name, hl.Float(32), *small) for name in ("small_before", "small_after"))
    large = image("image", hl.Float(32), width, height, 3)
    moments = _splat(repeat_edge(before, "edge_before"), repeat_edge(after, "edge_after"))
    return from_origin(coloured(_slice(_solve(_blur(moments)), large), width, height))


def _splat(before: hl.Func, after: hl.Func) -> hl.Func:
    x, y, z, m = hl.vars("x y z m")
    r = hl.RDom([hl.Range(0, _CELL), hl.Range(0, _CELL)], "r")
    at = x * _CELL + r.x - _CELL // 2, y * _CELL + r.y - _CELL // 2
    old, new = ([func[*at, c] for c in range(3)] for func in (before, after))
    s = [*old, hl.Expr(1.0), *new]
    layer = hl.cast(hl.Int(32), _gray(old) * _LAYERS + 0.5)
    moments = hl.Func("moments")
    moments[x, y, z, m] = 0.0
    moments[x, y, layer, m] += hl.mux(m, [s[p] * s[q] for p, q in _PAIRS])
    return moments


def _blur(moments: hl.Func) -> hl.Func:
    x, y, z, m = hl.vars("x y z m")
    blur_z, blur_y, blur_x = hl.Func("blur_z"), hl.Func("blur_y"), hl.Func("blur_x")
    blur_z[x, y, z, m] = _blurred([moments[x, y, z + k, m] for k in range(-3, 4)])
    blur_y[x, y, z, m] = _blurred([blur_z[x, y + k, z, m] for k in range(-3, 4)])
    blur_x[x, y, z, m] = _blurred([blur_y[x + k, y, z, m] for k in range(-3, 4)])
    return blur_x


def _solve(moments: hl.Func) -> hl.Func:
    """Row p of ``system`` is A(p, 0 .. 3) and then B(p, 0 .. 2); every pivot clears its column in all other rows."""
    x, y, z, p, q, c = hl.vars("x y z p q c")
    first, second = hl.min(p, q), hl.max(p, q)
    number = hl.clamp(first * (13 - first) / 2 + second, 0, len(_PAIRS) - 1)  # of the pair, in the order of _PAIRS
    unchanged = hl.select((q == p) | (q == p + 4), 1.0, 0.0)
    system, model = hl.Func("system"), hl.Func("model")
    system[x, y, z, q, p] = moments[x, y, z, number] + unchanged
    for k in range(4):
        r = hl.RDom([hl.Range(k + 1, 6 - k), hl.Range(0, 3)], f"r{k}")
        row = (k + 1 + r.y) % 4
        system[x, y, z, r.x, row] -= system[x, y, z, k, row] / system[x, y, z, k, k] * system[x, y, z, r.x, k]
    model[x, y, z, c, p] = system[x, y, z, 4 + c, p] / system[x, y, z, p, p]
    return model


def _slice(model: hl.Func, large: hl.ImageParam) -> hl.Func:
    x, y, z, c, p = hl.vars("x y z c p")
    size = _ZOOM * _CELL
    right, below = hl.Func("right"), hl.cast(hl.Float(32), y % size) / size
    right[x] = hl.cast(hl.Float(32), x % size) / size
    rows, columns, sliced = hl.Func("rows"), hl.Func("columns"), hl.Func("sliced")
    depth, layer = hl.Func("depth"), hl.Func("layer")
    transformed, output = hl.Func("transformed"), hl.Func("output")
    rows[x, y, z, c, p] = mix(model[x, y / size, z, c, p], model[x, y / size + 1, z, c, p], below)
    columns[x, y, z, c, p] = mix(rows[x / size, y, z, c, p], rows[x / size + 1, y, z, c, p], right[x])
    colour = [large[x, y, k] for k in range(3)]
    depth[x, y] = _gray(colour) * _LAYERS
    layer[x, y] = hl.cast(hl.Int(32), depth[x, y])
    near, far = (columns[x, y, layer[x, y] + k, c, p] for k in (0, 1))
    sliced[x, y, c, p] = mix(near, far, depth[x, y] - layer[x, y])
    transformed[x, y, c] = sum((sliced[x, y, c, k] * colour[k] for k in range(3)), hl.Expr(sliced[x, y, c, 3]))
    output[x, y, c] = hl.clamp(transformed[x, y, c], 0.0, 1.0)
    return output


def _gray(colour: Sequence[hl.Expr]) -> hl.Expr:
    red, green, blue = colour
    return hl.clamp(0.25 * red + 0.5 * green + 0.25 * blue, 0.0, 1.0)


def _blurred(taps: list[hl.FuncRef]) -> hl.Expr:
    a, b, c, d, e, f, g = taps
    return (a + g) / 64.0 + (b + f) / 27.0 + (c + e) / 8.0 + d


def expert(vector_bytes: int) -> str:
    """A small pass over the cells and a large one over the pixels, neither of which gathers vectors element by element.

    In memory the output channels c of a model lie beside each other, four of them (the fourth is computed, but never
    used), then the components p, then the layers. So a pixel adds up its three outputs in one vector of four: what
    depends on its layer is just where that vector is loaded from. Eight pixels at a time then become three planes.

    ``rows`` has the models of one row of pixels, interpolated along y: it is small, and stays in the first-level cache.
    In the small pass, vectors likewise run along the moments of one element; only the solver takes a vector of cells.
    """
    lanes = vector_bytes // 4
    moments_order = f"reorder_storage(m, z, x, y).reorder(m, z, x, y).vectorize(m, {lanes})"
    four = "split(c, co, ci, 4, TailStrategy::RoundUp)"
    model_order = f"reorder_storage(c, p, z, x, y).{four}.reorder(ci, p, co, z, x, y).vectorize(ci).vectorize(p)"
    eliminations = "\n".join(
        f"system.update({k}).reorder(r{k}_x, r{k}_y, x, z, y).unroll(r{k}_x).unroll(r{k}_y).vectorize(x, {lanes});"
        for k in range(4)
    )
    return f"""
output.compute_root()
    .split(y, strip, row, 16).split(x, xo, xi, 8).reorder(xi, c, xo, row, strip)
    .vectorize(xi).unroll(c).parallel(strip);
transformed.compute_at(output, xo).reorder_storage(c, x, y).{four}.reorder(ci, co, x, y).vectorize(ci).unroll(x);
depth.compute_at(output, xo).vectorize(x, 8);
layer.compute_at(output, xo).vectorize(x, 8);
right.compute_at(output, xo).vectorize(x, 8);
rows.compute_at(output, row).{model_order};
model.compute_root().{model_order}.parallel(y);

system.compute_at(model, y).split(q, qo, qi, 8, TailStrategy::RoundUp).reorder(qi, p, qo, x, z, y)
    .unroll(qi).unroll(p).vectorize(x, {lanes});
{eliminations}
blur_x.compute_at(model, y).{moments_order};
blur_y.compute_root().{moments_order}.parallel(y);
blur_z.compute_root().{moments_order}.parallel(y);
moments.compute_at(blur_z, y).{moments_order};
moments.update(0).reorder(m, r_x, r_y, x, y).unroll(m);
"""
