"""The recursive blur, by SciPy's linear filter."""

from collections.abc import Mapping

import numpy as np
from scipy import signal

from hltune.pipeline.images import Array

_ALPHA = 0.1


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """Along y, then along x."""
    image = arrays["input"].astype(np.float64)
    for axis in (1, 2):
        for _ in ("forwards", "backwards"):
            image = np.flip(_smoothed(image, axis), axis)
    return (image.astype(np.float32),)


def _smoothed(image: Array, axis: int) -> Array:
    """Each value moves from the result before it to its own by the share alpha; the first one stays."""
    first = np.take(image, [0], axis)
    smoothed, _ = signal.lfilter([_ALPHA], [1, _ALPHA - 1], image, axis, zi=(1 - _ALPHA) * first)
    return smoothed
