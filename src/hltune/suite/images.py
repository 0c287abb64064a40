"""What the algorithms share: the input image and its repeated edge, in Halide and in NumPy."""

import halide as hl
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hltune.pipeline.images import Array


def input_image(width: int, height: int) -> hl.ImageParam:
    """A uint8 image ``input[x, y]`` of this estimated size."""
    image = hl.ImageParam(hl.UInt(8), 2, "input")
    image.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    return image


def repeat_edge(image: hl.ImageParam, name: str = "edge") -> hl.Func:
    """A Func of the image for any x and y; channels, if it has any, are taken as they are.

    Only x is marked as likely to be inside. Then Halide splits the loops over x into border and interior, and the
    clamp of y remains: one scalar per row. With y marked as well, as ``BoundaryConditions.repeat_edge`` does, it splits
    the strips of rows first and runs the outer ones entirely in the slow border form.
    """
    x, y, *channel = hl.vars("x y c")[: image.dimensions()]
    columns, rows = image.dim(0), image.dim(1)
    edge = hl.Func(name)
    inside = hl.clamp(hl.likely(x), columns.min(), columns.max()), hl.clamp(y, rows.min(), rows.max())
    edge[x, y, *channel] = image[*inside, *channel]
    return edge


def estimated(output: hl.Func, *extents: int) -> hl.Func:
    """The output with its estimated size."""
    return output.set_estimates([hl.Range(0, extent) for extent in extents])


def windows(image: Array, size: int) -> Array:
    """The pixels around each pixel, the edge repeated: shape (height, width, size, size)."""
    return sliding_window_view(np.pad(image, size // 2, mode="edge"), (size, size))


def correlated(image: Array, mask: Array) -> Array:
    """The exact sum of the pixels around each pixel, times the mask, as int32."""
    return np.einsum("yxij,ij->yx", windows(image, len(mask)), mask.astype(np.int32))
