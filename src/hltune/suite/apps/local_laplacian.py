"""Local Laplacian filter: enhances or smoothes details, keeps edges (Paris, Hasinoff, Kautz 2011; Aubry 2014).

Inputs, in this order:

- ``input[x, y, c]``: uint16, W x H x 3; outside of it, its edge is repeated as far as the pyramids reach.
- ``alpha``: float32, how much details are enhanced; usually 1/7.
- ``beta``: float32, how much of large edges is kept; usually 1.

Steps, in float32. Pyramids have 8 levels j = 0 .. 7 and cover the whole plane (of which 512 pixels around the image
are more than enough). There are 8 intensities k / 7, for k = 0 .. 7.

1. ``gray(x, y) = (77 r + 150 g + 29 b) / 2^24``, in [0, 1). This is exact in float32, in any order.
2. ``remap(i) = alpha t exp(-t^2 / 2)`` with ``t = i / 256``, for whole numbers i: a curve that is looked up.
3. ``curved_0(x, y, k) = beta (gray - k / 7) + k / 7 + remap(floor(1792 gray) - 256 k)``, where 1792 = 7 * 256 and the
   product is rounded to float32 before the floor is taken.
4. Down: ``curved_j`` (for each k) and ``gray_j`` are every second pixel of the level before, smoothed with the weights
   1/8 3/8 3/8 1/8 along y, then x. Along one axis:
   ``d(x) = (f(2x - 1) + 3 (f(2x) + f(2x + 1)) + f(2x + 2)) / 8``. ``gray_0 = gray``.
5. Up: a level is stretched to twice its size, first along y, then x, linearly. Along one axis, with floor(x / 2) = h:
   ``u(x) = 3/4 f(h) + 1/4 f(h - 1)`` for even x, and ``3/4 f(h) + 1/4 f(h + 1)`` for odd x.
6. Details: ``detail_j(x, y, k) = curved_j - up(curved_j+1)``, and ``detail_7 = curved_7``.
7. ``blend_j(x, y)`` is ``detail_j`` at the intensity of ``gray_j``: with ``l = 7 gray_j`` and ``k = floor(l)``, clamped to
   0 .. 6, it is ``(1 - f) detail_j(x, y, k) + f detail_j(x, y, k + 1)``, where f = l - k.
8. ``result_7 = blend_7``; ``result_j = up(result_j+1) + blend_j``.
9. ``output[x, y, c]``: uint16, W x H x 3, is ``input (result_0 + 1/128) / (gray + 1/128)``, clamped to [0, 65535] and then
   rounded to the nearest, as floor(v + 0.5).
"""

import halide as hl

from hltune.suite.apps.shared import estimated, image, mix, repeat_edge, scalar

LEVELS = 8
INTENSITIES = 8
_STEPS = 256
_EPSILON = 1 / 128


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Three pyramids: of the gray image, of its curved copies, and of the result."""
    x, y, c, k = hl.vars("x y c k")
    source = image("input", hl.UInt(16), width, height, 3)
    gray = [_gray(repeat_edge(source, "edge"))]
    curve = _curve(gray[0], scalar("alpha", 1 / (INTENSITIES - 1)), scalar("beta", 1.0))
    curved = [hl.Func("curved_0")]
    curved[0][x, y, k] = curve
    for level in range(1, LEVELS):
        gray.append(_down(gray[-1], f"gray_{level}", [x, y]))
        curved.append(_down(curved[-1], f"curved_{level}", [x, y, k]))

    result = _blend(gray[-1], curved[-1], LEVELS - 1)
    for level in reversed(range(LEVELS - 1)):
        detail, finer = hl.Func(f"detail_{level}"), hl.Func(f"result_{level}")
        # Computed again at level 0: that is cheaper than to keep it.
        fine = curved[level][x, y, k] if level else curve
        detail[x, y, k] = fine - _up(curved[level + 1], f"curved_up_{level}", [x, y, k])
        finer[x, y] = _up(result, f"up_{level}", [x, y]) + _blend(gray[level], detail, level)[x, y]
        result = finer

    output = hl.Func("output")
    ratio = (result[x, y] + _EPSILON) / (gray[0][x, y] + _EPSILON)
    output[x, y, c] = hl.cast(hl.UInt(16), hl.clamp(source[x, y, c] * ratio, 0.0, 65535.0) + 0.5)
    return estimated(output, width, height, 3)


def _gray(edge: hl.Func) -> hl.Func:
    x, y, c = hl.vars("x y c")
    floating, gray = hl.Func("floating"), hl.Func("gray_0")
    floating[x, y, c] = hl.cast(hl.Float(32), edge[x, y, c])
    gray[x, y] = (77.0 * floating[x, y, 0] + 150.0 * floating[x, y, 1] + 29.0 * floating[x, y, 2]) * 2.0**-24
    return gray


def _curve(gray: hl.Func, alpha: hl.Param, beta: hl.Param) -> hl.Expr:
    """A function of x, y and k; ``curves[i, k]`` has the curve of each intensity from its own darkest point on."""
    x, y, k, i = hl.vars("x y k i")
    remap, curves = hl.Func("remap"), hl.Func("curves")
    t = hl.cast(hl.Float(32), i) / _STEPS
    remap[i] = alpha * t * hl.exp(-0.5 * t * t)
    curves[i, k] = remap[i - _STEPS * k]
    most = (INTENSITIES - 1) * _STEPS
    index = hl.clamp(hl.cast(hl.Int(32), gray[x, y] * float(most)), 0, most)
    intensity = hl.cast(hl.Float(32), k) / (INTENSITIES - 1)
    return beta * (gray[x, y] - intensity) + intensity + curves[index, k]


def _down(func: hl.Func, name: str, args: list[hl.Var]) -> hl.Func:
    """Half the size, smoothed."""
    x, y, *more = args
    rows, down = hl.Func(f"{name}_rows"), hl.Func(name)
    rows[x, y, *more] = _smoothed([func[x, 2 * y + i, *more] for i in range(-1, 3)])
    down[x, y, *more] = _smoothed([rows[2 * x + i, y, *more] for i in range(-1, 3)])
    return down


def _smoothed(taps: list[hl.FuncRef]) -> hl.Expr:
    a, b, c, d = taps
    return (a + 3.0 * (b + c) + d) * 0.125


def _up(func: hl.Func, name: str, args: list[hl.Var]) -> hl.Expr:
    """Twice the size; ``up[h, s, y]`` is element 2h + s of a row: even and odd ones have vectors of their own."""
    x, y, *more = args
    h, s = hl.vars("h s")
    rows, up = hl.Func(f"{name}_rows"), hl.Func(name)
    rows[x, y, *more] = 0.75 * func[x, y / 2, *more] + 0.25 * func[x, y / 2 - 1 + 2 * (y % 2), *more]
    up[h, s, y, *more] = 0.75 * rows[h, y, *more] + 0.25 * rows[h - 1 + 2 * s, y, *more]
    return up[x / 2, x % 2, y, *more]


def _blend(gray: hl.Func, detail: hl.Func, level: int) -> hl.Func:
    """The details of the two intensities around that of each pixel, interpolated."""
    x, y = hl.vars("x y")
    place = gray[x, y] * float(INTENSITIES - 1)
    k = hl.clamp(hl.cast(hl.Int(32), place), 0, INTENSITIES - 2)
    blend = hl.Func(f"blend_{level}")
    blend[x, y] = mix(detail[x, y, k], detail[x, y, k + 1], place - k)
    return blend


_FINE = 5
"""Levels below this one are worth threads."""
_TILE = 64


def expert(vector_bytes: int) -> str:
    """The eight intensities of a pixel are one vector, so that nothing but the last look-up needs a gather.

    With them innermost in memory, smoothing along x needs no shuffles, and ``curves`` answers for all intensities with
    one load. All levels of the three pyramids are kept but the finest curved one: its rows live in a circular buffer
    while the next level is computed, tile by tile.

    Going up, the details of a tile are computed for all intensities, by vectors again, and then the two that count are
    picked for each pixel.
    """
    lanes = vector_bytes // 4
    tables = f"""
remap.compute_root().vectorize(i, {lanes});
curves.compute_root().reorder_storage(k, i).reorder(k, i).vectorize(k);
gray_0.compute_root().vectorize(x, {lanes}).split(y, strip, row, 32).parallel(strip);
curved_0.store_at(curved_1, xo).compute_at(curved_1, row).{_ACROSS_K};
"""
    levels = range(1, LEVELS)
    down = [_going_down(level, lanes) for level in levels]
    up = [f"blend_{LEVELS - 1}.compute_root().vectorize(x, {lanes});"]
    up += [_going_up(level, f"result_{level}", lanes) for level in levels[:-1]]
    output = f"""
output.compute_root()
    .split(y, strip, row, 32).split(x, xo, xm, {_TILE}, TailStrategy::GuardWithIf).split(xm, xv, xi, {lanes})
    .reorder(xi, c, xv, xo, row, strip).vectorize(xi).unroll(c).parallel(strip);
result_0.compute_at(output, xo).store_in(MemoryType::Stack).split(x, xo, xi, {lanes}, TailStrategy::RoundUp).vectorize(xi);
"""
    return "\n".join([tables, *down, *up, output, _stretched(0, "output", lanes)])


_ACROSS_K = "reorder_storage(k, x, y).reorder(k, x, y).vectorize(k)"


def _parallel(level: int, rows: int) -> str:
    return f".split(y, strip, row, {rows}).parallel(strip)" if level < _FINE else ""


def _going_down(level: int, lanes: int) -> str:
    """At level 1, tiles are taken from top to bottom, for the sake of the buffer of ``curved_0``."""
    rows = "row" if level < _FINE else "y"
    order, place = (f"{rows}, xo", rows) if level == 1 else (f"xo, {rows}", "xo")
    return f"""
gray_{level}.compute_root().vectorize(x, {lanes}){_parallel(level, 8)};
gray_{level}_rows.compute_at(gray_{level}, {rows}).vectorize(x, {lanes});
curved_{level}.compute_root().{_ACROSS_K}{_parallel(level, 16)}
    .split(x, xo, xi, {_TILE // 2}).reorder(k, xi, {order});
curved_{level}_rows.compute_at(curved_{level}, {place}).{_ACROSS_K};
"""


def _going_up(level: int, name: str, lanes: int) -> str:
    order = "xi, xv, xo, row, strip" if level < _FINE else "xi, xv, xo, y"
    return f"""
{name}.compute_root(){_parallel(level, 8)}
    .split(x, xo, xm, {_TILE}, TailStrategy::RoundUp).split(xm, xv, xi, {lanes}).reorder({order}).vectorize(xi);
detail_{level}.compute_at({name}, xo).{_ACROSS_K};
{_stretched(level, name, lanes)}"""


def _stretched(level: int, place: str, lanes: int) -> str:
    """What the level after contributes to the tiles of ``place``."""
    row = "row" if level < _FINE else "y"
    tile = f"compute_at({place}, xo).store_in(MemoryType::Stack)"
    return f"""
curved_up_{level}_rows.{tile}.{_ACROSS_K};
curved_up_{level}.{tile}.reorder_storage(k, s, h, y).reorder(k, s, h, y).vectorize(k).unroll(s);
up_{level}_rows.compute_at({place}, {row}).vectorize(x, {lanes});
up_{level}.{tile}.reorder_storage(s, h, y)
    .split(h, ho, hi, {lanes}, TailStrategy::RoundUp).reorder(s, hi, ho, y).unroll(s).vectorize(hi);
"""
