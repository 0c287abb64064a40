"""Local Laplacian filter: enhances or smooths details, keeps edges (Paris, Hasinoff, Kautz 2011; Aubry 2014).

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
7. ``blend_j(x, y)`` is ``detail_j`` at the intensity of ``gray_j``: with ``l = 7 gray_j`` and ``k = floor(l)``, clamped
   to 0 .. 6, it is ``(1 - f) detail_j(x, y, k) + f detail_j(x, y, k + 1)``, where f = l - k.
8. ``result_7 = blend_7``; ``result_j = up(result_j+1) + blend_j``.
9. ``output[x, y, c]``: uint16, W x H x 3, is ``input (result_0 + 1/128) / (gray + 1/128)``, clamped to [0, 65535] and
   then rounded to the nearest, as floor(v + 0.5).
"""

import halide as hl

from hltune.suite.apps.shared import coloured, from_origin, image, mix, scalar
from hltune.suite.images import repeat_edge

_LEVELS = 8
_INTENSITIES = 8
_STEPS = 256
_EPSILON = 1 / 128


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Three pyramids: of the grey image, of its curved copies, and of the result."""
    x, y, c, k = hl.vars("x y c k")
    source = image("input", hl.UInt(16), width, height, 3)
    gray = [_gray(repeat_edge(source))]
    alpha, beta = scalar("alpha", hl.Float(32), 1 / (_INTENSITIES - 1)), scalar("beta", hl.Float(32), 1.0)
    curve = _curve(gray[0], alpha, beta)
    curved = [hl.Func("curved_0")]
    curved[0][x, y, k] = curve
    for level in range(1, _LEVELS):
        gray.append(_down(gray[-1], f"gray_{level}", [x, y]))
        curved.append(_down(curved[-1], f"curved_{level}", [x, y, k]))

    result = _blend(gray[-1], curved[-1], _LEVELS - 1)
    for level in reversed(range(_LEVELS - 1)):
        detail, finer = hl.Func(f"detail_{level}"), hl.Func(f"result_{level}")
        # Computed again at level 0: that is cheaper than to keep it.
        fine = curved[level][x, y, k] if level else curve
        detail[x, y, k] = fine - _up(curved[level + 1], f"curved_up_{level}", [x, y, k])
        finer[x, y] = _up(result, f"up_{level}", [x, y]) + _blend(gray[level], detail, level)[x, y]
        result = finer

    output = hl.Func("output")
    ratio = (result[x, y] + _EPSILON) / (gray[0][x, y] + _EPSILON)
    output[x, y, c] = hl.cast(hl.UInt(16), hl.clamp(source[x, y, c] * ratio, 0.0, 65535.0) + 0.5)
    return from_origin(coloured(output, width, height))


def _gray(edge: hl.Func) -> hl.Func:
    x, y, c = hl.vars("x y c")
    floating, gray = hl.Func("floating"), hl.Func("gray_0")
    floating[x, y, c] = hl.cast(hl.Float(32), edge[x, y, c])
    gray[x, y] = (77.0 * floating[x, y, 0] + 150.0 * floating[x, y, 1] + 29.0 * floating[x, y, 2]) * 2.0**-24
    return gray


def _curve(gray: hl.Func, alpha: hl.Param, beta: hl.Param) -> hl.Expr:
    """A function of x, y and k; ``curves[i, k]`` is ``remap`` moved to intensity k."""
    x, y, k, i = hl.vars("x y k i")
    remap, curves = hl.Func("remap"), hl.Func("curves")
    t = hl.cast(hl.Float(32), i) / _STEPS
    remap[i] = alpha * t * hl.exp(-0.5 * t * t)
    curves[i, k] = remap[i - _STEPS * k]
    most = (_INTENSITIES - 1) * _STEPS
    index = hl.clamp(hl.cast(hl.Int(32), gray[x, y] * float(most)), 0, most)
    intensity = hl.cast(hl.Float(32), k) / (_INTENSITIES - 1)
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
    """Twice the size; ``up[h, s, y]`` is element 2h - 1 + s of a row, at 1/4 or 3/4 of the way from h - 1 to h.

    So both elements between two coarse ones are computed by vectors of their own.
    """
    x, y, *more = args
    h, s = hl.vars("h s")
    rows, up = hl.Func(f"{name}_rows"), hl.Func(name)
    rows[x, y, *more] = mix(func[x, (y - 1) / 2, *more], func[x, (y + 1) / 2, *more], _quarters((y + 1) % 2))
    up[h, s, y, *more] = mix(rows[h - 1, y, *more], rows[h, y, *more], _quarters(s))
    return up[(x + 1) / 2, (x + 1) % 2, y, *more]


def _quarters(s: hl.Expr) -> hl.Expr:
    """1/4 for 0, 3/4 for 1."""
    return 0.25 + 0.5 * hl.cast(hl.Float(32), s)


def _blend(gray: hl.Func, detail: hl.Func, level: int) -> hl.Func:
    """The details of the two intensities around that of each pixel, interpolated."""
    x, y = hl.vars("x y")
    place = gray[x, y] * float(_INTENSITIES - 1)
    k = hl.clamp(hl.cast(hl.Int(32), place), 0, _INTENSITIES - 2)
    blend = hl.Func(f"blend_{level}")
    blend[x, y] = mix(detail[x, y, k], detail[x, y, k + 1], place - k)
    return blend


_FINE = 5
"""Levels below this one are worth tiles and threads."""
_TILE = 64
_ACROSS_K = "reorder_storage(k, x, y).reorder(k, x, y).vectorize(k)"
_K_OF_PAIRS = "reorder_storage(k, s, h, y).reorder(k, s, h, y).vectorize(k).unroll(s)"


def expert(vector_bytes: int) -> str:
    """The eight intensities of a pixel are one vector; only the last look-up gathers a vector element by element.

    With them innermost in memory, smoothing along x needs no shuffles, and ``curves`` answers for all intensities with
    one load. All levels of the three pyramids are kept but the finest curved one: its rows live in a circular buffer
    while the next level is computed, tile by tile from top to bottom.

    Going up, the details of a tile are computed for all intensities, by vectors again, and then the two that count are
    picked for each pixel. Coarse levels are never rounded up to whole vectors or tiles: one more pixel of the last
    level costs 128 more columns of the first.
    """
    lanes = vector_bytes // 4
    first = f"""
remap.compute_root().vectorize(i, {lanes});
curves.compute_root().reorder_storage(k, i).reorder(k, i).vectorize(k);
gray_0.compute_root().vectorize(x, {lanes}).split(y, strip, row, 32).parallel(strip);
curved_0.store_at(curved_1, xo).compute_at(curved_1, row).{_ACROSS_K};
"""
    down = [_fine_down(level, lanes) for level in range(1, _FINE)]
    down += [_coarse_down(level) for level in range(_FINE, _LEVELS)]
    up = [_coarse_up(level) for level in range(_FINE, _LEVELS - 1)]
    up += [_fine_up(level, lanes) for level in range(1, _FINE)]
    last = f"""
blend_{_LEVELS - 1}.compute_root();
output.compute_root()
    .split(y, strip, row, 32).{_tiles(lanes, "GuardWithIf")}
    .reorder(xi, c, xm, xo, row, strip).vectorize(xi).unroll(c).parallel(strip);
result_0.compute_at(output, xo).store_in(MemoryType::Stack).vectorize(x, {lanes});
"""
    return "\n".join([first, *down, *up, last, _stretched(0, "output", lanes)])


def _tiles(lanes: int, tail: str) -> str:
    """Tiles of whole vectors: the second split never cuts one, so that only the first one's tail strategy matters."""
    vectors = _TILE // lanes
    return f"split(x, xv, xi, {lanes}, TailStrategy::{tail}).split(xv, xo, xm, {vectors}, TailStrategy::GuardWithIf)"


def _fine_down(level: int, lanes: int) -> str:
    order, place = ("row, xo", "row") if level == 1 else ("xo, row", "xo")
    return f"""
gray_{level}.compute_root().vectorize(x, {lanes}).split(y, strip, row, 8).parallel(strip);
gray_{level}_rows.compute_at(gray_{level}, row).vectorize(x, {lanes});
curved_{level}.compute_root().{_ACROSS_K}
    .split(y, strip, row, 16).split(x, xo, xi, {_TILE // 2}).reorder(k, xi, {order}, strip).parallel(strip);
curved_{level}_rows.compute_at(curved_{level}, {place}).{_ACROSS_K};
"""


def _coarse_down(level: int) -> str:
    return f"""
gray_{level}.compute_root();
gray_{level}_rows.compute_at(gray_{level}, y);
curved_{level}.compute_root().{_ACROSS_K};
curved_{level}_rows.compute_at(curved_{level}, y).{_ACROSS_K};
"""


def _fine_up(level: int, lanes: int) -> str:
    return f"""
result_{level}.compute_root()
    .split(y, strip, row, 8).{_tiles(lanes, "RoundUp" if level == 1 else "ShiftInwards")}
    .reorder(xi, xm, xo, row, strip).vectorize(xi).parallel(strip);
detail_{level}.compute_at(result_{level}, xo).store_in(MemoryType::Stack).{_ACROSS_K};
{_stretched(level, f"result_{level}", lanes)}"""


def _coarse_up(level: int) -> str:
    return f"""
result_{level}.compute_root();
detail_{level}.compute_at(result_{level}, y).{_ACROSS_K};
curved_up_{level}.compute_at(result_{level}, y).{_K_OF_PAIRS};
curved_up_{level}_rows.compute_at(result_{level}, y).{_ACROSS_K};
"""


def _stretched(level: int, place: str, lanes: int) -> str:
    """What the level after contributes to the tiles of ``place``."""
    tile = f"compute_at({place}, xo).store_in(MemoryType::Stack)"
    return f"""
curved_up_{level}_rows.{tile}.{_ACROSS_K};
curved_up_{level}.{tile}.{_K_OF_PAIRS};
up_{level}_rows.compute_at({place}, row).vectorize(x, {lanes});
up_{level}.{tile}.reorder_storage(s, h, y).split(h, ho, hi, {lanes}).reorder(s, hi, ho, y).unroll(s).vectorize(hi);
"""
