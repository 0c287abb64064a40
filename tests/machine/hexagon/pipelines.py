"""Pipelines for the emulated DSP, as functions of a module."""

from __future__ import annotations

import re

import halide as hl


def mixed() -> hl.Func:
    """Inputs of several types, scalars, three dimensions, an update stage and a Tuple of outputs."""
    x, y, c = hl.vars("x y c")
    image = hl.ImageParam(hl.UInt(8), 3, "image")
    table = hl.ImageParam(hl.Int(16), 1, "table")
    weights = hl.ImageParam(hl.Float(32), 1, "weights")
    gain = hl.Param(hl.Float(32), "gain")
    offset = hl.Param(hl.Int(32), "offset")
    looked, summed, result = hl.Func("looked"), hl.Func("summed"), hl.Func("result")
    looked[x, y, c] = hl.cast(hl.Int(32), table[hl.cast(hl.Int(32), image[x, y, c])]) + offset
    r = hl.RDom([hl.Range(0, 3)], "r")
    summed[x, y] = hl.f32(0)
    summed[x, y] += hl.cast(hl.Float(32), looked[x, y, r.x]) * weights[r.x]
    result[x, y, c] = hl.Tuple((looked[x, y, c], hl.sqrt(hl.abs(summed[x, y] * gain)) / hl.cast(hl.Float(32), c + 1)))
    image.set_estimates([hl.Range(0, 100), hl.Range(0, 40), hl.Range(0, 3)])
    table.set_estimates([hl.Range(0, 256)])
    weights.set_estimates([hl.Range(0, 3)])
    gain.set_estimate(0.5)
    offset.set_estimate(-7)
    result.set_estimates([hl.Range(0, 100), hl.Range(0, 40), hl.Range(0, 3)])
    return result


def typed(kind: str = "uint8", dimensions: int = 2) -> hl.Func:
    """A stencil on elements of any type, with extents that are no multiples of anything."""
    names = hl.vars("x y z w")[:dimensions]
    word, bits = re.fullmatch(r"(uint|int|float)(\d+)", kind).groups()
    element = {"uint": hl.UInt, "int": hl.Int, "float": hl.Float}[word](int(bits))
    image = hl.ImageParam(element, dimensions, "image")
    output = hl.Func("output")
    x, *others = names
    output[names] = image[x, *others] + image[x + 1, *others] * hl.cast(element, 3)
    for func, width in ((image, 78), (output, 77)):
        func.set_estimates([hl.Range(k - 1, extent) for k, extent in enumerate((width, 5, 3, 2)[:dimensions])])
    return output


def hungry(rows: int = 4096) -> hl.Func:
    """An intermediate of two megabytes, if it is computed at root."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    wide, output = hl.Func("wide"), hl.Func("output")
    wide[x, y] = hl.cast(hl.UInt(16), image[x, y]) + 1
    output[x, y] = hl.cast(hl.UInt(8), wide[x, y] >> 1)
    for func in (image, output):
        func.set_estimates([hl.Range(0, 256), hl.Range(0, rows)])
    return output


def angles() -> hl.Func:
    """Calls a function of the C library that the DSP's code does not have."""
    x = hl.Var("x")
    image, output = hl.ImageParam(hl.Float(32), 1, "image"), hl.Func("output")
    output[x] = hl.atan2(image[x], 2.0)
    for func in (image, output):
        func.set_estimates([hl.Range(0, 64)])
    return output


def demanding() -> hl.Func:
    """Requires something of values of all kinds, which its messages name."""
    x, width = hl.Var("x"), hl.Param(hl.Int(32), "width", 64)
    share = hl.Param(hl.Float(32), "share", 0.5)
    out = hl.Func("out")
    wide = hl.require(width > 0, hl.cast(hl.Int(32), x), width, hl.cast(hl.UInt(64), width), share)
    out[x] = hl.cast(hl.UInt(8), wide)
    out.set_estimates([hl.Range(0, 256)])
    return out
