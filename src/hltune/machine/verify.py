"""Is an output the right one? Exact for integers, within a stated tolerance for floats."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hltune.machine.options import MeasureOptions
from hltune.pipeline.images import Array
from hltune.runtime.worker import Process
from hltune.values.errors import Failure
from hltune.values.pipeline import PipelineSpec

FLOAT_TOLERANCE = {2: 1e-2, 4: 1e-4, 8: 1e-9}
"""Allowed error by element size in bytes, relative to the value or, near zero, to a hundredth of the image's largest.

A schedule may reorder sums and contract multiplications with additions, so equal bytes are too much to ask of floats.
"""


def verify(
    process: Process, spec: PipelineSpec, found: Sequence[Array], reference: Path | None, options: MeasureOptions
) -> Failure | None:
    """Compares outputs with the expected ones in a directory, if there is one; in a worker."""
    if reference is None:
        return None
    process.enter("verify", timeout_s=options.verify_timeout_s)
    expected = [np.load(output_path(reference, number)) for number in range(len(found))]
    integer_tolerance, float_slack = options.integer_tolerance, options.float_slack
    text = differences(spec, found, expected, integer_tolerance=integer_tolerance, float_slack=float_slack)
    return Failure(stage="verify", kind="wrong output", message=text) if text else None


def output_path(directory: Path, number: int) -> Path:
    """The file of an expected output."""
    return directory / f"output{number}.npy"


def differences(
    spec: PipelineSpec,
    found: Sequence[Array],
    expected: Sequence[Array],
    *,
    integer_tolerance: int = 0,
    float_slack: float = 1.0,
) -> str | None:
    """Says how the first wrong one of a pipeline's outputs differs from the expected one, or None."""
    names = [output.name for output in spec.outputs for _ in output.dtypes]
    texts = (
        difference(ours, wanted, name=name, integer_tolerance=integer_tolerance, float_slack=float_slack)
        for name, ours, wanted in zip(names, found, expected, strict=True)
    )
    return next((text for text in texts if text), None)


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


def _equal(found: Array, expected: Array, integer_tolerance: int, float_slack: float) -> Array:
    if found.dtype.kind in "iu" and integer_tolerance:
        return _distance(found, expected) <= integer_tolerance
    if found.dtype.kind != "f":
        return found == expected
    tolerance = FLOAT_TOLERANCE[found.dtype.itemsize] * float_slack
    finite = expected[np.isfinite(expected)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    return np.isclose(found, expected, rtol=tolerance, atol=tolerance * largest / 100, equal_nan=True)


def _distance(found: Array, expected: Array) -> Array:
    """The distance of integers, without wrapping around."""
    return np.maximum(found, expected).astype(np.uint64) - np.minimum(found, expected).astype(np.uint64)
