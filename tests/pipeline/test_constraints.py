"""What the user's code promises of its images and scalars arrives in the spec, and in what is built of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from hltune.machine.inputs import Inputs
from hltune.machine.open import resolve
from hltune.pipeline.layout import layout_of
from hltune.runtime.worker import Process
from hltune.samples.rows import decode_spec, encode_spec
from hltune.schedule.parse import parse_schedule
from hltune.values.cost import Cost
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, Constraint, PipelineSpec, ScalarArgument
from tests.loading import fresh
from tests.machine.opened import opened
from tests.pipeline.conftest import PIPELINES, Load

INTERLEAVED = (Constraint(stride=3), Constraint(), Constraint(minimum=0, extent=3, stride=1))


@pytest.fixture(scope="module")
def load(load: Load) -> Load:
    """The check of what a pipeline computes in its own process has tests of its own."""
    return partial(load, checked=False)


@dataclass(frozen=True)
class Call:
    """Calls a pipeline of one image, whose rows are so many bytes apart; the text is what it complains of."""

    spec: PipelineSpec
    pitch: int
    width: int

    def run(self, process: Process) -> str:
        import halide as hl

        from hltune.pipeline.build import build

        process.enter("call", timeout_s=60)
        built = build(self.spec)
        function = built.pipeline.compile_to_callable(built.arguments, hl.Target("host"))
        image = np.zeros((8, self.pitch), np.uint8)[:, :48]
        try:
            function(hl.Buffer(image), self.width, hl.Buffer(np.zeros((8, 48), np.uint8)))
        except hl.HalideError as error:
            return str(error)
        return ""


@dataclass(frozen=True)
class CallNamed:
    """Calls `layouts.py:named`, or what its author has made of it; the text is what it complains of.

    Attributes:
        strides: of x, y and c of the output.
    """

    spec: PipelineSpec
    strides: tuple[int, int, int]
    base: str | None

    def run(self, process: Process) -> str:
        import halide as hl

        from hltune.pipeline.build import build

        process.enter("call", timeout_s=60)
        built = build(self.spec, self.base)
        function = built.pipeline.compile_to_callable(built.arguments, hl.Target("host"))
        image = np.zeros((24, 32, 3), np.uint8).transpose(2, 0, 1)
        x, y, c = self.strides
        outputs = [as_strided(np.zeros(9999, np.uint8), (3, 24, 32), (c, y, x)) for _ in self.spec.output_names]
        try:
            function(hl.Buffer(image), *map(hl.Buffer, outputs))
        except hl.HalideError as error:
            return str(error)
        return ""


@dataclass(frozen=True)
class WriteNamed:
    """Writes `layouts.py:named` as its user may."""

    file: Path

    def run(self, process: Process) -> None:
        import halide as hl

        from tests.pipelines.layouts import named

        process.enter("write", timeout_s=60)
        hl.serialize_pipeline(hl.Pipeline(named()), str(self.file))


def image(spec: PipelineSpec) -> BufferArgument:
    return next(spec.buffers())


def test_strides_bounds_and_alignment(load: Load) -> None:
    spec = load("layouts.py:pixels")
    assert image(spec).constraints == INTERLEAVED
    assert image(spec).alignment == 64
    assert spec.outputs[0].constraints == INTERLEAVED


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize(
    ("strides", "pitch", "complaint"),
    [((3, 96, 1), 1, ""), ((1, 32, 768), 1, "stride.0 (1)"), ((3, 128, 1), 64, ""), ((3, 96, 1), 64, "stride.1 (96)")],
)
@pytest.mark.parametrize("pair", ["false", "true"])
def test_what_is_promised_of_an_output_that_something_names(
    load: Load, pair: str, strides: tuple[int, int, int], pitch: int, complaint: str, by_hand: bool
) -> None:
    """Halide's file leaves it out."""
    spec = load("layouts.py:named", p=(f"pair={pair}", f"pitch={pitch}"), checked=True)
    (output,) = spec.outputs
    assert (output.constraints, spec.notes) == (INTERLEAVED, ())
    assert layout_of(output, "uint8").strides == (3, -(-96 // pitch) * pitch, 1)
    assert decode_spec(spec.name, encode_spec(spec), spec.hlpipe) == replace(spec, manual=None, manual_images=())
    found = fresh(CallNamed(spec, strides, spec.manual_hash if by_hand else None))
    assert complaint in found if complaint else not found, found


def test_a_file_of_halide_s_says_what_it_cannot_know(load: Load, tmp_path: Path) -> None:
    fresh(WriteNamed(tmp_path / "named.hlpipe"))
    (note,) = load(tmp_path / "named.hlpipe", estimates=("image=32x24x3",)).notes
    assert "promises of the images of f may not be in the file" in note


@pytest.mark.parametrize(
    ("pitch", "right", "wrong", "complaint"),
    [(64, (3, 128, 1), (3, 96, 1), "stride.1 (96)"), (1, (3, 96, 1), (1, 32, 768), "stride.0 (1)")],
)
def test_the_same_of_a_generator(
    load: Load, pitch: int, right: tuple[int, int, int], wrong: tuple[int, int, int], complaint: str
) -> None:
    spec = load("named_output.cpp", p=(f"pitch={pitch}",), checked=True)
    (output,) = spec.outputs
    assert (output.constraints, spec.notes) == (INTERLEAVED, ())
    assert layout_of(output, "uint8").strides == right
    for base in (None, spec.manual_hash):
        assert fresh(CallNamed(spec, right, base)) == ""
        assert complaint in fresh(CallNamed(spec, wrong, base))


def test_naming_an_image_of_which_nothing_is_promised_changes_nothing(load: Load, tmp_path: Path) -> None:
    text = (PIPELINES / "by_hand.py").read_text()
    condition = "\n    output.specialize(output.output_buffer().width() >= 64)\n    image.set_estimates"
    (tmp_path / "by_hand.py").write_text(text.replace("\n    image.set_estimates", condition, 1))
    plain, named = load("by_hand.py:function"), load(f"{tmp_path / 'by_hand.py'}:function")
    assert not named.output_images and named.outputs == plain.outputs and named.manual != plain.manual


@pytest.mark.parametrize(("pitch", "width"), [(64, 64), (128, 64), (192, 64)])
def test_a_stride_that_a_scalar_says(load: Load, pitch: int, width: int) -> None:
    spec = load("embedded.py:pitched", p=(f"pitch={pitch}",))
    (output,) = spec.outputs
    assert layout_of(output, "uint16").strides == (1, pitch) and output.estimate[0] == (0, width)
    assert layout_of(output, "uint16", row=128).strides == (1, pitch)
    with opened(spec, resolve("host")) as session:
        (measured,) = session.measure({"by hand": parse_schedule("f.vectorize(x, 16);", spec.funcs)}).values()
    assert isinstance(measured, Cost), measured


def test_the_alignment_of_an_output(load: Load) -> None:
    spec = load("layouts.py:aligned")
    assert [output.alignment for output in spec.outputs] == [None, 16384]


def test_bounds_correct_wrong_estimates(load: Load) -> None:
    """The file says 4 channels in its estimates, and 3 in its bounds."""
    spec = load("layouts.py:pixels")
    assert image(spec).estimate == spec.outputs[0].estimate == ((0, 32), (0, 24), (0, 3))


def test_bounds_stand_for_estimates(load: Load) -> None:
    spec = load("layouts.py:anything")
    assert image(spec).constraints == (Constraint(minimum=-3, extent=20),)
    assert image(spec).estimate == spec.outputs[0].estimate == ((-3, 20),)


@pytest.mark.parametrize(("demand", "expected"), [("", (-4, 50)), ("align=true", (-13, 64)), ("whole=true", (-4, 64))])
def test_bounds_of_outputs_correct_what_they_say_and_no_more(
    load: Load, demand: str, expected: tuple[int, int]
) -> None:
    """`align_bounds` demands that an output begins and ends at certain numbers, `align_extent` a multiple."""
    spec = load("layouts.py:partly", p=(demand,) if demand else (), checked=True)
    assert spec.outputs[0].estimate == (expected, (0, 24), (0, 3))
    assert spec.notes == (), "it runs"


def test_a_size_against_the_bounds_is_refused(load: Load) -> None:
    with pytest.raises(InputError) as caught:
        load("layouts.py:pixels", estimates=("image=32x24x4",))
    assert "expected: 32x24x3\n  found: 32x24x4" in str(caught.value)


def test_halides_default_leaves_no_trace(load: Load) -> None:
    spec = load("blur_function.py")
    assert image(spec).constraints == spec.outputs[0].constraints == image(spec).promises == ()
    assert image(spec).alignment is spec.outputs[0].alignment is None


@pytest.mark.parametrize(
    ("pitch", "width", "complaint"),
    [(64, 48, ""), (49, 48, "image.stride.1 (49)"), (64, 40, "image.extent.0 (48) == width (40)"), (96, 48, "")],
)
def test_constraints_that_are_expressions(load: Load, pitch: int, width: int, complaint: str) -> None:
    spec = load("layouts.py:rows")
    assert [argument.name for argument in spec.inputs] == ["image", "width"]
    found = fresh(Call(spec, pitch, width))
    assert complaint in found if complaint else not found


def test_promised_multiples_are_kept_wherever_images_are_made(load: Load) -> None:
    spec = load("layouts.py:multiples")
    (image,), (output,) = spec.buffers(), spec.outputs
    assert (image.pitches, output.pitches) == ((1, 32), (1, 192))
    assert layout_of(image, image.dtype).strides == (1, 64)
    assert layout_of(output, "uint8").strides == (1, 192)
    assert decode_spec(spec.name, encode_spec(spec), spec.hlpipe) == spec
    (image,) = load("layouts.py:rows").buffers()
    assert layout_of(image, image.dtype).strides == (1, 64)  # of 48 elements
    assert '"pitches"' not in encode_spec(load("layouts.py:pixels"))


def test_what_promises_multiples_is_measured(load: Load) -> None:
    spec = load("layouts.py:multiples")
    with opened(spec, resolve("host")) as session:
        (measured,) = session.measure({"by hand": parse_schedule("f.vectorize(x, 16);", spec.funcs)}).values()
    assert isinstance(measured, Cost), measured


def test_ranges_of_scalars(load: Load) -> None:
    spec = load("layouts.py:ranges", p=("gain=0.25",))
    gain, radius = (argument for argument in spec.inputs if isinstance(argument, ScalarArgument))
    assert (radius.minimum, radius.maximum, radius.estimate) == (1, 8, 2)
    assert (gain.minimum, gain.maximum, gain.estimate) == (0.25, 4.0, 0.25)


@pytest.mark.parametrize("kind", ["UInt(8)", "Int(16)", "UInt(16)", "Float(32)", "Float(64)"])
def test_a_range_is_given_in_numbers_of_another_type(load: Load, tmp_path: Path, kind: str) -> None:
    """Halide converts them, and keeps the conversion."""
    file = tmp_path / "raised.py"
    file.write_text(
        f"""
import halide as hl

def raised():
    x, f, by = hl.Var("x"), hl.Func("f"), hl.Param(hl.{kind}, "by")
    by.set_range(1, 9)
    by.set_estimate(2)
    f[x] = hl.cast(hl.{kind}, x) + by
    f.set_estimates([(0, 8)])
    return f
"""
    )
    (by,) = load(file).inputs
    assert isinstance(by, ScalarArgument) and (by.minimum, by.maximum, by.estimate) == (1, 9, 2)


def test_values_are_rounded_as_their_type_does_it(load: Load, tmp_path: Path) -> None:
    """Neither 0.1 nor 0.7 is a float32: the one above is the end of the range, and the one below that of the other."""
    file = tmp_path / "damped.py"
    file.write_text(
        """
import halide as hl

def damped(estimate: float = 0.3):
    x, f, damping = hl.Var("x"), hl.Func("f"), hl.Param(hl.Float(32), "damping")
    damping.set_range(0.1, 0.7)
    damping.set_estimate(estimate)
    f[x] = x * damping
    f.set_estimates([(0, 8)])
    return f
"""
    )
    for value in ("0.1", "0.3", "0.7"):
        given, own = load(file, estimates=(f"damping={value}",)), load(file, p=(f"estimate={value}",))
        assert (given, given.content_hash) == (own, own.content_hash)
        Inputs(scalars=(("damping", float(value)),)).assign(own)
    for value in (0.099, 0.701):
        with pytest.raises(InputError, match="out of its range"):
            Inputs(scalars=(("damping", value),)).assign(own)


@pytest.mark.parametrize("options", [{"p": ("radius=9",)}, {"estimates": ("radius=0",)}, {"p": ("gain=4.5",)}])
def test_values_out_of_range_are_refused(load: Load, options: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InputError, match="out of its range"):
        load("layouts.py:ranges", **options)
