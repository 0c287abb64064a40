"""Is an output the right one? Exact for integers, within a stated tolerance for floats."""

from __future__ import annotations

from typing import Any

import numpy as np

from hltune.pipeline.images import Array

FLOAT_TOLERANCE = {2: 1e-2, 4: 1e-4, 8: 1e-9}
"""By element size in bytes, relative to the value or, near zero, to a hundredth of the largest value of the image.

A schedule may reorder sums and contract multiplications with additions, so equal bytes are too much to ask of floats.
"""


def difference(
    found: Array, expected: Array, *, name: str, integer_tolerance: int = 0, float_slack: float = 1.0
) -> str | None:
    """Says how an output differs from the expected one, or None when it does not.

    Both have the same shape and element type. NaN and infinities have to be at the same places.
    """
    wrong = ~_equal(found, expected, integer_tolerance, float_slack)
    count = int(wrong.sum())
    if count == 0:
        return None
    position = tuple(int(index) for index in np.argwhere(wrong)[0])
    # NumPy's last axis is Halide's first dimension.
    place = ", ".join(str(index) for index in reversed(position))
    text = (
        f"wrong output {name}: {count} of {found.size} values differ, the first at ({place}): "
        f"expected {expected[position]}, found {found[position]}"
    )
    if found.dtype.kind in "iu" and _distance(found, expected).max() <= integer_tolerance + 1:
        text += f"; none by more than {integer_tolerance + 1}: if that comes from rounding floats, allow it with "
        text += f"--integer-tolerance {integer_tolerance + 1}"
    return text


def _equal(
    found: Array, expected: Array, integer_tolerance: int, float_slack: float
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if found.dtype.kind in "iu" and integer_tolerance:
        return _distance(found, expected) <= integer_tolerance
    if found.dtype.kind != "f":
        return found == expected
    tolerance = FLOAT_TOLERANCE[found.dtype.itemsize] * float_slack
    finite = expected[np.isfinite(expected)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    return np.isclose(found, expected, rtol=tolerance, atol=tolerance * largest / 100, equal_nan=True)


def _distance(found: Array, expected: Array) -> Array:
    """Of integers, without wrapping around."""
    return np.maximum(found, expected).astype(np.uint64) - np.minimum(found, expected).astype(np.uint64)
