"""Pipelines that hltune measures under its own conditions."""

import halide as hl


def short() -> hl.Func:
    """The estimate of the input does not cover what is read."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    output = hl.Func("output")
    output[x, y] = hl.u16(image[x, y]) + image[x + 2, y + 1]
    image.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    output.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    return output


def pair() -> hl.Func:
    """A Tuple of which floats take part in one element alone."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    output = hl.Func("output")
    output[x, y] = (hl.f32(image[x, y]) / 3, image[x, y] + 1)
    image.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    output.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    return output


def floats() -> hl.Func:
    """Schedules round its sums in their own ways."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.Float(32), 2, "image")
    rows, output = hl.Func("rows"), hl.Func("output")
    rows[x, y] = image[x, y] * 0.3 + image[x + 1, y] * 0.7
    output[x, y] = rows[x, y] * 0.4 + rows[x, y + 1] * 0.6
    image.set_estimates([hl.Range(0, 65), hl.Range(0, 49)])
    output.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    return output


def channels() -> hl.Func:
    """Only as the file promises that there are three channels can a loop over them be a vector."""
    x, y, c = hl.vars("x y c")
    image = hl.ImageParam(hl.UInt(8), 3, "image")
    image.dim(2).set_bounds(0, 3)
    channel = hl.RDom([hl.Range(0, image.dim(2).extent())])
    copy, output = hl.Func("copy"), hl.Func("output")
    copy[x, y, c] = hl.u16(image[x, y, c])
    output[x, y] += copy[x, y, channel]
    image.set_estimates([hl.Range(0, 64), hl.Range(0, 48), hl.Range(0, 3)])
    output.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    return output


def unnamed() -> hl.Func:
    """Halide names its variables, as it would those of a schedule."""
    x, y = hl.Var(), hl.Var()
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    output = hl.Func("output")
    output[x, y] = image[x, y] ^ 1
    image.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    output.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    return output


def lookup() -> hl.Func:
    """A table has no end that could be computed at root: its index is data."""
    x = hl.Var("x")
    image = hl.ImageParam(hl.Int(32), 1, "image")
    table, output = hl.Func("table"), hl.Func("output")
    table[x] = x * 3 + 1
    output[x] = table[image[x]]
    image.set_estimates([hl.Range(0, 1024)])
    output.set_estimates([hl.Range(0, 1024)])
    return output


def padded() -> hl.Func:
    """Between the rows of the output lies what belongs to nobody."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    output = hl.Func("output")
    output[x, y] = image[x, y]
    output.output_buffer().dim(1).set_stride(96)
    image.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    output.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    return output


def clamped() -> hl.Func:
    """Nothing is less than what all floats are more than."""
    x, y = hl.vars("x y")
    image, least = hl.ImageParam(hl.Float(32), 2, "image"), hl.Param(hl.Float(32), "least", -float("inf"))
    output = hl.Func("output")
    output[x, y] = hl.max(image[x, y], least)
    image.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    output.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    return output
