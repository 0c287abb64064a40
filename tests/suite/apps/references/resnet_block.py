"""The bottleneck block as products of matrices: one for all pixels, or one for each pixel of the 3x3 filter."""

from collections.abc import Mapping
from itertools import product

import numpy as np

from hltune.pipeline.images import Array


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """In float64."""
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    image = wide["input"]
    reduced = _relu(image @ wide["reduce_weights"] + wide["reduce_bias"])
    middle = _relu(_convolved(reduced, wide["middle_weights"]) + wide["middle_bias"])
    output = _relu(image + middle @ wide["expand_weights"] + wide["expand_bias"])
    return (output.astype(np.float32),)


def _convolved(image: Array, weights: Array) -> Array:
    """With zeros around the image."""
    height, width, _ = image.shape
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    taps = product(range(3), repeat=2)
    return np.sum([padded[dy : dy + height, dx : dx + width] @ weights[dy, dx] for dy, dx in taps], axis=0)


def _relu(values: Array) -> Array:
    return np.maximum(values, 0)
