"""The NumPy references against SciPy, so that they are not only our own words."""

from collections.abc import Callable
from importlib import import_module

import numpy as np
import pytest
from scipy import ndimage

from hltune.pipeline.images import Array as Image
from tests.suite.inputs import MASKS, images

SHAPES = [(1, 1), (2, 5), (7, 3), (64, 64), (53, 111)]


def _sobel(image: Image) -> Image:
    wide = image.astype(np.int32)
    strength = sum(abs(ndimage.sobel(wide, axis, mode="nearest")) for axis in (0, 1))
    return np.minimum(strength, 255)


def _gaussian(image: Image) -> Image:
    weights = np.array([1, 4, 6, 4, 1])
    return ndimage.correlate(image.astype(np.int32), np.outer(weights, weights), mode="nearest") >> 8


SCIPY: dict[str, Callable[[Image], Image]] = {
    "dilate3x3": lambda image: ndimage.maximum_filter(image, 3, mode="nearest"),
    "gaussian5x5": _gaussian,
    "median3x3": lambda image: ndimage.median_filter(image, 3, mode="nearest"),
    "sobel": _sobel,
}


@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_filters(name: str, shape: tuple[int, int]):
    for image in images(shape):
        (found,) = import_module(f"hltune.suite.{name}").reference({"input": image})
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, SCIPY[name](image))


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_convolutions(bits: int, shape: tuple[int, int]):
    for image in images(shape):
        for mask in MASKS:
            (found,) = import_module(f"hltune.suite.conv3x3a{bits}").reference({"input": image, "mask": mask})
            total = ndimage.correlate(image.astype(np.int64), mask.astype(np.int64), mode="nearest")
            kept = (total + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
            assert found.dtype == np.uint8
            np.testing.assert_array_equal(found, np.clip(kept >> 4, 0, 255))


def test_sixteen_bits_wrap_around():
    white = np.full((5, 5), 255, np.uint8)
    mask = np.full((3, 3), 28, np.int8)  # 9 * 28 * 255 is a little below 2**16
    narrow, wide = (
        import_module(f"hltune.suite.conv3x3a{bits}").reference({"input": white, "mask": mask})[0] for bits in (16, 32)
    )
    assert (narrow == 0).all()
    assert (wide == 255).all()
