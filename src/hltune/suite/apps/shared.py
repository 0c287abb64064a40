"""What the applications share: inputs and outputs with estimates, brightness, linear interpolation."""

import halide as hl

from hltune.suite.images import estimated

_LUMA = 0.299, 0.587, 0.114


def image(name: str, kind: hl.Type, *extents: int) -> hl.ImageParam:
    """An input image, or another array, of this estimated size."""
    param = hl.ImageParam(kind, len(extents), name)
    param.set_estimates([hl.Range(0, extent) for extent in extents])
    return param


def scalar(name: str, kind: hl.Type, estimate: float) -> hl.Param:
    """An input number of this estimated value."""
    param = hl.Param(kind, name)
    param.set_estimate(estimate)
    return param


def coloured(output: hl.Func, width: int, height: int) -> hl.Func:
    """The output with its estimated size; Halide is told that it always has three channels."""
    output.output_buffer().dim(2).set_bounds(0, 3)
    return estimated(output, width, height, 3)


def from_origin(output: hl.Func) -> hl.Func:
    """The output; Halide is told that it always starts at (0, 0), so that no coordinate is negative."""
    for axis in (0, 1):
        output.output_buffer().dim(axis).set_min(0)
    return output


def luma(colours: hl.Func) -> hl.Expr:
    """The brightness of the pixel (x, y), from its red, green and blue."""
    x, y = hl.vars("x y")
    red, green, blue = (hl.f32(weight) * colours[x, y, channel] for channel, weight in enumerate(_LUMA))
    return red + green + blue


def mix(a: hl.Expr, b: hl.Expr, weight: hl.Expr) -> hl.Expr:
    """From ``a`` at weight 0 to ``b`` at weight 1, linearly."""
    return a + weight * (b - a)
