"""Pipelines that bring tables of their own, in every layout that NumPy knows, and what user code does to them."""

import halide as hl
import numpy as np
from numpy.lib.stride_tricks import as_strided

CUBE = np.random.default_rng(7).integers(0, 30000, (3, 4, 5)).astype(np.int32)
LAYOUTS = {
    "c": CUBE,
    "fortran": CUBE.T,
    "rotated": CUBE.transpose(1, 2, 0),
    "swapped": CUBE.transpose(0, 2, 1),
    "cropped": CUBE[1:, 1:3, 2:5],
    "every_other": CUBE[:, :, ::2],
    "repeated": as_strided(CUBE[0], (6, 4, 5), (0, *CUBE[0].strides)),
    "sliding": as_strided(CUBE.ravel(), (4, 5, 6), (8, 4, 8)),
    "thin": CUBE[:, :1, :].transpose(2, 1, 0),
    "double": CUBE.astype(np.float64).T,
    "origin": CUBE.T,
}
ORIGIN = (-2, 3, 1)


def table(layout: str = "c"):
    """Every table as it is; nothing but the Func refers to it when this function is left."""
    x, y, z = hl.vars("x y z")
    buffer = _buffer(layout)
    f = hl.Func("f")
    f[x, y, z] = buffer[x, y, z] * 2
    f.set_estimates(_region(layout))
    return f


def tables():
    """All of them, in their order, each a Func of its own."""
    x, y, z = hl.vars("x y z")
    funcs = []
    for layout in LAYOUTS:
        f = hl.Func(f"{layout}_table")
        f[x, y, z] = _buffer(layout)[x, y, z] * 2
        f.set_estimates(_region(layout))
        funcs.append(f)
    return hl.Pipeline(funcs)


def _buffer(layout: str):
    buffer = hl.Buffer(LAYOUTS[layout].copy(order="K") if layout == "c" else LAYOUTS[layout])
    buffer.set_min([minimum for minimum, _ in _region(layout)])
    return buffer


def _region(layout: str):
    minima = ORIGIN if layout == "origin" else (0, 0, 0)
    return list(zip(minima, reversed(LAYOUTS[layout].shape), strict=True))


def mirrored():
    x = hl.Var("x")
    buffer = hl.Buffer(CUBE[0, 0, ::-1])
    f = hl.Func("f")
    f[x] = buffer[x]
    f.set_estimates([(0, 5)])
    return f


def gamma():
    """Made in the function, and gone with it but for the Func; then its memory is used for something else."""
    x = hl.Var("x")
    image = hl.ImageParam(hl.UInt(8), 1, "image")
    curve = hl.Buffer((np.arange(2000) * 7 % 1999).astype(np.uint16))
    f = hl.Func("f")
    f[x] = curve[hl.i32(image[x]) + 500]
    image.set_estimates([(0, 256)])
    f.set_estimates([(0, 256)])
    del curve
    hl.Buffer(np.zeros(2000, np.uint16))
    return f


@hl.generator(name="gammas")
class Gammas:
    image = hl.InputBuffer(hl.UInt(8), 1)
    out = hl.OutputBuffer(hl.UInt(16), 1)

    def generate(self):
        x = hl.Var("x")
        curve = hl.Buffer((np.arange(2000) * 7 % 1999).astype(np.uint16))
        self.out[x] = curve[hl.i32(self.image[x]) + 500]
        self.image.set_estimates([(0, 256)])
        self.out.set_estimates([(0, 256)])


def diagonal():
    """Writes outside of a part of its output that is asked for."""
    x, y = hl.vars("x y")
    image, r = hl.ImageParam(hl.UInt(8), 2, "image"), hl.RDom([hl.Range(0, 64)], "r")
    f = hl.Func("f")
    f[x, y] = hl.u16(image[x, y])
    f[r.x, r.x] += hl.u16(1)
    image.set_estimates([(0, 64), (0, 64)])
    f.set_estimates([(0, 64), (0, 64)])
    return f


def dense(padding=1):
    """Rows have nothing between them but what fills them up, in its image and its output."""
    x, y, image, f = hl.Var("x"), hl.Var("y"), hl.ImageParam(hl.UInt(8), 2, "image"), hl.Func("f")
    f[x, y] = hl.u16(image[x, y]) * 3
    image.set_estimates([(0, 64), (0, 64)])
    f.set_estimates([(0, 64), (0, 64)])
    for each in (image, f.output_buffer()):
        each.dim(1).set_stride((each.dim(0).extent() + padding - 1) // padding * padding)
    return f


def pitched():
    """A scalar says how far apart the rows of its output are."""
    x, y, image, f = hl.Var("x"), hl.Var("y"), hl.ImageParam(hl.UInt(8), 2, "image"), hl.Func("f")
    pitch = hl.Param(hl.Int(32), "pitch", 64)
    f[x, y] = hl.u16(image[x, y]) * 3
    image.set_estimates([(0, 64), (0, 64)])
    f.set_estimates([(0, 64), (0, 64)])
    f.output_buffer().dim(1).set_stride(pitch)
    return f
