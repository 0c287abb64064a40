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
