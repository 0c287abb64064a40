"""The same sharpening filter scheduled in the ways in which people schedule."""

import halide as hl

x, y = hl.vars("x y")


def algorithm(image, output):
    padded = hl.BoundaryConditions.repeat_edge(image)
    across = hl.Func("across")
    across[x, y] = hl.i16(padded[x - 1, y]) + hl.i16(padded[x + 1, y])
    output[x, y] = hl.u8_sat(3 * hl.i16(padded[x, y]) - across[x, y])
    return across


def by_hand(output, across):
    xi, yi = hl.vars("xi yi")
    output.tile(x, y, xi, yi, 32, 8, hl.TailStrategy.RoundUp).vectorize(xi, 16).parallel(y)
    across.compute_at(output, x).vectorize(x, 16)


class _Sharpen(hl.Generator):
    image = hl.InputBuffer(hl.UInt(8), 2)
    output = hl.OutputBuffer(hl.UInt(8), 2)

    def algorithm(self):
        across = algorithm(self.image, self.output)
        self.image.set_estimates([(0, 128), (0, 64)])
        self.output.set_estimates([(0, 128), (0, 64)])
        return across


@hl.generator("guarded")
class Guarded(_Sharpen):
    def generate(self):
        across = self.algorithm()
        if not self.using_autoscheduler():
            by_hand(self.output, across)


@hl.generator("unguarded")
class Unguarded(_Sharpen):
    def generate(self):
        by_hand(self.output, self.algorithm())


@hl.generator("unscheduled")
class Unscheduled(_Sharpen):
    def generate(self):
        self.algorithm()


@hl.generator("broken")
class Broken(_Sharpen):
    def generate(self):
        across = self.algorithm()
        if not self.using_autoscheduler():
            across.vectorize(hl.Var("nowhere"))


@hl.generator("interleaved")
class Interleaved(_Sharpen):
    def generate(self):
        across = self.algorithm()
        if not self.using_autoscheduler():
            by_hand(self.output, across)
            self.output.output_buffer().dim(0).set_stride(3)


@hl.generator("promising")
class Promising(_Sharpen):
    """Says more of its images where it schedules itself."""

    def generate(self):
        across = self.algorithm()
        if not self.using_autoscheduler():
            by_hand(self.output, across)
            self.image.dim(0).set_bounds(0, 128)
            self.output.output_buffer().dim(0).set_bounds(0, 128)


@hl.generator("channels")
class Channels(hl.Generator):
    """Interleaved whoever schedules it, and with loops for just that."""

    image = hl.InputBuffer(hl.UInt(8), 3)
    output = hl.OutputBuffer(hl.UInt(8), 3)

    def generate(self):
        c = hl.Var("c")
        self.output[x, y, c] = self.image[x, y, c] / 2 + self.image[x + 1, y, c] / 2
        for place, width in ((self.image, 129), (self.output.output_buffer(), 128)):
            place.dim(0).set_stride(3)
            place.dim(2).set_bounds(0, 3).set_stride(1)
            place.set_estimates([(0, width), (0, 64), (0, 3)])
        if not self.using_autoscheduler():
            self.output.reorder(c, x, y).bound(c, 0, 3).unroll(c).parallel(y)


@hl.generator("prefetched")
class Prefetched(_Sharpen):
    def generate(self):
        by_hand(self.output, self.algorithm())
        self.output.prefetch(self.image, y, y, 2)


@hl.generator("detailed")
class Detailed(_Sharpen):
    def generate(self):
        across = self.algorithm()
        if not self.using_autoscheduler():
            by_hand(self.output, across)
            self.output.partition(x, hl.Partition.Never).bound(x, 0, 128)
            across.hoist_storage(self.output, y)


@hl.generator("renamed")
class Renamed(_Sharpen):
    def generate(self):
        across = self.algorithm()
        across.compute_root().split(x, hl.Var("xo"), hl.Var("xi"), self.image.width() / 4)


def function():
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    output = hl.Func("output")
    by_hand(output, algorithm(image, output))
    image.set_estimates([(0, 128), (0, 64)])
    output.set_estimates([(0, 128), (0, 64)])
    return output


@hl.generator("fragment")
class Fragment(_Sharpen):
    """Says a part of its schedule to autoschedulers, too."""

    worse = hl.GeneratorParam(False)

    def generate(self):
        across = self.algorithm()
        across.compute_root()
        if not self.using_autoscheduler():
            if self.worse:
                across.vectorize(hl.Var("nowhere"))
            self.output.vectorize(x, 16).parallel(y)


@hl.generator("silent")
class Silent(_Sharpen):
    """Says to autoschedulers that it says nothing."""

    def generate(self):
        across = self.algorithm()
        self.output[x, 0] = hl.u8(0)
        self.output.update().unscheduled()
        if not self.using_autoscheduler():
            by_hand(self.output, across)
