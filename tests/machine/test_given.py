"""What people give is told apart, and what is usual has no name."""

from __future__ import annotations

from pathlib import Path

from hltune.machine.given import on_given
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from tests.samples.values import MACHINE, SPEC

USUAL = MeasureOptions(threads=2)


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
    options = MeasureOptions(threads=2, tolerance=0.0, integer_tolerance=1)
    assert given(Inputs(images=((None, image),), scalars=(("k", 4),)), options) == (
        f"{named}, k=4, --tolerance=0, --integer-tolerance=1"
    )
