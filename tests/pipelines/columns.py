"""Sums of floats, which come out a little different in another order."""

import halide as hl


def columns():
    x = hl.Var("x")
    image = hl.ImageParam(hl.Float(32), 2, "image")
    r = hl.RDom([(0, 64)], "r")
    out = hl.Func("out")
    out[x] = 0.0
    out[x] += image[x, r]
    image.set_estimates([hl.Range(0, 512), hl.Range(0, 64)])
    out.set_estimates([hl.Range(0, 512)])
    return out
