import halide as hl


def pipeline():
    x, y, c = hl.vars("x y c")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    lut = hl.ImageParam(hl.UInt(8), 1, "lut")
    gain = hl.Param(hl.Float(32), "gain")
    offset = hl.Param(hl.Int(8), "offset")
    flip = hl.Param(hl.Bool(), "flip")
    out, count = hl.funcs("out count")
    value = hl.u8(hl.f32(lut[hl.i32(image[x, y])]) * gain)
    out[x, y] = hl.select(flip, value, value + hl.u8(offset))
    count[c] = c
    count.set_estimate(c, 0, 0)
    lut.dim(0).set_bounds(0, 256)
    return out, count
