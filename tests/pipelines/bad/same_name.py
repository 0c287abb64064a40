import halide as hl


def pipeline():
    x = hl.Var("x")
    one, two = (hl.ImageParam(hl.UInt(8), 1, "image") for _ in range(2))
    f = hl.Func("f")
    f[x] = one[x] + two[x]
    return f
