"""Random data of a second kind: neighbours are alike, and values have all magnitudes.

Noise hides whole stages: to a filter that looks for what is alike, nothing ever is, and beside sums of many large
values small ones do not show. Such a stage may compute anything, and the outputs are right. On smooth data it shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hltune.machine.distances import parts
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
_HALF = 0.5
"""Where truths and signs change."""


@dataclass(frozen=True, slots=True)
class _Wave:
    """One of those whose sum is smooth.

    Attributes:
        phase: at the first element.
        along: what is added to it along each axis, an array of which all other axes have one element.
    """

    phase: float
    along: tuple[Array, ...]

    def of(self, part: tuple[Any, ...]) -> Array:
        """A part of it, by the slices of its first axes."""
        phases = np.full((1,) * len(self.along), self.phase, np.float32)
        for axis, along in enumerate(self.along):
            phases = phases + along[(slice(None),) * axis + part[axis : axis + 1]]
        return np.cos(phases)


def fill_smoothly(array: Array, rng: np.random.Generator, *, signed: bool = False) -> None:
    """Fills an array with smooth values, in the range of those of `hltune.machine.inputs.random_array`.

    With ``signed``, floats lie between -1 and 1. One part after the other is filled, for what is computed meanwhile is
    several times as large as what it becomes.
    """
    waves = _waves(array.shape, rng)
    for _, part in parts(array.shape):
        array[part] = _values(_clouds(waves, part), array.dtype, rng)
    if array.dtype.kind == "i" or (signed and array.dtype.kind == "f"):
        waves = _waves(array.shape, rng)
        for _, part in parts(array.shape):
            np.negative(array[part], out=array[part], where=_clouds(waves, part) <= _HALF)


def _values(clouds: Array, dtype: np.dtype[Any], rng: np.random.Generator) -> Array:
    """Of a type, without their signs, for what lies between 0 and 1."""
    if dtype.kind == "b":
        return clouds > _HALF
    if dtype.kind == "f":
        return np.exp2(-_FLOAT_BITS * clouds)
    _, high = integer_range(dtype)
    sizes = _WITHIN * np.exp2(clouds * np.float32(np.log2(high)))
    # Without some noise, whole areas would be equal, and results of all their elements be rounded at once.
    return np.maximum(sizes + rng.uniform(-1, 1, clouds.shape).astype(np.float32), 0)


def _waves(shape: tuple[int, ...], rng: np.random.Generator) -> list[_Wave]:
    return [_wave(shape, rng) for _ in range(_WAVES)]


def _wave(shape: tuple[int, ...], rng: np.random.Generator) -> _Wave:
    phase, along = rng.uniform(0, 2 * np.pi), list[Array]()
    for axis, extent in enumerate(shape):
        cycles = rng.uniform(*(_CYCLES if extent > _FEW else _FEW_CYCLES))
        steps = np.linspace(0, 2 * np.pi * cycles, extent, dtype=np.float32)
        along.append(steps.reshape([-1 if each == axis else 1 for each in range(len(shape))]))
    return _Wave(phase, tuple(along))


def _clouds(waves: Sequence[_Wave], part: tuple[Any, ...]) -> Array:
    """A part of the sum of waves, between 0 and 1."""
    first, *others = (wave.of(part) for wave in waves)
    return _HALF + sum(others, first) / (2 * _WAVES)
