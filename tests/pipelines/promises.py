"""What a pipeline demands when it runs; and a program that ends with Halide's main."""

import tempfile
from pathlib import Path

import halide as hl


@hl.generator(name="demanding")
class Demanding:
    image = hl.InputBuffer(hl.Float(32), 1)
    divisor = hl.InputScalar(hl.Float(32))
    large = hl.InputScalar(hl.UInt(64))
    out = hl.OutputBuffer(hl.UInt(64), 1)

    def generate(self):
        x = hl.Var("x")
        divisor = hl.require(self.divisor != 0.0, hl.Expr(self.divisor), hl.Expr(self.divisor))
        self.out[x] = hl.u64(self.image[x] / divisor) ^ self.large
        self.add_requirement(self.image.dim(0).extent() >= 16, "image is too narrow:", self.image.dim(0).extent())
        self.image.set_estimates([(0, 64)])
        self.out.set_estimates([(0, 64)])


def traced():
    x = hl.Var("x")
    f = hl.Func("f")
    f[x] = x
    f.trace_stores()
    f.set_estimates([(0, 4)])
    return f


def dumped():
    x = hl.Var("x")
    f = hl.Func("f")
    f[x] = x
    f.debug_to_file(str(Path(tempfile.gettempdir()) / "dumped.tmp"))
    f.set_estimates([(0, 4)])
    return f


def printed():
    x = hl.Var("x")
    f = hl.Func("f")
    f[x] = hl.print_when(x > 7, x, "is large")
    f.set_estimates([(0, 4)])
    return f


hl.main()
