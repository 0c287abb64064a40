"""Bilateral guided upsampling, in float64 but for the sums of the grid."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from hltune.pipeline.images import Array

_SCALE = 8
_CELL = 16
_LAYERS = 8
_WEIGHTS = (1 / 64, 1 / 27, 1 / 8, 1, 1 / 8, 1 / 27, 1 / 64)
_REACH = 3
"""How many cells the blur reaches."""


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    image = arrays["image"].astype(np.float64)
    cells = [(extent - 1) // (_SCALE * _CELL) + 2 + 2 * _REACH for extent in image.shape[1:]]
    moments = _splat(_extended(arrays["small_before"], cells), _extended(arrays["small_after"], cells), cells)
    for axis in range(3):
        moments = ndimage.correlate1d(moments, _WEIGHTS, axis, mode="constant")
    models = np.linalg.solve(moments[..., :4] + np.eye(4), moments[..., 4:] + np.eye(4, 3))

    y, x = np.indices(image.shape[1:])
    place = (_LAYERS * _gray(image), *(each / (_SCALE * _CELL) + _REACH for each in (y, x)))
    model = [[ndimage.map_coordinates(models[..., p, c], place, order=1) for p in range(4)] for c in range(3)]
    output = np.einsum("cpyx,pyx->cyx", model, np.stack([*image, np.ones_like(image[0])]))
    return (output.clip(0, 1).astype(np.float32),)


def _extended(small: Array, cells: list[int]) -> Array:
    """All pixels of all cells, which start at -`_REACH`."""
    before = _REACH * _CELL + _CELL // 2
    around = [(before, n * _CELL - before - extent) for n, extent in zip(cells, small.shape[1:], strict=True)]
    return np.pad(small, [(0, 0), *around], "edge")


def _splat(before: Array, after: Array, cells: list[int]) -> Array:
    """The moments M(p, q) in the elements (k, j, i), as an array [k, j, i, p, q]; layer 9 is only read with weight 0.

    They are added in float32, row after row: that rounding alone moves the output by some 1e-4.
    """
    k = np.floor(_LAYERS * _gray(before) + np.float32(0.5)).astype(int)
    j, i = np.indices(k.shape) // _CELL
    s = np.stack([*before, np.ones_like(before[0]), *after], axis=-1)
    moments = np.zeros((_LAYERS + 2, *cells, 4, 7), np.float32)
    np.add.at(moments, (k, j, i), s[..., :4, None] * s[..., None, :])
    return moments.astype(np.float64)


def _gray(colour: Array) -> Array:
    r, g, b = colour
    return (r / 4 + g / 2 + b / 4).clip(0, 1)
