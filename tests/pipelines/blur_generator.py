import halide as hl

x, y = hl.vars("x y")


@hl.generator("blur")
class Blur:
    radius_is_one = hl.GeneratorParam(True)
    shift = hl.GeneratorParam(0)

    input = hl.InputBuffer(hl.UInt(8), 2)
    unused = hl.InputBuffer(hl.UInt(16), 1)
    gain = hl.InputScalar(hl.Float(32))
    output = hl.OutputBuffer(hl.UInt(8), 2)

    def generate(self):
        padded, blur_x = hl.funcs("padded blur_x")
        column = hl.clamp(x, 0, self.input.width() - 1)
        row = hl.clamp(y, 0, self.input.height() - 1)
        padded[x, y] = hl.u16(self.input[column, row])
        blur_x[x, y] = padded[x - 1, y] + padded[x, y] + padded[x + 1, y]
        blurred = blur_x[x, y - 1] + blur_x[x, y] + blur_x[x, y + 1] if self.radius_is_one else blur_x[x, y]
        self.output[x, y] = hl.u8_sat(hl.f32(blurred >> self.shift) * self.gain)

        self.input.set_estimates([(0, 192), (0, 128)])
        self.unused.set_estimates([(0, 8)])
        self.gain.set_estimate(0.125)
        self.output.set_estimates([(0, 192), (0, 128)])
        if not self.using_autoscheduler():
            blur_x.compute_root()
