from __future__ import annotations

import numpy as np
import pytest

from hltune.machine.verify import difference


def test_integers_are_exact() -> None:
    expected = np.arange(12, dtype=np.uint8).reshape(3, 4)
    found = expected.copy()
    assert difference(found, expected, name="output") is None
    found[2, 1] += 1
    text = difference(found, expected, name="output")
    assert text is not None
    assert "1 of 12" in text and "(1, 2)" in text and "expected 9, found 10" in text


@pytest.mark.parametrize(("dtype", "near", "far"), [("float32", 5e-5, 5e-4), ("float64", 5e-10, 5e-9)])
def test_floats_have_a_relative_tolerance(dtype: str, near: float, far: float) -> None:
    expected = np.full(4, 1000, dtype=dtype)
    assert difference((expected * (1 + near)).astype(dtype), expected, name="f") is None
    assert difference((expected * (1 + far)).astype(dtype), expected, name="f") is not None


def test_near_zero_the_largest_value_counts() -> None:
    expected = np.array([0, 100], dtype=np.float32)
    assert difference(np.array([1e-5, 100], dtype=np.float32), expected, name="f") is None
    assert difference(np.array([1e-2, 100], dtype=np.float32), expected, name="f") is not None


def test_what_is_not_a_number_has_to_be_at_the_same_place() -> None:
    expected = np.array([np.nan, np.inf, 1], dtype=np.float32)
    assert difference(expected.copy(), expected, name="f") is None
    assert difference(np.array([1, np.inf, 1], dtype=np.float32), expected, name="f") is not None
    assert difference(np.array([np.nan, -np.inf, 1], dtype=np.float32), expected, name="f") is not None
    assert difference(np.array([np.nan, np.inf, np.nan], dtype=np.float32), expected, name="f") is not None


def test_slack_of_floats() -> None:
    expected = np.array([1.0, 100.0], dtype=np.float32)
    found = expected * np.float32(1.005)
    assert difference(found, expected, name="f") is not None
    assert difference(found, expected, name="f", float_slack=100) is None
    assert difference(expected * np.float32(1.02), expected, name="f", float_slack=100) is not None
