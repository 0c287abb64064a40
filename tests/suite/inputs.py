"""What the filters are tried on: the whole range of values, and the extremes."""

from collections.abc import Iterator

import numpy as np

from hltune.pipeline.images import Array as Image


def images(shape: tuple[int, int]) -> Iterator[Image]:
    rng = np.random.default_rng(0)
    yield rng.integers(0, 256, shape, dtype=np.uint8)
    yield rng.choice(np.array([0, 255], np.uint8), shape)
    yield np.full(shape, 255, np.uint8)


MASKS = (
    np.random.default_rng(0).integers(-128, 128, (3, 3), dtype=np.int8),
    np.array([[1, 2, 3], [4, -5, 6], [0, 8, -9]], np.int8),
    np.full((3, 3), -128, np.int8),
    np.full((3, 3), 127, np.int8),
)
