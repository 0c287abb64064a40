"""Harris corner strength, in float64."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from hltune.pipeline.images import Array

_MARGIN = 2
"""One pixel for the sums, and one for the gradients in them."""


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    around = [(0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)]
    r, g, b = np.pad(arrays["input"].astype(np.float64), around, "edge")
    gray = 0.299 * r + 0.587 * g + 0.114 * b
    gy, gx = (ndimage.sobel(gray, axis) / 12 for axis in (0, 1))
    sxx, syy, sxy = (9 * ndimage.uniform_filter(product, 3) for product in (gx * gx, gy * gy, gx * gy))
    strength = sxx * syy - sxy * sxy - 0.04 * (sxx + syy) ** 2
    return (strength[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].astype(np.float32),)
