"""What people give is told apart, and what is usual has no name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hltune.machine.given import on_given
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.values.pipeline import Number, PipelineSpec, ScalarArgument, converted
from tests.samples.values import MACHINE, SPEC

USUAL = MeasureOptions(threads=2)
EXACTLY = MeasureOptions(threads=2, tolerance=0.0, integer_tolerance=1)


def given(inputs: Inputs, options: MeasureOptions = USUAL) -> str:
    return on_given(MACHINE, SPEC, inputs, options).given


def test_what_is_usual_keeps_its_key() -> None:
    assert on_given(MACHINE, SPEC, Inputs(), USUAL) == MACHINE
    assert given(Inputs(scalars=(("k", 3),), seed=7)) == ""  # as it is estimated


def test_what_is_given_is_named(tmp_path: Path) -> None:
    image, other = tmp_path / "a.png", tmp_path / "b.png"
    image.write_bytes(b"a")
    other.write_bytes(b"b")
    assert given(Inputs(scalars=(("k", 4),))) == "k=4"
    unnamed, named = (given(Inputs(images=((name, image),))) for name in (None, "in"))
    assert unnamed == named != given(Inputs(images=((None, other),)))
    inputs = Inputs(images=((None, image),), scalars=(("k", 4),))
    assert on_given(MACHINE, of("uint8", "float32"), inputs, EXACTLY).given == (
        f"{named}, k=4, --tolerance=0, --integer-tolerance=1"
    )


def of(*dtypes: str) -> PipelineSpec:
    """One whose output has elements of these types."""
    return replace(SPEC, outputs=(replace(SPEC.outputs[0], dtypes=dtypes),))


def test_tolerances_that_have_no_say_are_not_given() -> None:
    found = [on_given(MACHINE, of(dtype), Inputs(), EXACTLY).given for dtype in ("float64", "int16", "bool")]
    assert found == ["--tolerance=0", "--integer-tolerance=1", ""]


@pytest.mark.parametrize(
    ("dtype", "estimate", "value", "text"),
    [
        ("float32", 0.1, 0.1, ""),
        ("float32", 0.1, converted(0.1, "float32"), ""),
        ("float32", 0.1, 0.2, "s=0.2"),
        ("float32", 0.1, converted(0.2, "float32"), "s=0.2"),
        ("float64", 0.1, converted(0.1, "float32"), "s=0.10000000149011612"),
        ("float32", 0.1, 3, "s=3.0"),
        ("bool", True, 1, ""),
        ("bool", True, 0, "s=False"),
    ],
)
def test_scalars_are_told_apart_as_their_type_holds_them(
    dtype: str, estimate: Number, value: Number, text: str
) -> None:
    scalar = ScalarArgument(name="s", dtype=dtype, estimate=converted(estimate, dtype))
    spec = replace(SPEC, inputs=(scalar,))
    assert on_given(MACHINE, spec, Inputs(scalars=(("s", value),)), USUAL).given == text
