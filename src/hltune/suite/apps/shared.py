"""What the applications share: inputs with estimates, edges that repeat, linear interpolation."""

import halide as hl


def image(name: str, kind: hl.Type, *extents: int) -> hl.ImageParam:
    """An input image of this estimated size."""
    param = hl.ImageParam(kind, len(extents), name)
    param.set_estimates([hl.Range(0, extent) for extent in extents])
    return param


def scalar(name: str, estimate: float) -> hl.Param:
    """A float32 input of this estimated value."""
    param = hl.Param(hl.Float(32), name)
    param.set_estimate(estimate)
    return param


def repeat_edge(source: hl.ImageParam, name: str) -> hl.Func:
    """A Func of the image for any x and y; further dimensions are taken as they are.

    Only x is marked as likely to be inside, see `hltune.suite.images.repeat_edge`.
    """
    x, y, *more = hl.vars("x y c")[: source.dimensions()]
    columns, rows = source.dim(0), source.dim(1)
    edge = hl.Func(name)
    inside = hl.clamp(hl.likely(x), columns.min(), columns.max()), hl.clamp(y, rows.min(), rows.max())
    edge[x, y, *more] = source[*inside, *more]
    return edge


def mix(a: hl.Expr | hl.FuncRef, b: hl.Expr | hl.FuncRef, weight: hl.Expr) -> hl.Expr:
    """From ``a`` at weight 0 to ``b`` at weight 1, linearly."""
    return a + weight * (b - a)


def estimated(output: hl.Func, *extents: int) -> hl.Func:
    """The output with its estimated size; it starts at 0, and has all of its channels."""
    dimensions = [output.output_buffer().dim(axis) for axis in range(len(extents))]
    for dimension in dimensions[:2]:
        dimension.set_min(0)
    for dimension, channels in zip(dimensions[2:], extents[2:], strict=True):
        dimension.set_bounds(0, channels)
    return output.set_estimates([hl.Range(0, extent) for extent in extents])
