import halide as hl


def undefined():
    x = hl.Var("x")
    f = hl.Func("f")
    f[x] = hl.Func("never")[x]
    return f
