"""The convolution layer as nine products of matrices, one for each pixel of the filter."""

from collections.abc import Mapping
from itertools import product

import numpy as np

from hltune.pipeline.images import Array


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """In float64."""
    image, weights, bias = (arrays[name].astype(np.float64) for name in ("input", "filter", "bias"))
    _, height, width, _ = image.shape
    total = bias + sum(
        image[:, dy : dy + height - 2, dx : dx + width - 2] @ weights[:, dy, dx]
        for dy, dx in product(range(3), repeat=2)
    )
    return (np.maximum(total, 0).astype(np.float32),)
