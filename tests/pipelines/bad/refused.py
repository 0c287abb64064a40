import halide as hl


def external():
    x = hl.Var("x")
    before, filtered, after = hl.funcs("before filtered after")
    before[x] = hl.f32(x)
    filtered.define_extern("low_pass", [hl.ExternFuncArgument(before)], [hl.Float(32)], 1)
    after[x] = filtered[x] + 1
    after.set_estimates([(0, 64)])
    return after


def half():
    x, gain = hl.Var("x"), hl.Param(hl.Float(16), "gain")
    f = hl.Func("f")
    f[x] = hl.cast(hl.Float(16), x) * gain
    f.set_estimates([(0, 64)])
    return f


@hl.generator("half_generator")
class Half:
    gain = hl.InputScalar(hl.Float(16))
    output = hl.OutputBuffer(hl.Float(16), 1)

    def generate(self):
        x = hl.Var("x")
        self.output[x] = hl.cast(hl.Float(16), x) * self.gain
        self.output.set_estimates([(0, 64)])


def pointer():
    x, user = hl.Var("x"), hl.Param(hl.Handle(), "user")
    f = hl.Func("f")
    f[x] = hl.select(user == hl.reinterpret(hl.Handle(), hl.u64(0)), x, 0)
    f.set_estimates([(0, 64)])
    return f


def sharpen(image: hl.Func, amount: int = 3):
    x = hl.Var("x")
    f = hl.Func("f")
    f[x] = image[x] * amount - image[x + 1]
    return f


def smooth(image):
    x = hl.Var("x")
    f = hl.Func("f")
    f[x] = image[x] + image[x + 1]
    return f
