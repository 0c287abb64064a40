import halide as hl


def read():
    x, y, c = hl.vars("x y c")
    image = hl.ImageParam(hl.UInt(8), 3, "image")
    image.dim(0).set_stride(3)
    f = hl.Func("f")
    f[x, y, c] = image[x, y, c]
    return f


def write():
    x, y, c = hl.vars("x y c")
    f = hl.Func("f")
    f[x, y, c] = hl.u8(x)
    f.output_buffer().dim(0).set_stride(3)
    return f
