"""Pictures of what schedules read and write."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest

from hltune.machine.inputs import Inputs, random_array
from hltune.machine.open import resolve
from hltune.machine.pictures import Picture, PicturesJob, difference
from hltune.schedule.parse import parse_schedule
from hltune.values.directives import Schedule
from tests.loading import fresh
from tests.machine.opened import OPTIONS, load

OTHER_ORDER = "total.update(0).reorder(r_y, r_x, x, y);"
Pictures = dict[tuple[str, str], Picture]


def made(entry: str, other: str | None = None) -> Pictures:
    target = resolve("host")
    spec = load(entry, target)
    schedules = [Schedule()] if other is None else [Schedule(), parse_schedule(other, spec.funcs)]
    job = PicturesJob(spec=spec, schedules=tuple(schedules), target=target.name, inputs=Inputs(), options=OPTIONS)
    return {(each.kind, each.name): each for each in fresh(job)}


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    found = made("sums", OTHER_ORDER)
    assert len(found) == 6
    return found


def pixels(picture: Picture) -> np.ndarray:
    return iio.imread(picture.jpeg, extension=".jpg")


def test_images_are_shown_and_tables_are_not(pictures: Pictures) -> None:
    assert {name for kind, name in pictures if kind == "input"} == {"image", "colours"}
    colours = pictures["input", "colours"]
    assert (colours.size, colours.low, colours.high) == ("3x40x30", 0.0, 255.0)
    assert pixels(colours).shape == (30, 40, 3)


def test_a_large_image_is_shown_by_the_means_of_its_blocks(pictures: Pictures) -> None:
    spec = load("sums", resolve("host"))
    (argument,) = (each for each in spec.buffers() if each.name == "image")
    image = random_array(argument, seed=0)
    shown = pictures["input", "image"]
    assert (shown.low, shown.high) == (image.min(), image.max())
    found = pixels(shown)
    assert found.shape == (107, 207)  # a third, rounded up
    means = image[:318, :618].reshape(106, 3, 206, 3).mean(axis=(1, 3))
    assert np.abs(found[:106, :206] / 255 - means).mean() < 0.03


def test_what_differs_is_shown_by_the_largest_difference(pictures: Pictures) -> None:
    rounded, equal = pictures["difference", "total"], pictures["difference", "shown"]
    assert rounded.high is not None and 0.0 < rounded.high < 1e-3
    assert pixels(rounded).max() > 240  # JPEG rounds
    assert (equal.high, equal.jpeg) == (0.0, b"")


def test_outputs_of_any_kind_are_compared_exactly() -> None:
    """One of 64 bits, in which floats see no difference, a Tuple, one without dimensions, and one of four channels."""
    found = made("kinds", "wide.update(0).reorder(x, y, r_x);")
    outputs = {name for kind, name in found if kind == "output"}
    assert outputs == {"wide", "pair_0", "pair_1", "four"}
    assert {name for kind, name in found if kind == "difference"} == outputs
    assert all(found["difference", name].jpeg == b"" for name in outputs)
    odd = found["output", "pair_1"]
    assert (odd.low, odd.high) == (0.0, 1.0) and pixels(odd).max() == 0  # nothing but what is no number
    assert pixels(found["output", "four"]).shape == (12, 16, 3)
    assert pixels(found["output", "wide"]).shape == (12, 16)


def test_inputs_are_as_large_as_what_is_read() -> None:
    found = made("reaching")
    assert found["input", "image"].size == "36x20" and found["output", "shifted"].size == "32x16"


def test_distances_are_exact_and_infinite_where_one_is_no_number() -> None:
    one = np.zeros((8, 8), np.uint64)
    one[3, 4] = 2**53
    assert difference("", one, one + (one > 0)).high == 1.0
    nan = np.full((8, 8), np.nan, np.float32)
    assert difference("", nan, nan).jpeg == b""
    half = nan.copy()
    half[0, 0] = 1.0
    only = difference("", half, nan)
    assert only.high is None and only.jpeg
    alpha = np.zeros((4, 8, 8), np.uint8)
    assert difference("", alpha, alpha + np.array([0, 0, 0, 7], np.uint8)[:, None, None]).high == 7.0
