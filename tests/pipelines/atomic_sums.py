"""Float sums whose order depends on the threads, as their author has scheduled them."""

import halide as hl


def sums():
    x, r = hl.Var("x"), hl.RDom([(0, 1000000)], "r")
    image = hl.ImageParam(hl.Float(32), 1, "image")
    f = hl.Func("f")
    f[x] = 0.0
    f[hl.clamp(hl.i32(image[r.x] * 4), 0, 3)] += image[r.x]
    f.update().atomic().parallel(r.x)
    image.set_estimates([(0, 1000000)])
    f.set_estimates([(0, 4)])
    return f
