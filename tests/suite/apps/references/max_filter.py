"""The maximum over a disc, by SciPy."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from hltune.pipeline.images import Array

_RADIUS = 26
_RADIUS_SQUARED = 689


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """Each channel on its own."""
    j, i = np.ogrid[-_RADIUS : _RADIUS + 1, -_RADIUS : _RADIUS + 1]
    disc = i**2 + j**2 <= _RADIUS_SQUARED
    return (ndimage.maximum_filter(arrays["input"], footprint=disc[np.newaxis], mode="nearest"),)
