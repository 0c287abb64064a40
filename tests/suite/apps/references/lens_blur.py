"""Lens blur in exact integers: int64, but for the random numbers, which are uint32 and wrap around.

Stacks of images have the axes z, y, x.
"""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from hltune.pipeline.images import Array

_DEPTHS = 32
_LEVELS = 8
_FOCUS = 13
_REACH = 9
_SAMPLES = 32


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """Depth from both images, then the blur of the left one."""
    left, right = (arrays[name].astype(np.int64) for name in ("left", "right"))
    cost = _costs(left, right)
    confidence = _confidence(cost)
    return (_blurred(left, _least_fraction(_spread(cost * confidence), _spread(confidence))),)


def _costs(left: Array, right: Array) -> Array:
    x = np.arange(left.shape[2])

    def mismatch(shift: int) -> Array:
        return abs(left - right[:, :, np.minimum(x + shift, len(x) - 1)])

    return np.stack([np.minimum(mismatch(2 * z), mismatch(2 * z + 1)).sum(axis=0) for z in range(_DEPTHS)])


def _confidence(cost: Array) -> Array:
    variance = (_DEPTHS * (cost**2).sum(axis=0) - cost.sum(axis=0) ** 2) >> 10
    z, _, x = np.ogrid[tuple(map(slice, cost.shape))]
    return 1 + np.where(x + 2 * z + 1 < cost.shape[2], variance, 0)


def _spread(images: Array) -> Array:
    """Down the pyramid to its last level and back."""
    pushed = [images]
    for _ in range(1, _LEVELS):
        pushed.append(_halved(_halved(pushed[-1], axis=2), axis=1))
    pulled = pushed.pop()
    while pushed:
        level = pushed.pop()
        _, height, width = level.shape
        pulled = (_doubled(_doubled(pulled, width, axis=2), height, axis=1) + level + 1) >> 1
    return pulled


def _halved(images: Array, axis: int) -> Array:
    extent = images.shape[axis]
    even = 2 * np.arange((extent + 1) // 2)
    before, first, second, after = (_taken(images, even + k, axis) for k in range(-1, 3))
    return (before + 3 * first + 3 * second + after + 4) >> 3


def _doubled(images: Array, extent: int, axis: int) -> Array:
    fine = np.arange(extent)
    near = fine // 2
    far = near + np.where(fine % 2 == 0, -1, 1)
    return (3 * _taken(images, near, axis) + _taken(images, far, axis) + 2) >> 2


def _taken(images: Array, indices: Array, axis: int) -> Array:
    """The images at these coordinates, or the nearest inside."""
    return np.take(images, indices, axis, mode="clip")


def _least_fraction(above: Array, below: Array) -> Array:
    """The first z of the least of the fractions."""
    depth = np.zeros(above.shape[1:], np.int64)
    least_above, least_below = above[0], below[0]
    for z in range(1, len(above)):
        less = above[z] * least_below < least_above * below[z]
        depth = np.where(less, z, depth)
        least_above, least_below = np.where(less, above[z], least_above), np.where(less, below[z], least_below)
    return depth


def _blurred(left: Array, depth: Array) -> Array:
    height, width = depth.shape
    size = abs(depth - _FOCUS)
    radius = ndimage.maximum_filter(size, 2 * _REACH + 1, mode="nearest") // 2
    y, x = np.indices(depth.shape)
    total, number = left.copy(), np.ones_like(depth)
    for sample in range(_SAMPLES):
        h = _drawn(x, y, sample)
        u, v = (np.right_shift(half * (2 * radius + 1), 16) - radius for half in (h & 0xFFFF, h >> 16))
        there = np.clip(y + v, 0, height - 1), np.clip(x + u, 0, width - 1)
        distance = 4 * (u**2 + v**2)
        counts = (distance < size[there] ** 2) & ((distance < size**2) | (depth[there] < depth))
        total += counts * left[:, *there]
        number += counts
    return total.astype(np.float32) / (255 * number).astype(np.float32)


def _drawn(x: Array, y: Array, sample: int) -> Array:
    """A random number below 2**32 for each pixel."""
    factors = np.array([0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35], np.uint32)
    a, b, c = (np.asarray(each, np.uint32) * factor for each, factor in zip((x, y, [sample]), factors, strict=True))
    h = a ^ b ^ c
    h = (h ^ (h >> 15)) * np.uint32(0x2C1B3C6D)
    h = (h ^ (h >> 12)) * np.uint32(0x297A2D39)
    return (h ^ (h >> 15)).astype(np.int64)
