"""Random inputs that a C program makes as well as NumPy does, for candidates that run where no Python is.

The numbers are those of splitmix64: an input has a state to start from, and its element number k, the innermost
dimension first, is made of the top bits of `random_numbers(state + k * GOLDEN)`: integers count from the least of their
range, floats lie in [0, 1). The C side is `bundle/runner/data.c`.

Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

import hashlib
from typing import Any, NamedTuple

import numpy as np

from hltune.machine.distances import parts
from hltune.pipeline.images import Array

Numbers = np.ndarray[Any, np.dtype[np.uint64]]

GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1
_FLOAT_BITS = {2: 11, 4: 24, 8: 53}
"""Bits of a random float by its size in bytes: as many as it keeps, so that nothing is rounded up to 1."""
_SIGNED_LIMITS = {4: 2**9, 8: 2**25}
"""How far random integers of so many bytes reach, below and above 0.

Halide takes it for granted that signed integers of 32 and 64 bits do not overflow, and two right schedules may differ
where they do. With these limits a sum of 640 squares of differences fits, or the integral image of a camera.
"""


class Drawn(NamedTuple):
    """How a random number becomes an element: so many of its top bits, counted from the least integer."""

    bits: int
    low: int


def integer_range(kind: np.dtype[Any]) -> tuple[int, int]:
    """The least and the largest random integer of a type."""
    if kind.kind == "i" and (limit := _SIGNED_LIMITS.get(kind.itemsize)):
        return -limit, limit - 1
    info = np.iinfo(kind)
    return int(info.min), int(info.max)


def drawn(dtype: str) -> Drawn:
    """How elements of a type are drawn, by NumPy's name of it."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return Drawn(1, 0)
    if kind.kind == "f":
        return Drawn(_FLOAT_BITS[kind.itemsize], 0)
    low, high = integer_range(kind)
    return Drawn((high - low).bit_length(), low)


def initial_state(name: str, seed: int) -> int:
    """Where the stream of an input starts."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "little")


def random_numbers(states: Numbers) -> Numbers:
    """The numbers that follow these states, element by element."""
    z = states + np.uint64(GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def stream(state: int, count: int) -> Numbers:
    """So many numbers of the stream that starts with a state."""
    return random_numbers(np.arange(count, dtype=np.uint64) * np.uint64(GOLDEN) + np.uint64(state & _MASK))


def fill_portably(array: Array, *, name: str, seed: int) -> None:
    """Fills an input of this name with random data; one part after the other, for the numbers are larger than it is."""
    bits, low = drawn(array.dtype.name)
    state = initial_state(name, seed)
    for _, part in parts(array.shape):
        shape, size = array[part].shape, array[part].size
        used = (stream(state, size) >> np.uint64(64 - bits)).reshape(shape)
        state += size * GOLDEN
        if array.dtype.kind == "f":
            array[part] = np.ldexp(used.astype(np.float64), -bits)
        else:
            array[part] = (used + np.uint64(low & _MASK)).astype(array.dtype)
