"""A sum whose author has called rfactor: that changes the algorithm."""

import halide as hl

x, u = hl.vars("x u")
r = hl.RDom([(0, 64)], "r")


def algorithm():
    image, total, output = hl.ImageParam(hl.UInt(16), 2, "image"), hl.Func("total"), hl.Func("output")
    total[x] = hl.u16(0)
    total[x] += image[x, r.x]
    output[x] = total[x] + 1
    image.set_estimates([(0, 256), (0, 64)])
    output.set_estimates([(0, 256)])
    return total, output


def unscheduled():
    return hl.Pipeline(algorithm()[1])


def rfactored(*, everything=True):
    total, output = algorithm()
    ro, ri = hl.RVar("ro"), hl.RVar("ri")
    total.update(0).split(r.x, ro, ri, 8)
    made = total.update(0).rfactor([(ri, u)])
    if everything:
        made.compute_root().vectorize(x, 8)
        total.compute_root().parallel(x)
    return hl.Pipeline(output)
