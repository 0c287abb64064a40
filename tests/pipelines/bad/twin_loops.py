"""A variable that is named as schedules name one of a reduction."""

import halide as hl


def pipeline():
    x, c, f = hl.Var("x"), hl.Var("r_x"), hl.Func("f")
    r = hl.RDom([(0, 4)], "r")
    f[x, c] = 0
    f[r.x, c] += 1
    f.set_estimates([(0, 8), (0, 4)])
    return f
