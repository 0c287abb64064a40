"""Unsharp mask, in float64."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from hltune.pipeline.images import Array

_SIGMA = 1.5
_RADIUS = 3


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    image = arrays["input"].astype(np.float64)
    r, g, b = image
    gray = 0.299 * r + 0.587 * g + 0.114 * b
    blurred = ndimage.gaussian_filter(gray, _SIGMA, mode="nearest", radius=_RADIUS)
    ratio = (2 * gray - blurred) / np.maximum(gray, 2.0**-16)
    return ((ratio * image).astype(np.float32),)
