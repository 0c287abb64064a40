from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from hltune.machine import distances, inputs
from hltune.machine.inputs import Inputs, arrays_of, file_digest, input_array, random_array, read_image
from hltune.pipeline.layout import Stored, stored
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, Constraint, PipelineSpec, ScalarArgument


def image(name: str = "input", dtype: str = "uint8", size: tuple[int, ...] = (40, 30)) -> BufferArgument:
    return BufferArgument(name=name, dtype=dtype, estimate=tuple((0, extent) for extent in size))


def spec(*inputs: BufferArgument) -> PipelineSpec:
    return PipelineSpec(name="p", hlpipe=b"", inputs=inputs, outputs=(), funcs=())


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "uint64"])
def test_random_integers_cover_the_range(dtype: str) -> None:
    array = random_array(image(dtype=dtype, size=(200, 200)), seed=1)
    info = np.iinfo(dtype)
    assert array.dtype == dtype
    width = float(info.max) - float(info.min)
    assert float(array.min()) < float(info.min) + width / 100
    assert float(array.max()) > float(info.max) - width / 100


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_squares_of_large_signed_integers_can_be_summed(dtype: str) -> None:
    array = random_array(image(dtype=dtype, size=(640, 200)), seed=1)
    widest = int(array.max()) - int(array.min())
    assert array.min() < 0 < array.max()
    assert 640 * widest**2 <= np.iinfo(dtype).max < 640 * (4 * widest) ** 2


def test_random_floats_and_bools() -> None:
    floats = random_array(image(dtype="float32"), seed=1)
    assert 0 <= floats.min() < 0.1 and 0.9 < floats.max() < 1
    assert set(np.unique(random_array(image(dtype="bool"), seed=1))) == {False, True}


PIECEWISE = [
    (Inputs(smooth=True), "uint8"),
    (Inputs(smooth=True), "int16"),
    (Inputs(smooth=True), "float32"),
    (Inputs(portable=True), "uint8"),
    (Inputs(), "float16"),
]


@pytest.mark.parametrize(("inputs", "dtype"), PIECEWISE)
def test_making_random_data_takes_little_more_memory_than_the_data(inputs: Inputs, dtype: str) -> None:
    argument = image(dtype=dtype, size=(2000, 1500))
    tracemalloc.start()
    try:
        size = input_array(argument, None, inputs).nbytes
        assert tracemalloc.get_traced_memory()[1] < size + 2 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("inputs", "dtype"), PIECEWISE)
@pytest.mark.parametrize("size", [(), (50_000,), (300, 5, 30), (3, 20_000), (20_000, 3)])
def test_the_parts_of_random_data_are_those_of_the_whole(
    size: tuple[int, ...], inputs: Inputs, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    argument = image(dtype=dtype, size=size)
    found = input_array(argument, None, inputs)
    monkeypatch.setattr(distances, "PART", 10**6)
    assert np.array_equal(found, input_array(argument, None, inputs))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_what_is_around_inputs_is_the_same_in_each_process(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Stored] = []

    def used(*args: Any, **given: Any) -> Stored:
        made.append(stored(*args, **given))
        for each in (made[-1].memory, *made[-1].guards):
            each[...] = 7
        return made[-1]

    monkeypatch.setattr(inputs, "stored", used)
    strides = (Constraint(stride=1), Constraint(stride=50))
    random_array(replace(image(dtype=dtype), constraints=strides), seed=1)
    assert all(len(guard) > 0 for guard in made[0].guards)
    assert made[0].layout.size > 30 * 40 and made[0].gaps_intact()


def test_seed_and_name_decide() -> None:
    first = random_array(image("a"), seed=1)
    assert np.array_equal(first, random_array(image("a"), seed=1))
    assert not np.array_equal(first, random_array(image("a"), seed=2))
    assert not np.array_equal(first, random_array(image("b"), seed=1))


def test_a_file_that_changes_is_no_input_of_the_same_run(tmp_path: Path) -> None:
    """Outputs that are right for one image would be called wrong by what is expected of the other."""
    file = tmp_path / "a.npy"
    np.save(file, np.zeros((30, 40), np.uint8))
    inputs = Inputs(images=((None, file),), digests=((file, file_digest(file)),))
    assert not np.any(arrays_of(spec(image()), inputs)[0])
    np.save(file, np.ones((30, 40), np.uint8))
    with pytest.raises(InputError, match="has changed since this run began"):
        arrays_of(spec(image()), inputs)
    file.unlink()
    with pytest.raises(InputError, match="has changed") as caught:
        arrays_of(spec(image()), inputs)
    assert caught.value.found == "unread..."


def test_images_go_to_named_inputs_first() -> None:
    p = spec(image("a"), image("b"))
    inputs = Inputs(images=((None, Path("x")), ("a", Path("y"))))
    assert inputs.assign(p) == {"a": Path("y"), "b": Path("x")}


def test_too_many_or_unknown_images() -> None:
    with pytest.raises(InputError, match="is left for this image"):
        Inputs(images=((None, Path("x")), (None, Path("y")))).assign(spec(image("a")))
    with pytest.raises(InputError, match="no input 'c'"):
        Inputs(images=(("c", Path("x")),)).assign(spec(image("a")))


def test_colour_becomes_planar(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    iio.imwrite(tmp_path / "a.png", pixels)
    planar = read_image(tmp_path / "a.png", image(size=(7, 5, 3)))
    assert np.array_equal(planar[2], pixels[:, :, 2])


def test_images_may_be_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow takes large ones for attacks."""
    iio.imwrite(tmp_path / "a.png", np.zeros((30, 40), dtype=np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    assert read_image(tmp_path / "a.png", image(size=(40, 30))).shape == (30, 40)


def test_an_image_is_not_turned_for_whoever_has_channels_first(tmp_path: Path) -> None:
    """Its planes would be taken for rows, whatever reads them."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    iio.imwrite(tmp_path / "a.png", pixels)
    with pytest.raises(InputError, match=r"3 elements in the first dimension(.|\n)*40x30x3(.|\n)*rows, columns, chan"):
        read_image(tmp_path / "a.png", image(size=(3, 40, 30)))
    np.save(tmp_path / "a.npy", iio.imread(tmp_path / "a.png"))
    assert np.array_equal(read_image(tmp_path / "a.npy", image(size=(3, 40, 30))), pixels)


@pytest.mark.parametrize("name", ["mask.npy", "MASK.NPY"])
def test_array_file(tmp_path: Path, name: str) -> None:
    values = np.arange(9, dtype=np.int8).reshape(3, 3)
    with (tmp_path / name).open("wb") as file:
        np.save(file, values)
    assert np.array_equal(read_image(tmp_path / name, image(dtype="int8", size=(3, 3))), values)
    with pytest.raises(InputError, match=r"numpy\.save"):
        read_image(tmp_path / name, image(size=(3, 3)))


def test_what_is_cut_off_is_no_other_file(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    iio.imwrite(tmp_path / "cut.png", values)
    np.save(tmp_path / "cut.npy", values)
    for name, what, why in (("cut.png", "image", "truncated"), ("cut.npy", "array", "Failed to read all data")):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:3000])
        with pytest.raises(InputError) as caught:
            read_image(path, image())
        found = str(caught.value.found)
        assert found.startswith(f"3000 bytes of an {what} that is cut off or damaged (") and why in found


def test_python_objects_are_no_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([[1, 2], [3, 4]], dtype=object))
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / "objects.npy", image(dtype="int8"))
    assert caught.value.found == "an array of Python objects" and "an array of int8 in" in str(caught.value.expected)
    assert caught.value.todo == 'save numbers, as in numpy.save("objects.npy", array.astype("int8"))'


def test_unreadable_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such image"):
        read_image(tmp_path / "none.png", image())
    for name in ("bad.png", "bad.npy", "bad.xyz", "empty.png", "empty.npy"):
        (tmp_path / name).write_bytes(b"" if name.startswith("empty") else b"this is no image")
        with pytest.raises(InputError, match="cannot read this as an image"):
            read_image(tmp_path / name, image())
    iio.imwrite(tmp_path / "colour.png", np.zeros((5, 7, 3), dtype=np.uint8))
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / "colour.png", image())
    assert caught.value.expected == "uint8, 2 dimensions"
    assert caught.value.found == "uint8, 3 dimensions (3 channels)"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("radius", 9, "-i radius=9: scalar radius is out of its range\n  expected: a value of 1 to 8"),
        ("radius", 0, "-i radius=0: scalar radius is out of its range"),
        ("radius", 2.5, "-i radius=2.5: not a value of scalar input radius\n  expected: int32"),
        ("raduis", 3, "-i raduis=3: no scalar input 'raduis'\n  expected: radius"),
    ],
)
def test_scalars_have_to_fit(name: str, value: float, expected: str) -> None:
    radius = ScalarArgument(name="radius", dtype="int32", estimate=2, minimum=1, maximum=8)
    pipeline = PipelineSpec(name="p", hlpipe=b"", inputs=(image(), radius), outputs=(), funcs=())
    with pytest.raises(InputError) as caught:
        Inputs(scalars=((name, value),)).assign(pipeline)
    assert expected in str(caught.value)
    given = Inputs(scalars=(("radius", 8),))
    assert given.assign(pipeline) == {} and given.scalar(radius) == 8 and Inputs().scalar(radius) == 2


def test_an_image_for_one_of_several_inputs_needs_a_name() -> None:
    both = spec(image("bottom"), image("top"))
    with pytest.raises(InputError, match="is this image for") as caught:
        Inputs(images=((None, Path("top.png")), (None, Path("bottom.png")))).assign(both)
    assert "-i NAME=top.png with one of bottom, top" in str(caught.value)
