"""Blurs a photograph as a wide lens would: depth from a stereo pair, then a random sample of each pixel's aperture.

Inputs: ``left`` and ``right``, uint8, shape (width, height, 3) each, indexed x, y, c. All images below, given and
computed, repeat their edge: a coordinate outside of one means the nearest inside. All numbers are exact integers (int32
is enough where nothing else is said), ``>>`` rounds down, and divisions ``/`` of coordinates round down. So depths, and
which pixels are blurred into which, do not depend on the order of the computation.

1. **How badly the images match** in the slices z = 0 .. 31, with x + 2z and x + 2z + 1 clamped to the image
   separately (uint16)::

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

   (shifts bind more tightly than ^). The sampled pixel is p = (x + u, y + v), clamped to the image. It counts (weight
   1, else 0) if 4 (u^2 + v^2) < size(p)^2, and also 4 (u^2 + v^2) < size(x, y)^2 or depth(p) < depth(x, y).

Output: ``output``, float32, of the shape of the inputs: the mean of the pixel itself and of all samples that count (as
often as they are drawn), as a fraction of 255: their exact integer sum of left, as float32, divided by 255 times their
number, as float32.
"""

import halide as hl

from hltune.suite.apps.shared import coloured, image

_SLICES = 32
_SAMPLES = 32
_LEVELS = 8
_FOCUS = 13
_REACH = range(-9, 10)
_ODD = (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35)

_Size = tuple[hl.Expr, hl.Expr]
x, y, z, c, s = hl.vars("x y z c s")


def pipeline(width: int = 192, height: int = 320) -> hl.Func:
    """Costs, their pyramid, depth and samples; a fourth channel of the output's sum counts its pixels."""
    left, right = (image(name, hl.UInt(8), width, height, 3) for name in ("left", "right"))
    whole = left.dim(0).extent(), left.dim(1).extent()

    depth, blur, reach = hl.Func("depth"), hl.Func("blur"), hl.Func("reach")
    depth[x, y] = _depth(_pyramid(_weighted_costs(left, right, whole), whole))
    blur[x, y] = hl.absd(depth[x, y], hl.cast(hl.UInt(8), _FOCUS))
    reach_y = hl.Func("reach_y")
    reach_y[x, y] = hl.max(*[blur[x, _inside(y + j, whole[1])] for j in _REACH])
    reach[x, y] = hl.max(*[reach_y[_inside(hl.likely(x) + i, whole[0]), y] for i in _REACH])

    sample, counts, total, output = hl.Func("sample"), hl.Func("counts"), hl.Func("total"), hl.Func("output")
    sample[x, y, s] = _offset(hl.cast(hl.UInt(32), reach[x, y]) >> 1)
    u, v = sample[x, y, s][0], sample[x, y, s][1]
    there = _inside(x + u, whole[0]), _inside(y + v, whole[1])
    distance = 4 * (u * u + v * v)
    covers, covered = (distance < _square(blur[pixel]) for pixel in (there, (x, y)))
    counts[x, y, s] = covers & (covered | (depth[there] < depth[x, y]))

    each = hl.RDom([hl.Range(0, _SAMPLES)], "each")
    u, v = sample[x, y, each.x][0], sample[x, y, each.x][1]
    there = _inside(x + u, whole[0]), _inside(y + v, whole[1])
    total[x, y, c] = _counted(left, (x, y))
    total[x, y, c] += hl.select(counts[x, y, each.x], _counted(left, there), 0)
    output[x, y, c] = hl.cast(hl.Float(32), total[x, y, c]) / hl.cast(hl.Float(32), 255 * total[x, y, 3])
    for view in (left, right):
        view.dim(2).set_bounds(0, 3)
    return coloured(output, width, height)


def expert(vector_bytes: int) -> str:
    """Vectors of slices until the depth is known, and of pixels from then on.

    All volumes are stored with z innermost. So the coordinates x and y, with their halves, doubles and edges, are
    scalars in the whole pyramid, and every load and store is dense. ``cost`` and ``variance`` are stored; ``push_0``,
    four times as large, is computed from them where it is needed. In each level, strips of rows run in parallel, and
    the rows filtered across roll along with those filtered down; pairs of rows have the same neighbours above and
    below. ``depth`` comes straight from level 0, eight pixels at a time.

    A vector of output pixels keeps its sums in registers while it goes through the samples.
    """
    lanes = vector_bytes // 4
    dense = f".reorder_storage(z, c, x, y).vectorize(z, {lanes}).unroll(c)"
    strips = ".compute_root().split(y, strip, yi, 16, TailStrategy::GuardWithIf).parallel(strip)"
    down = "".join(
        f"push_{k}{strips}.reorder(z, c, x, yi, strip){dense};\n"
        f"across_{k}.store_at(push_{k}, strip).compute_at(push_{k}, yi).fold_storage(y, 8)"
        f".reorder(z, c, x, y){dense};\n"
        for k in range(1, _LEVELS)
    )
    up = "".join(
        f"pull_{k}{strips}.split(yi, pair, yi, 2).reorder(z, c, x, yi, pair, strip){dense};\n"
        f"wide_{k}.store_at(pull_{k}, strip).compute_at(pull_{k}, pair).fold_storage(y, 4)"
        f".reorder(z, c, x, y){dense};\n"
        for k in range(1, _LEVELS - 1)
    )
    return f"""
cost{strips}.reorder_storage(z, x, y).reorder(z, x, yi, strip).vectorize(z, {min(_SLICES, vector_bytes)});
beyond.compute_at(cost, yi).vectorize(x, {vector_bytes}, TailStrategy::RoundUp);
variance{strips};
sums.compute_at(variance, x).update().atomic().vectorize(r_x);
squares.compute_at(variance, x).update().atomic().vectorize(r_x);
{down}{up}
depth{strips}.split(yi, pair, yi, 2).split(x, xo, xi, 8).reorder(xi, xo, yi, pair, strip).vectorize(xi);
best.compute_at(depth, xo).vectorize(x, 8).update().reorder(x, other_x).vectorize(x, 8);
pull_0.compute_at(depth, xo).reorder(z, c, x, y){dense};
wide_0.store_at(depth, strip).compute_at(depth, pair).fold_storage(y, 4).reorder(z, c, x, y){dense};

output{strips}.split(x, xo, xi, {lanes}).reorder(xi, c, xo, yi, strip).vectorize(xi).unroll(c);
reach_y.compute_at(output, yi).vectorize(x, {vector_bytes});
reach.compute_at(output, yi).vectorize(x, 16, TailStrategy::RoundUp);
total.compute_at(output, xo).vectorize(x, {lanes}).unroll(c);
total.update().reorder(x, c, each_x).vectorize(x, {lanes}).unroll(c);
counts.compute_at(total, each_x).vectorize(x, {lanes});
sample.compute_at(total, each_x).vectorize(x, {lanes});
"""


def _inside(index: hl.Expr, extent: hl.Expr) -> hl.Expr:
    return hl.clamp(index, 0, extent - 1)


def _int(value: hl.Expr) -> hl.Expr:
    return hl.cast(hl.Int(32), value)


def _long(value: hl.Expr) -> hl.Expr:
    return hl.cast(hl.Int(64), value)


def _square(value: hl.Expr) -> hl.Expr:
    return _int(value) * _int(value)


def _weighted_costs(left: hl.ImageParam, right: hl.ImageParam, whole: _Size) -> hl.Func:
    """``push_0``; the variance is the same for all slices, so it is a Func of its own."""
    beyond, cost, variance, push = hl.Func("beyond"), hl.Func("cost"), hl.Func("variance"), hl.Func("push_0")
    beyond[x, y, c] = right[_inside(hl.likely(x), whole[0]), y, c]
    at_0, at_1, at_2 = (
        hl.min(*[hl.absd(left[x, y, k], beyond[x + 2 * z + step, y, k]) for step in (0, 1)]) for k in range(3)
    )
    cost[x, y, z] = hl.cast(hl.UInt(16), at_0) + at_1 + at_2

    r = hl.RDom([hl.Range(0, _SLICES)], "r")
    sums = hl.sum(_int(cost[x, y, r.x]), "sums")
    squares = hl.sum(_square(cost[x, y, r.x]), "squares")
    variance[x, y] = (_SLICES * squares - sums * sums) >> 10
    confidence = 1 + hl.select(x + 2 * z + 1 < whole[0], variance[x, y], 0)
    push[x, y, z, c] = confidence * hl.select(c == 0, _int(cost[x, y, z]), 1)
    return push


def _pyramid(fine: hl.Func, whole: _Size) -> hl.Func:
    """From ``push_0`` to ``pull_0``."""
    push, sizes = [fine], [whole]
    for level in range(1, _LEVELS):
        push.append(_halved(push[-1], sizes[-1], level))
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    pull = push[-1]
    for level in reversed(range(_LEVELS - 1)):
        pull = _blended(pull, sizes[level + 1], push[level], level)
    return pull


def _halved(fine: hl.Func, size: _Size, level: int) -> hl.Func:
    across, push = hl.Func(f"across_{level}"), hl.Func(f"push_{level}")
    a, b, d, e = (fine[_inside(2 * x + k, size[0]), y, z, c] for k in (-1, 0, 1, 2))
    across[x, y, z, c] = (a + 3 * (b + d) + e + 4) >> 3
    a, b, d, e = (across[x, _inside(2 * y + k, size[1]), z, c] for k in (-1, 0, 1, 2))
    push[x, y, z, c] = (a + 3 * (b + d) + e + 4) >> 3
    return push


def _blended(coarse: hl.Func, size: _Size, fine: hl.Func, level: int) -> hl.Func:
    wide, pull = hl.Func(f"wide_{level}"), hl.Func(f"pull_{level}")
    near, far = coarse[x // 2, y, z, c], coarse[_inside(x // 2 - 1 + 2 * (x % 2), size[0]), y, z, c]
    wide[x, y, z, c] = (3 * near + far + 2) >> 2
    near, far = wide[x, y // 2, z, c], wide[x, _inside(y // 2 - 1 + 2 * (y % 2), size[1]), z, c]
    pull[x, y, z, c] = (((3 * near + far + 2) >> 2) + fine[x, y, z, c] + 1) >> 1
    return pull


def _depth(pull: hl.Func) -> hl.Expr:
    """The slice whose fraction is the least."""
    best = hl.Func("best")
    other = hl.RDom([hl.Range(1, _SLICES - 1)], "other")
    best[x, y] = hl.Tuple([pull[x, y, 0, 0], pull[x, y, 0, 1], hl.cast(hl.UInt(8), 0)])
    found = pull[x, y, other.x, 0], pull[x, y, other.x, 1], hl.cast(hl.UInt(8), other.x)
    least = [best[x, y][k] for k in range(3)]
    better = _long(found[0]) * _long(least[1]) < _long(least[0]) * _long(found[1])
    best[x, y] = hl.Tuple([hl.select(better, new, old) for new, old in zip(found, least, strict=True)])
    return best[x, y][2]


def _offset(radius: hl.Expr) -> hl.Tuple:
    """Where the sample lies, up to ``radius`` pixels away in each direction: the two halves of a hash."""
    a, b, d = (hl.cast(hl.UInt(32), v) * hl.u32(odd) for v, odd in zip((x, y, s), _ODD, strict=True))
    mixed = a ^ b ^ d
    mixed = (mixed ^ (mixed >> 15)) * hl.u32(0x2C1B3C6D)
    mixed = (mixed ^ (mixed >> 12)) * hl.u32(0x297A2D39)
    mixed = mixed ^ (mixed >> 15)
    return hl.Tuple([_int(half * (2 * radius + 1) >> 16) - _int(radius) for half in (mixed & 0xFFFF, mixed >> 16)])


def _counted(left: hl.ImageParam, pixel: tuple[hl.Expr, hl.Expr]) -> hl.Expr:
    """The pixel's colours, and 1 as the fourth channel."""
    return hl.select(c == 3, 1, _int(left[*pixel, hl.min(c, 2)]))
