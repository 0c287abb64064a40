"""Edge-preserving smoothing with a bilateral grid, in float64."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from hltune.pipeline.images import Array

_SCALE = np.float32(1) / np.float32(0.1)
_CELL = 8
_WEIGHTS = (1, 4, 6, 4, 1)
_REACH = 2
"""How many cells the blur reaches."""


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    value = arrays["input"].clip(0, 1)
    y, x = np.indices(value.shape)
    place = (value.astype(np.float64) * _SCALE, y / _CELL + _REACH, x / _CELL + _REACH)
    total, count = (ndimage.map_coordinates(_blurred(channel), place, order=1) for channel in _splat(value))
    return ((total / count).astype(np.float32),)


def _splat(value: Array) -> tuple[Array, Array]:
    """Sums and counts in the elements (k, j, i), where i and j start at -`_REACH`."""
    cells = [(extent - 1) // _CELL + 2 + 2 * _REACH for extent in value.shape]
    before = _REACH * _CELL + _CELL // 2
    wide = np.pad(
        value, [(before, n * _CELL - before - extent) for n, extent in zip(cells, value.shape, strict=True)], "edge"
    )
    k = np.floor(wide * _SCALE + np.float32(0.5)).astype(int)
    j, i = np.indices(wide.shape) // _CELL
    shape = (int(_SCALE + 0.5) + 2, *cells)
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (k, j, i), wide)
    np.add.at(count, (k, j, i), 1)
    return total, count


def _blurred(grid: Array) -> Array:
    for axis in range(3):
        grid = ndimage.correlate1d(grid, _WEIGHTS, axis, mode="constant")
    return grid
