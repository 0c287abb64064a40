"""Random data of a second kind: neighbours are alike, and values have all magnitudes.

Noise hides whole stages: to a filter that looks for what is alike, nothing ever is, and beside sums of many large
values small ones do not show. Such a stage may compute anything, and the outputs are right. On smooth data it shows.
"""

import numpy as np

from hltune.machine.portable import integer_range
from hltune.pipeline.images import Array

_WAVES = 3
_CYCLES = (0.5, 4.0)
"""Of a wave along a dimension, at least and at most."""
_FEW_CYCLES = (0.2, 1.0)
"""Along a dimension of few elements."""
_FEW = 16
_FLOAT_BITS = 10
"""Floats are between this power of a half, and 1."""
_WITHIN = np.float32(0.999)
"""Of a range is used, so that nothing is rounded beyond it."""


def fill_smoothly(array: Array, rng: np.random.Generator) -> None:
    """Fills an array with smooth values, in the range of those of `hltune.machine.inputs.random_array`."""
    clouds = _clouds(array.shape, rng)
    if array.dtype.kind == "b":
        array[...] = clouds > 0.5
    elif array.dtype.kind == "f":
        array[...] = np.exp2(-_FLOAT_BITS * clouds)
    else:
        low, high = integer_range(array.dtype)
        sizes = _WITHIN * np.exp2(clouds * np.float32(np.log2(high)))
        # Without some noise, whole areas would be equal, and results of all their elements be rounded at once.
        sizes = np.maximum(sizes + rng.uniform(-1, 1, array.shape).astype(np.float32), 0)
        array[...] = sizes if low == 0 else np.where(_clouds(array.shape, rng) > 0.5, sizes, -sizes)


def _clouds(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A sum of waves, between 0 and 1."""
    found = np.zeros(shape, np.float32)
    for _ in range(_WAVES):
        phases = np.full((1,) * len(shape), rng.uniform(0, 2 * np.pi), np.float32)
        for axis, extent in enumerate(shape):
            cycles = rng.uniform(*(_CYCLES if extent > _FEW else _FEW_CYCLES))
            along = np.linspace(0, 2 * np.pi * cycles, extent, dtype=np.float32)
            phases = phases + along.reshape([-1 if each == axis else 1 for each in range(len(shape))])
        found += np.cos(phases)
    return 0.5 + found / (2 * _WAVES)
