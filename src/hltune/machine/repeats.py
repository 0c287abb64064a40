"""Does a pipeline compute the same, whatever its outputs contained before? They are timed one call upon the other."""

from collections.abc import Callable, Sequence

import numpy as np

from hltune.machine.task import Compiled
from hltune.pipeline.images import Array
from hltune.runtime.worker import Process

_FLOATS = ((-3e4, -1e4), (1e4, 5e4))
"""Ranges far apart, and far from all that is usual, yet in every type; squares have no signs."""

Agree = Callable[[Sequence[Array], Sequence[Array]], bool]
"""Whether two sequences of outputs may both be right."""


def depends_on_before(process: Process, compiled: Compiled, agree: Agree) -> bool:
    """Calls it over outputs full of noise, and then of other noise; what nobody writes may be either.

    The outputs have to be equal then, for what was there may count for little, or in few elements. Only where the
    same code on the same memory differs from itself, as where threads add floats, they have to agree.
    """
    before, after = (_called_over(process, compiled, number) for number in (0, 1))
    found = tuple(_unless_kept(*each) for each in zip(before, after, strict=True))
    if _equal(before, found):
        return False
    return _equal(before, _called_over(process, compiled, 0)) or not agree(before, found)


def _called_over(process: Process, compiled: Compiled, number: int) -> tuple[Array, ...]:
    for output in compiled.outputs:
        output[...] = _noise(output, number)
    process.on_main_thread(compiled.call)
    return tuple(output.copy() for output in compiled.outputs)


def _noise(output: Array, number: int) -> Array:
    """What an output contains before the first call, or the second one; the same each time."""
    rng, dtype = np.random.default_rng(number), output.dtype
    if dtype.kind == "f":
        least, most = _FLOATS[number]
        noise = rng.random(output.shape, dtype=np.float64 if dtype.itemsize == np.float64().itemsize else np.float32)
        noise *= most - least
        noise += least
        return noise.astype(dtype, copy=False)
    if dtype.kind == "b":
        return rng.integers(0, 2, output.shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, output.shape, dtype=dtype.name, endpoint=True)


def _unless_kept(before: Array, after: Array) -> Array:
    """The second one, with what neither call wrote as it is in the first."""
    return np.where((before == _noise(before, 0)) & (after == _noise(after, 1)), before, after)


def _equal(one: Sequence[Array], other: Sequence[Array]) -> bool:
    return all(
        np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f") for ours, theirs in zip(one, other, strict=True)
    )
