"""Fills the holes of an image from its surroundings, in float64."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from hltune.pipeline.images import Array

_LEVELS = 10


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    *colour, opacity = arrays["input"].astype(np.float64)
    down = [np.stack([*(each * opacity for each in colour), opacity])]
    for _ in range(1, _LEVELS):
        down.append(_halved(_halved(down[-1], 1), 2))
    filled = down[-1]
    for level in reversed(down[:-1]):
        filled = level + (1 - level[3]) * _doubled(_doubled(filled, 1, level.shape[1]), 2, level.shape[2])
    return ((filled[:3] / np.maximum(filled[3], 2.0**-64)).astype(np.float32),)


def _halved(level: Array, axis: int) -> Array:
    """Every second pixel; the last one may be just outside of the level."""
    around = [(0, int(each == axis)) for each in range(3)]
    smooth = ndimage.correlate1d(np.pad(level, around, "edge"), (1 / 4, 1 / 2, 1 / 4), axis, mode="nearest")
    return smooth.take(range(0, smooth.shape[axis], 2), axis)


def _doubled(level: Array, axis: int, extent: int) -> Array:
    x = np.arange(extent)
    return (level.take(x // 2, axis) + level.take((x + 1) // 2, axis)) / 2
