"""Images that are not laid out as Halide does by default, and sizes and ranges that the code fixes."""

import halide as hl


def pixels():
    """Interleaved in and out, with an aligned start."""
    x, y, c = hl.vars("x y c")
    image = hl.ImageParam(hl.UInt(8), 3, "image")
    image.set_host_alignment(64)
    image.dim(0).set_stride(3)
    image.dim(2).set_bounds(0, 3).set_stride(1)
    f = hl.Func("f")
    f[x, y, c] = 255 - image[x, y, c]
    f.output_buffer().dim(0).set_stride(3)
    f.output_buffer().dim(2).set_bounds(0, 3).set_stride(1)
    image.set_estimates([(0, 32), (0, 24), (0, 4)])
    f.set_estimates([(0, 32), (0, 24), (0, 4)])
    return f


def named(pair: bool = False, pitch: int = 1):
    """Interleaved, and what the schedule says names the image of the output, which Halide takes for an input then.

    Args:
        pair: of a Tuple.
        pitch: rows begin at multiples of so many bytes.
    """
    x, y, c = hl.vars("x y c")
    image = hl.ImageParam(hl.UInt(8), 3, "image")
    f = hl.Func("f")
    f[x, y, c] = hl.Tuple([255 - image[x, y, c], image[x, y, c]]) if pair else 255 - image[x, y, c]
    for number, each in enumerate([image, *f.output_buffers()]):
        each.dim(0).set_stride(3)
        each.dim(2).set_stride(1)
        if number < 2:  # the second one of a Tuple has the bounds of the first
            each.dim(2).set_bounds(0, 3)
    for each in f.output_buffers() if pitch > 1 else []:
        each.dim(1).set_stride(each.dim(1).stride() / pitch * pitch)
    f.specialize(f.output_buffers()[0].width() >= 16).vectorize(x, 16)
    image.set_estimates([(0, 32), (0, 24), (0, 3)])
    f.set_estimates([(0, 32), (0, 24), (0, 3)])
    return f


def aligned():
    """The second of two outputs begins at multiples of more bytes than a page has."""
    x = hl.Var("x")
    row = hl.ImageParam(hl.UInt(8), 1, "row")
    f, g = hl.Func("f"), hl.Func("g")
    f[x] = row[x] ^ 1
    g[x] = row[x] + 1
    g.output_buffer().set_host_alignment(16384)
    for each in (row, f, g):
        each.set_estimates([(0, 1000)])
    return hl.Pipeline([f, g])


def anything():
    """Any stride; every bound is the file's own, and there are no estimates."""
    x = hl.Var("x")
    row = hl.ImageParam(hl.Int(16), 1, "row")
    row.dim(0).set_bounds(-3, 20).set_stride(hl.Expr())
    f = hl.Func("f")
    f[x] = row[x] + 1
    f.output_buffer().dim(0).set_bounds(-3, 20)
    return f


def rows():
    """Rows start at multiples of 32, and are as wide as a scalar says."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    width = hl.Param(hl.Int(32), "width", 48)
    image.dim(0).set_bounds(0, width)
    image.dim(1).set_stride(image.dim(1).stride() / 32 * 32)
    f = hl.Func("f")
    f[x, y] = image[x, y] ^ 1
    image.set_estimates([(0, 48), (0, 8)])
    f.set_estimates([(0, 48), (0, 8)])
    return f


def multiples():
    """Rows of the input start at multiples of 32, those of both outputs at multiples of 48 and 64."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    image.dim(1).set_stride(image.dim(1).stride() / 32 * 32)
    f = hl.Func("f")
    f[x, y] = hl.Tuple([image[x, y] ^ 1, hl.u16(image[x, y])])
    for buffer, multiple in zip(f.output_buffers(), (48, 64), strict=True):
        stride = buffer.dim(1).stride()
        buffer.dim(1).set_stride(stride - stride % multiple)
    image.set_estimates([(0, 50), (0, 8)])
    f.set_estimates([(0, 50), (0, 8)])
    return f


def ranges():
    """Scalars with ranges."""
    x = hl.Var("x")
    radius = hl.Param(hl.Int(32), "radius", 2)
    radius.set_range(1, 8)
    gain = hl.Param(hl.Float(32), "gain", 0.5)
    gain.set_range(0.25, 4.0)
    row = hl.ImageParam(hl.UInt(8), 1, "row")
    f = hl.Func("f")
    f[x] = row[hl.clamp(x + radius, 0, row.width() - 1)] * gain
    row.set_estimates([(0, 64)])
    f.set_estimates([(0, 64)])
    return f


def partly(align: bool = False, whole: bool = False):
    """Bounds that say a part of the region: only an extent, a modulus, or nothing that is constant."""
    x, y, c = hl.vars("x y c")
    image = hl.ImageParam(hl.UInt(8), 3, "image")
    f = hl.Func("f")
    f[x, y, c] = hl.BoundaryConditions.repeat_edge(image)[x, y, c] ^ 1
    image.set_estimates([(-4, 50), (0, 20), (0, 3)])
    f.set_estimates([(-4, 50), (0, 20), (0, 3)])
    f.bound_extent(y, 24)
    f.bound(c, 0, image.dim(2).extent())
    if align:
        f.align_bounds(x, 16, 3)
    if whole:
        f.align_extent(x, 16)
    return f
