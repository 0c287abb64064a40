from __future__ import annotations

import numpy as np
import pytest

from hltune.bundle.expected import MOST_SAMPLES, hash_of, sample_positions
from hltune.machine.portable import drawn, fill_portably, stream


def test_it_is_splitmix64() -> None:
    assert list(map(int, stream(1234567, 3))) == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert int(stream(0, 1)[0]) == 0xE220A8397B1DCDAF


@pytest.mark.parametrize(
    ("dtype", "least", "most"),
    [
        ("bool", 0, 1),
        ("uint8", 0, 255),
        ("int16", -(2**15), 2**15 - 1),
        ("int32", -512, 511),
        ("int64", -(2**25), 2**25 - 1),
        ("uint64", 0, 2**64 - 1),
        ("float16", 0.0, 1.0),
        ("float32", 0.0, 1.0),
        ("float64", 0.0, 1.0),
    ],
)
def test_data_reaches_over_its_range(dtype: str, least: float, most: float) -> None:
    array = np.empty((300, 400), dtype=dtype)
    fill_portably(array, name="in", seed=3)
    span = float(most) - float(least)
    assert least <= array.min() and array.max() <= most
    assert float(array.max()) - float(array.min()) > 0.99 * span
    assert array.astype(float).mean() == pytest.approx(float(least) + span / 2, abs=0.01 * span)
    other = np.empty_like(array)
    fill_portably(other, name="out", seed=3)
    assert not np.array_equal(array, other)
    fill_portably(other, name="in", seed=3)
    assert np.array_equal(array, other)


def test_floats_never_become_one() -> None:
    for dtype in ("float16", "float32", "float64"):
        bits = drawn(dtype).bits
        assert np.ldexp(np.float64(2**bits - 1), -bits).astype(dtype) < 1


def test_a_hash_knows_values_and_places() -> None:
    array = np.arange(600, dtype=np.int16).reshape(20, 30)
    known = hash_of(array)
    assert hash_of(array.copy()) == known
    changed = array.copy()
    changed[3, 4] += 1
    assert hash_of(changed) != known
    changed = array.copy()
    changed[[3, 4]] = changed[[4, 3]]
    assert hash_of(changed) != known


def test_samples_lie_everywhere_and_each_once() -> None:
    assert list(sample_positions(10, seed=1)) == list(range(10))
    positions = sample_positions(5_000_000, seed=1)
    assert len(set(map(int, positions))) == MOST_SAMPLES
    assert positions.max() < 5_000_000 and np.diff(positions.astype(np.int64)).max() < 2 * 5_000_000 / MOST_SAMPLES + 2
