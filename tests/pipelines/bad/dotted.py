"""A name that Halide's searches do not take, in a pipeline that is all right."""

import halide as hl


def dotted() -> hl.Func:
    x, y = hl.Var("n-1.2"), hl.Var("y")
    image, rows, output = hl.ImageParam(hl.UInt(8), 2, "image"), hl.Func("rows"), hl.Func("1st output")
    rows[x, y] = hl.u16(image[x, y]) + image[x, y + 1]
    output[x, y] = rows[x, y] + rows[x, y + 1]
    image.set_estimates([hl.Range(0, 64), hl.Range(0, 50)])
    output.set_estimates([hl.Range(0, 64), hl.Range(0, 48)])
    return output
