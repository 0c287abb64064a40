import halide as hl


def pipeline():
    x = hl.Var("x")
    image = hl.ImageParam(hl.BFloat(16), 1, "image")
    f = hl.Func("f")
    f[x] = hl.f32(image[x])
    return f
