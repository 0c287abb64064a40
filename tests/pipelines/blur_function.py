import halide as hl


def blur(radius_is_one: bool = True, shift: int = 0):
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.UInt(8), 2, "input")
    gain = hl.Param(hl.Float(32), "gain", 0.125)
    padded, blur_x, output = hl.funcs("padded blur_x output")
    column = hl.clamp(x, 0, image.width() - 1)
    row = hl.clamp(y, 0, image.height() - 1)
    padded[x, y] = hl.u16(image[column, row])
    blur_x[x, y] = padded[x - 1, y] + padded[x, y] + padded[x + 1, y]
    blurred = blur_x[x, y - 1] + blur_x[x, y] + blur_x[x, y + 1] if radius_is_one else blur_x[x, y]
    output[x, y] = hl.u8_sat(hl.f32(blurred >> shift) * gain)

    image.set_estimates([(0, 192), (0, 128)])
    output.set_estimates([(0, 192), (0, 128)])
    return output
