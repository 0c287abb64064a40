"""Pipelines of which a wrong output is easily verified, or a right one not."""

from __future__ import annotations

import halide as hl

_PLANE = [hl.Range(0, 96), hl.Range(0, 32)]


def _sized(*each: hl.ImageParam | hl.Func) -> None:
    for one in each:
        one.set_estimates(_PLANE)


def fading() -> hl.Func:
    """Mixes a little of an image into what its output contained before."""
    x, y = hl.vars("x y")
    image, out = hl.ImageParam(hl.Float(32), 2, "image"), hl.Func("out")
    out[x, y] = hl.undef(hl.Float(32))
    out[x, y] = hl.f32(0.9) * out[x, y] + hl.f32(0.1) * image[x, y]
    _sized(image, out)
    return out


def brightest() -> hl.Func:
    """Keeps the larger values, as often as it is called."""
    x, y = hl.vars("x y")
    image, out = hl.ImageParam(hl.UInt(8), 2, "image"), hl.Func("out")
    out[x, y] = hl.undef(hl.UInt(8))
    out[x, y] = hl.max(out[x, y], image[x, y])
    _sized(image, out)
    return out


def one_column() -> hl.Func:
    """Reads what its output contained before in a hundredth of it."""
    x, y = hl.vars("x y")
    image, out = hl.ImageParam(hl.Float(32), 2, "image"), hl.Func("out")
    out[x, y] = hl.undef(hl.Float(32))
    out[x, y] = hl.select(x == 5, out[x, y] * hl.f32(0.5), image[x, y])
    _sized(image, out)
    return out


def rounded_up(stride: int = 0) -> hl.Func:
    """Its author's vectors stand out of what the algorithm reads."""
    x, y = hl.vars("x y")
    image, wide, out = hl.ImageParam(hl.UInt(8), 2, "image"), hl.Func("wide"), hl.Func("out")
    wide[x, y] = hl.cast(hl.UInt(16), image[x, y])
    out[x, y] = wide[x, y] + wide[x + 1, y] + wide[x + 2, y]
    wide.compute_root().vectorize(x, 32, hl.TailStrategy.RoundUp)
    if stride:
        image.dim(1).set_stride(stride)
    image.set_estimates([hl.Range(0, 98), hl.Range(0, 32)])
    out.set_estimates(_PLANE)
    return out


def rounded_up_in_place() -> hl.Func:
    """The same in rows that have no room for more."""
    return rounded_up(98)


def diagonal() -> hl.Func:
    """Reads one element, or where every Func is at root, what is around it."""
    x, y = hl.vars("x y")
    image, sums, out = hl.ImageParam(hl.UInt(8), 1, "image"), hl.Func("sums"), hl.Func("out")
    sums[x, y] = image[x + y]
    out[x] = sums[x, -x] + hl.cast(hl.UInt(8), x)
    image.set_estimates([hl.Range(0, 1)])
    out.set_estimates([hl.Range(0, 64)])
    return out


def shifted() -> hl.Func:
    """Shifts by more bits than there are, of which Halide does not say what comes of it."""
    x, y = hl.vars("x y")
    image, bits, out = hl.ImageParam(hl.UInt(32), 2, "image"), hl.ImageParam(hl.UInt(8), 2, "bits"), hl.Func("out")
    out[x, y] = image[x, y] << hl.cast(hl.UInt(32), bits[x, y])
    _sized(image, bits, out)
    return out
