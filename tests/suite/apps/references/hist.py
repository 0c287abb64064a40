"""Histogram equalisation; nothing rounds in float64 but what is rounded down."""

from collections.abc import Mapping

import numpy as np

from hltune.pipeline.images import Array


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    r, g, b = arrays["input"].astype(np.int64)
    luma = (77 * r + 150 * g + 29 * b) // 256
    red, blue = (r - luma) * 183 / 256, (b - luma) * 9 / 16  # cr - 128 and cb - 128
    cumulative = np.bincount(luma.ravel(), minlength=256).cumsum()
    bright = (255 * cumulative // luma.size)[luma]
    output = [bright + red * 179 / 128, bright - blue * 11 / 32 - red * 91 / 128, bright + blue * 113 / 64]
    return (np.floor(np.clip(output, 0, 255)).astype(np.uint8),)
