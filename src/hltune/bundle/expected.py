"""What the outputs have to be, in a form that a small C program checks.

Where integers alone take part, an output has to be equal: its hash tells. Where floats do, many of its elements are
compared one by one, and as many of them may differ, by so much, as `hltune.machine.tolerance` allows in the whole.
The C side is `runner/data.c`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hltune.machine.inputs import Inputs
from hltune.machine.portable import Numbers, random_numbers, stream
from hltune.machine.tolerance import Tolerance
from hltune.machine.verify import output_path, read_tolerances
from hltune.pipeline.images import Array
from hltune.pipeline.layout import blank

MOST_SAMPLES = 1 << 16
_SIGMAS, _FEW = 4.0, 4.0
"""How many more than their share may differ among the samples: chance, and a few more."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One output.

    Attributes:
        exact: it has to have this hash.
        blank: how many floats look as if nobody had written them.
        positions: of the samples, by the order of elements in memory, little-endian words of 64 bits.
        values: of the samples, as they lie in memory.
        samples: how many there are.
        near_zero: see `Tolerance.near_zero`.
        levels: see `Tolerance.levels`.
        allowed: per level, how many samples may differ by more: in all, and in any slice of each axis.
    """

    exact: bool
    hash: int
    blank: int
    positions: bytes
    values: bytes
    samples: int
    near_zero: float
    levels: tuple[float, ...]
    allowed: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What candidates run on, and what is expected of that.

    Attributes:
        run: the stage in which candidates fail.
        verify: the stage in which their outputs are wrong.
        expected: one per output of the C function.
    """

    run: str
    verify: str
    inputs: Inputs
    expected: tuple[Expected, ...]


def expected_outputs(directory: Path, *, seed: int) -> tuple[Expected, ...]:
    """Of what a session left in its directory."""
    return tuple(
        _expected(np.load(output_path(directory, number)), tolerance, seed)
        for number, tolerance in enumerate(read_tolerances(directory))
    )


def _expected(output: Array, tolerance: Tolerance, seed: int) -> Expected:
    positions = sample_positions(output.size, seed=seed)
    is_float = output.dtype.kind == "f"
    return Expected(
        exact=not is_float and tolerance.levels == (0.0,) and not any(map(any, tolerance.allowed)),
        hash=hash_of(output),
        blank=int(np.count_nonzero(blank(output))),
        positions=positions.astype("<u8").tobytes(),
        values=output.reshape(-1)[positions].tobytes(),
        samples=len(positions),
        near_zero=tolerance.near_zero,
        levels=tolerance.levels,
        allowed=tuple(_allowed(tolerance, output, positions)),
    )


def hash_of(output: Array) -> int:
    """A sum over all elements, each mixed with its place."""
    words = np.ascontiguousarray(output).reshape(-1).view(f"u{output.dtype.itemsize}")
    total = 0
    for begin in range(0, len(words), _CHUNK):
        part = words[begin : begin + _CHUNK].astype(np.uint64)
        places: Numbers = np.arange(begin, begin + len(part), dtype=np.uint64)
        total += int(random_numbers(part ^ random_numbers(places)).sum(dtype=np.uint64))
    return total % 2**64


def sample_positions(size: int, *, seed: int) -> Numbers:
    """All elements, or one at random in each of so many equal parts."""
    if size <= MOST_SAMPLES:
        return np.arange(size, dtype=np.uint64)
    edges = np.arange(MOST_SAMPLES + 1, dtype=np.uint64) * np.uint64(size) // np.uint64(MOST_SAMPLES)
    return edges[:-1] + stream(seed, MOST_SAMPLES) % (edges[1:] - edges[:-1])


def _allowed(tolerance: Tolerance, output: Array, positions: Numbers) -> Iterator[tuple[int, ...]]:
    """What is allowed in the whole output, by the share of its elements that are samples."""
    if len(positions) == output.size:
        yield from tolerance.allowed
        return
    places = np.unravel_index(positions.astype(np.int64), output.shape)
    fullest = [len(positions), *(int(np.bincount(each).max()) for each in places)]
    sizes = [output.size, *(output.size // extent for extent in output.shape)]
    for row in tolerance.allowed:
        yield tuple(_share(*each) for each in zip(row, sizes, fullest, strict=True))


def _share(allowed: int, size: int, samples: int) -> int:
    if not allowed:
        return 0
    mean = samples * min(1.0, allowed / size)
    return min(samples, math.ceil(mean + _SIGMAS * math.sqrt(mean) + _FEW))
