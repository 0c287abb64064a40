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
