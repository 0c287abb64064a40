from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, Constraint, ScalarArgument
from tests.pipeline.conftest import PIPELINES, Load

FILE = "bad/no_estimates.py"
SCALARS = ("gain=2", "offset=-3", "flip=true")


@pytest.fixture(scope="module")
def load(load: Load) -> Load:
    """The check of what a pipeline computes in its own process has tests of its own."""
    return partial(load, checked=False)


def message(load: Load, text: str, *estimates: str, examples: tuple[str, ...] = ()) -> str:
    with pytest.raises(InputError) as caught:
        load(text, estimates=estimates, examples=examples)
    return str(caught.value)


LUT = (Constraint(minimum=0, extent=256, stride=1),)


def image(path: Path, *shape: int) -> str:
    iio.imwrite(path, np.zeros(shape, np.uint8))
    return str(path)


def test_all_that_is_missing_is_listed_once(load: Load) -> None:
    text = message(load, FILE)
    assert "none for input image (dimension 0, 1 of 2), output out (dimension 0, 1 of 2), scalar flip, " in text
    assert "lut" not in text, "a fixed size needs no estimate"
    assert "count" not in text
    assert "set_estimates" in text
    assert "--estimate image=WIDTHxHEIGHT --estimate out=WIDTHxHEIGHT --estimate flip=VALUE" in text
    assert "--example image=image.png" in text


def test_estimates_complete_the_pipeline(load: Load) -> None:
    spec = load(FILE, estimates=("image=64x48", "out=64x48", "count=5", *SCALARS))
    assert set(spec.inputs) == {
        BufferArgument(name="image", dtype="uint8", estimate=((0, 64), (0, 48))),
        BufferArgument(name="lut", dtype="uint8", estimate=((0, 256),), constraints=LUT),
        ScalarArgument(name="gain", dtype="float32", estimate=2.0),
        ScalarArgument(name="offset", dtype="int8", estimate=-3),
        ScalarArgument(name="flip", dtype="bool", estimate=True),
    }
    assert [output.estimate for output in spec.outputs] == [((0, 64), (0, 48)), ((0, 5),)]


def test_an_empty_estimate_is_refused(load: Load) -> None:
    text = message(load, FILE, "image=64x48", "out=64x48", *SCALARS)
    assert "count, dimension 0: an estimate is empty\n  expected: an extent of at least 1\n  found: 0" in text


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        ("imgae=3x4", "no such input or output\n  expected: one of image, lut, flip, gain, offset, out, count"),
        ("image=64", "expected: 2 extents of at least 1: image=WIDTHxHEIGHT\n  found: 64"),
        ("out=64x48x3", "expected: 2 extents of at least 1: out=WIDTHxHEIGHT\n  found: 64x48x3"),
        ("lut=0", "expected: 1 extents of at least 1: lut=WIDTH\n  found: 0"),
        ("lut=2.5", "found: 2.5"),
        ("gain=3x4", "expected: one value of type float32\n  found: 3x4"),
        ("gain=1" + 400 * "0", "expected: one value of type float32\n  found: 1000"),
        ("gain=1e39", "expected: one value of type float32\n  found: 1e+39"),
        ("offset=200", "expected: one value of type int8\n  found: 200"),
        ("offset=1.5", "expected: one value of type int8\n  found: 1.5"),
        ("offset=inf", "expected: one value of type int8\n  found: inf"),
        ("flip=2", "expected: one value of type bool\n  found: 2"),
    ],
)
def test_an_estimate_must_fit_its_argument(load: Load, estimate: str, expected: str) -> None:
    assert expected in message(load, FILE, estimate)


def test_an_example_gives_its_shape_to_input_and_output(load: Load, tmp_path: Path) -> None:
    path = image(tmp_path / "a.png", 48, 64)
    spec = load(FILE, estimates=("count=5", *SCALARS), examples=(f"image={path}",))
    assert {b.name: b.estimate for b in spec.buffers()}["image"] == ((0, 64), (0, 48))
    assert spec.outputs[0].estimate == ((0, 64), (0, 48))


def test_an_example_overrides_the_file_and_an_estimate_the_example(load: Load, tmp_path: Path) -> None:
    path = image(tmp_path / "a.png", 48, 64)
    spec = load("blur_function.py", examples=(path,))
    assert next(spec.buffers()).estimate == ((0, 64), (0, 48))
    assert spec.outputs[0].estimate == ((0, 64), (0, 48)), "it was as large as the input"
    spec = load("blur_function.py", examples=(path,), estimates=("input=10x20",))
    assert next(spec.buffers()).estimate == ((0, 10), (0, 20))


def test_an_output_of_another_size_than_the_input_keeps_its_estimate(load: Load, tmp_path: Path) -> None:
    text = (PIPELINES / "blur_function.py").read_text()
    file = tmp_path / "smaller.py"
    file.write_text(text.replace("output.set_estimates([(0, 192)", "output.set_estimates([(0, 96)"))
    spec = load(file, examples=(image(tmp_path / "a.png", 48, 64),))
    assert next(spec.buffers()).estimate == ((0, 64), (0, 48))
    assert spec.outputs[0].estimate == ((0, 96), (0, 128))


def test_the_example_of_the_wrong_dimensions(load: Load, tmp_path: Path) -> None:
    path = image(tmp_path / "colour.png", 48, 64, 3)
    text = message(load, "blur_function.py", examples=(path,))
    assert "expected: an image of 2 dimensions for input input\n  found: 3 dimensions: 64x48x3" in text


def test_the_example_of_an_input_whose_channels_come_first(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "channels_first.py"
    text = (PIPELINES / "layouts.py").read_text()
    file.write_text(
        text.replace("set_bounds(0, 3).", "").replace("[(0, 32), (0, 24), (0, 4)]", "[(0, 3), (0, 32), (0, 24)]")
    )
    path = image(tmp_path / "colour.png", 48, 64, 3)
    assert "3 elements in the first dimension" in message(load, f"{file}:pixels", examples=(path,))


def test_an_example_for_one_of_several_images(load: Load, tmp_path: Path) -> None:
    path = image(tmp_path / "a.png", 48, 64)
    text = message(load, FILE, examples=(path,))
    assert "which input is the example for?\n  expected: the name of an input image: image, lut" in text
    assert "no such input image" in message(load, FILE, examples=(f"gain={path}",))


def test_a_file_that_is_no_image(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("not an image")
    assert "cannot read this as an image" in message(load, "blur_function.py", examples=(str(path),))


@pytest.mark.parametrize("file", ["blur_generator.py", "blur_function.py", "blur.cpp"])
def test_a_scalar_input_can_be_set_like_a_parameter(load: Load, file: str) -> None:
    spec = load(file, p=("gain=0.5", "shift=1"))
    assert next(a for a in spec.inputs if a.name == "gain") == ScalarArgument(
        name="gain", dtype="float32", estimate=0.5
    )


def test_so_it_can_for_a_serialized_pipeline(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "blur.hlpipe"
    file.write_bytes(load("blur_function.py").hlpipe)
    spec = load(file, estimates=("input=192x128",), p=("gain=0.5",))
    assert next(a for a in spec.inputs if isinstance(a, ScalarArgument)).estimate == 0.5
    with pytest.raises(InputError, match="no parameters but its scalar inputs"):
        load(file, p=("shift=1",))


def test_an_output_follows_the_estimate_of_its_input(load: Load) -> None:
    spec = load("blur_function.py", estimates=("input=64x48",))
    assert spec.outputs[0].estimate == ((0, 64), (0, 48))


GREY = """
import halide as hl


def grey():
    x, y = hl.vars("x y")
    colours = hl.ImageParam(hl.UInt(8), 3, "colours")
    light = hl.Func("light")
    light[x, y] = hl.max(hl.max(colours[x, y, 0], colours[x, y, 1]), colours[x, y, 2])
    colours.set_estimates([(0, 320), (0, 240), (0, 3)])
    light.set_estimates([(0, 320), (0, 240)])
    return light
"""


def test_a_grey_output_follows_a_colour_example(load: Load, tmp_path: Path) -> None:
    (tmp_path / "grey.py").write_text(GREY)
    spec = load(tmp_path / "grey.py", examples=(f"colours={image(tmp_path / 'photo.png', 48, 64, 3)}",))
    assert next(spec.buffers()).estimate == ((0, 64), (0, 48), (0, 3))
    assert spec.outputs[0].estimate == ((0, 64), (0, 48))


@pytest.mark.parametrize(
    ("parameters", "value"), [((), math.inf), (("top=-inf",), -math.inf), (("top=infinity",), math.inf)]
)
@pytest.mark.parametrize("set_value", ["top.set_estimate(INFINITY)", "top = hl.Param(hl.Float(32), 'top', INFINITY)"])
def test_floats_may_be_infinite(
    load: Load, tmp_path: Path, set_value: str, parameters: tuple[str, ...], value: float
) -> None:
    file = tmp_path / "clamped.py"
    file.write_text(
        f"""
import halide as hl
INFINITY = float("inf")
def clamped():
    x, f, top = hl.Var("x"), hl.Func("f"), hl.Param(hl.Float(32), "top")
    {set_value}
    f[x] = hl.min(x, top)
    f.set_estimates([(0, 4)])
    return f
"""
    )
    (top,) = load(file, p=parameters).inputs
    assert top == ScalarArgument(name="top", dtype="float32", estimate=value)
