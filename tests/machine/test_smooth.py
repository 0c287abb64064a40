"""Random data whose neighbours are alike, in the range of all other random data."""

from __future__ import annotations

import numpy as np
import pytest

from hltune.machine.inputs import Inputs, arrays_of, random_array
from hltune.machine.smooth import fill_smoothly
from hltune.pipeline.images import Array
from hltune.values.pipeline import BufferArgument, PipelineSpec

KINDS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64")


def smooth(dtype: str, shape: tuple[int, ...] = (150, 200), seed: int = 0, *, signed: bool = False) -> Array:
    array = np.empty(shape, dtype)
    fill_smoothly(array, np.random.default_rng(seed), signed=signed)
    return array


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_no_value_is_one_that_noise_never_has(dtype: str, seed: int) -> None:
    noise = random_array(BufferArgument(name="a", dtype=dtype, estimate=((0, 200), (0, 150))), seed=1)
    found = smooth(dtype, seed=seed).astype(np.float64)
    most = float(noise.max()) * 1.02
    assert found.max() <= most and found.min() >= (-most if dtype.startswith("int") else 0)
    assert found.max() > most / 10


@pytest.mark.parametrize("dtype", KINDS)
def test_neighbours_are_alike_and_values_have_all_magnitudes(dtype: str) -> None:
    found = np.abs(smooth(dtype).astype(np.float64))
    steps = np.abs(np.diff(found, axis=1))
    assert np.median(steps) < found.max() / 50
    large = found.max()
    for less in (4, 16) if dtype in ("int8", "uint8") else (4, 16, 64):
        assert 0.002 < np.mean(found < large / less) < 0.998


def test_signs_are_all_that_floats_may_have_more() -> None:
    signed, plain = smooth("float32", signed=True), smooth("float32")
    assert np.array_equal(np.abs(signed), plain) and 0.02 < np.mean(signed < 0) < 0.98
    assert np.array_equal(smooth("uint16", signed=True), smooth("uint16"))


def test_small_arrays_and_truths() -> None:
    assert smooth("float32", ()).shape == () and 0 < smooth("float32", ()) < 1
    assert np.unique(smooth("float32", (3,))).size == 3
    assert set(np.unique(smooth("bool"))) == {False, True}
    assert smooth("uint8", (0, 4)).size == 0


def test_name_and_seed_decide() -> None:
    a, b = (BufferArgument(name=name, dtype="float32", estimate=((0, 20), (0, 20))) for name in "ab")
    spec = PipelineSpec(name="p", hlpipe=b"", inputs=(a, b), outputs=(), funcs=())
    first, second = arrays_of(spec, Inputs(smooth=True))
    again, other = arrays_of(spec, Inputs(smooth=True))[0], arrays_of(spec, Inputs(smooth=True, seed=1))[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second) and not np.array_equal(first, other)
