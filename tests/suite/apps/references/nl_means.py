"""Non-local means, one shift after the other over the whole image."""

from collections.abc import Mapping
from itertools import product

import numpy as np
from scipy import ndimage

from hltune.pipeline.images import Array

_SIGMA = 0.12
_REACH = 3
"""Of a shift, and of a patch: 7 x 7 both."""


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """The mean of the 49 shifted images, weighted by the mean difference of the patches."""
    image = arrays["input"].astype(np.float64)
    _, height, width = image.shape
    border = 2 * _REACH
    edge = np.pad(image, ((0, 0), (border, border), (border, border)), mode="edge")

    def shifted(dx: int, dy: int, margin: int) -> Array:
        """I(x + dx, y + dy), for x and y up to a margin outside of the image."""
        top, left = border + dy - margin, border + dx - margin
        return edge[:, top : top + height + 2 * margin, left : left + width + 2 * margin]

    total, weights = np.zeros_like(image), np.zeros((height, width))
    for dy, dx in product(range(-_REACH, _REACH + 1), repeat=2):
        difference = ((shifted(0, 0, _REACH) - shifted(dx, dy, _REACH)) ** 2).sum(axis=0)
        patch_mean = ndimage.uniform_filter(difference, 2 * _REACH + 1)[_REACH:-_REACH, _REACH:-_REACH]
        weight = np.exp(-patch_mean / _SIGMA**2)
        total += weight * shifted(dx, dy, 0)
        weights += weight
    return (np.clip(total / weights, 0, 1).astype(np.float32),)
