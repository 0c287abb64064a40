"""Local Laplacian filter, in float64."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from scipy import ndimage

from hltune.pipeline.images import Array

_ALPHA = 1 / 7
_BETA = 1
_LEVELS = 8
_INTENSITIES = 8
_MARGIN = 384
"""A multiple of the 128 pixels that make one of the last level. All levels are constant at their edges then."""


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    image = arrays["input"]
    height, width = image.shape[1:]
    around = [(0, 0), *((_MARGIN, _MARGIN + -extent % 2 ** (_LEVELS - 1)) for extent in (height, width))]
    r, g, b = np.pad(image, around, "edge").astype(np.float64)
    gray = _pyramid((77 * r + 150 * g + 29 * b) / 2**24)
    result = _result(gray)[_MARGIN:, _MARGIN:][:height, :width]
    middle = gray[0][_MARGIN:, _MARGIN:][:height, :width]
    output = image * (result + 1 / 128) / (middle + 1 / 128)
    return (np.floor(output.clip(0, 65535) + 0.5).astype(np.uint16),)


def _result(gray: list[Array]) -> Array:
    """The blended details of all levels, put together."""
    blend = [np.zeros_like(level) for level in gray]
    for k in range(_INTENSITIES):
        curved = _pyramid(_curved(gray[0], k))
        details = [*(fine - _doubled(coarse) for fine, coarse in pairwise(curved)), curved[-1]]
        for level, detail, total in zip(gray, details, blend, strict=True):
            total += detail * np.maximum(0, 1 - abs((_INTENSITIES - 1) * level - k))  # level is in [0, 1)
    result = blend.pop()
    while blend:
        result = _doubled(result) + blend.pop()
    return result


def _curved(gray: Array, k: int) -> Array:
    middle = k / (_INTENSITIES - 1)
    steps = np.floor((256 * (_INTENSITIES - 1) * gray).astype(np.float32))
    t = steps.astype(np.float64) / 256 - k
    return _BETA * (gray - middle) + middle + _ALPHA * t * np.exp(-t * t / 2)


def _pyramid(level: Array) -> list[Array]:
    levels = [level]
    for _ in range(1, _LEVELS):
        levels.append(_halved(_halved(levels[-1], 0), 1))
    return levels


def _halved(level: Array, axis: int) -> Array:
    """From the pixels 2 x - 1 ... 2 x + 2."""
    smooth = ndimage.correlate1d(level, (1 / 8, 3 / 8, 3 / 8, 1 / 8), axis, mode="nearest", origin=-1)
    return smooth[::2] if axis == 0 else smooth[:, ::2]


def _doubled(level: Array) -> Array:
    for axis in range(2):
        level = ndimage.correlate1d(level.repeat(2, axis), (1 / 4, 1 / 2, 1 / 4), axis, mode="nearest")
    return level
