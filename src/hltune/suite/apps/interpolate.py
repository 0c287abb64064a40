"""Fills the holes of an image from its surroundings, with a pyramid of averages weighted by opacity.

What is transparent is replaced by what coarser levels know about it. Everything is float32.

Input:

- ``input[x, y, c]``: float32, W x H x 4, colour in channels 0 .. 2 and opacity in channel 3, all in [0, 1].

Steps, for 10 levels l = 0 .. 9. Level l has the columns 0 .. E and the rows 0 .. F, with
``E = ceil((W - 1) / 2^l)`` and ``F = ceil((H - 1) / 2^l)``; outside of it, its edge is repeated:

1. ``down_0(x, y, c)`` is the colour times the opacity for c in 0 .. 2, and the opacity for c = 3.
2. ``down_l``, for l = 1 .. 9: every second pixel of the level before, smoothed with the weights 1/4 1/2 1/4 along y,
   then x. Along one axis: ``d(x) = (f(2x - 1) + 2 f(2x) + f(2x + 1)) / 4``, where coordinates that lie outside of the
   level before are moved to its edge.
3. ``filled_9 = down_9``; then for l = 8 .. 0, with up_l the level after stretched to twice its size, first along y,
   then x: ``u(x) = (f(floor(x / 2)) + f(floor((x + 1) / 2))) / 2``. That never leaves the level. Then
   ``filled_l(x, y, c) = down_l(x, y, c) + (1 - down_l(x, y, 3)) up_l(x, y, c)`` for all four channels.
4. ``output[x, y, c]``: float32, W x H x 3, is ``filled_0(x, y, c) / max(filled_0(x, y, 3), 2^-64)``: black where
   nothing is known.
"""

import halide as hl

from hltune.suite.apps.shared import coloured, from_origin, image

_LEVELS = 10


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Goes down the pyramid, and up again."""
    x, y, c = hl.vars("x y c")
    source = image("input", hl.Float(32), width, height, 4)
    down = [hl.Func("down_0")]
    down[0][x, y, c] = source[x, y, 3] * hl.select(c < 3, source[x, y, c], 1.0)
    for level in range(1, _LEVELS):
        last_x, last_y = (_last(source.dim(axis).max(), level - 1) for axis in (0, 1))
        down.append(_smaller(down[-1], level, last_x, last_y))

    filled = down[-1]
    for level in reversed(range(_LEVELS - 1)):
        filled = _filled(down[level], filled, level)
    output = hl.Func("output")
    output[x, y, c] = filled[x, y, c] / hl.max(filled[x, y, 3], 2.0**-64)
    return from_origin(coloured(output, width, height))


def _last(last: hl.Expr, level: int) -> hl.Expr:
    """The last coordinate of a level: ``last / 2^level``, rounded up."""
    return (last + (2**level - 1)) >> level


def _smaller(larger: hl.Func, level: int, last_x: hl.Expr, last_y: hl.Expr) -> hl.Func:
    x, y, c = hl.vars("x y c")
    edge, rows, down = hl.Func(f"edge_{level}"), hl.Func(f"down_rows_{level}"), hl.Func(f"down_{level}")
    edge[x, y, c] = larger[hl.clamp(hl.likely(x), 0, last_x), hl.clamp(y, 0, last_y), c]
    rows[x, y, c] = _smoothed([edge[x, 2 * y + k, c] for k in (-1, 0, 1)])
    down[x, y, c] = _smoothed([rows[2 * x + k, y, c] for k in (-1, 0, 1)])
    return down


def _smoothed(taps: list[hl.FuncRef]) -> hl.Expr:
    before, here, after = taps
    return (before + 2.0 * here + after) * 0.25


def _filled(down: hl.Func, coarse: hl.Func, level: int) -> hl.Func:
    """``up[h, s, y, c]`` is element 2h + s of a row: even and odd ones are computed by vectors of their own."""
    x, y, c, h, s = hl.vars("x y c h s")
    rows, up, filled = hl.Func(f"up_rows_{level}"), hl.Func(f"up_{level}"), hl.Func(f"filled_{level}")
    rows[x, y, c] = (coarse[x, y / 2, c] + coarse[x, (y + 1) / 2, c]) * 0.5
    up[h, s, y, c] = (rows[h, y, c] + rows[h + s, y, c]) * 0.5
    filled[x, y, c] = down[x, y, c] + (1.0 - down[x, y, 3]) * up[x / 2, x % 2, y, c]
    return filled


_FINE = 5
"""Levels below this one are worth vectors and threads."""


def expert(vector_bytes: int) -> str:
    """Down level by level, then up by strips of rows that take all finer levels with them.

    Both passes are bound by memory: the image is read twice, and nothing of its size is kept in between. Going up, a
    strip holds the few rows of each level that the next finer one still needs. A row of any level is first smoothed
    along y into a buffer, which the step along x then reads by dense vectors.
    """
    lanes = vector_bytes // 4
    down = [
        f"""
down_{level}.compute_root()
    .split(x, xo, xi, {lanes}).reorder(xi, c, xo, y).vectorize(xi).unroll(c)
    .split(y, strip, row, 8).parallel(strip);
down_rows_{level}.compute_at(down_{level}, row)
    .split(x, xo, xi, {lanes}).reorder(xi, c, xo, y).vectorize(xi).unroll(c);
"""
        for level in range(1, _FINE)
    ]
    coarse = [f"down_{level}.compute_root();" for level in range(_FINE, _LEVELS)]
    coarse += [f"filled_{level}.compute_root();" for level in range(_FINE, _LEVELS - 1)]
    up = [
        f"""
filled_{level}.store_at(output, strip).compute_at(output, row)
    .split(x, xo, xi, {2 * lanes}, TailStrategy::RoundUp).reorder(xi, c, xo, y).vectorize(xi).unroll(c);
"""
        for level in range(1, _FINE)
    ]
    up += [
        f"""
up_{level}.compute_at({place}, xo).store_in(MemoryType::Stack).reorder_storage(s, h, c, y)
    .split(h, ho, hi, {lanes}, TailStrategy::RoundUp).reorder(s, hi, ho, c, y).unroll(s).vectorize(hi).unroll(c);
up_rows_{level}.compute_at({place}, {row}).vectorize(x, {lanes});
"""
        for level, (place, row) in enumerate([("output", "row"), *((f"filled_{n}", "y") for n in range(1, _FINE))])
    ]
    output = f"""
output.compute_root()
    .split(y, strip, row, 32).split(x, xo, xi, {2 * lanes}, TailStrategy::GuardWithIf)
    .reorder(xi, c, xo, row, strip).vectorize(xi).unroll(c).parallel(strip);
"""
    return "".join([*down, *coarse, output, *up])
