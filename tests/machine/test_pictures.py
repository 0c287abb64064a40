"""Pictures of what schedules read and write."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest

from hltune.machine.inputs import Inputs, random_array
from hltune.machine.open import resolve
from hltune.machine.pictures import Picture, PicturesJob
from hltune.runtime.worker import Worker
from hltune.schedule.parse import parse_schedule
from hltune.values.directives import Schedule
from tests.machine.opened import OPTIONS, load

OTHER_ORDER = "total.update(0).reorder(r_y, r_x, x, y);"


@pytest.fixture(scope="module")
def pictures() -> dict[tuple[str, str], Picture]:
    target = resolve("host")
    spec = load("sums", target)
    schedules = (Schedule(), parse_schedule(OTHER_ORDER, spec.funcs))
    job = PicturesJob(spec=spec, schedules=schedules, target=target.name, inputs=Inputs(), options=OPTIONS)
    with Worker() as worker:
        made = worker.run(job)
    assert len(made) == 6
    return {(each.kind, each.name): each for each in made}


def pixels(picture: Picture) -> np.ndarray:
    return iio.imread(picture.jpeg, extension=".jpg")


def test_images_are_shown_and_tables_are_not(pictures: dict[tuple[str, str], Picture]) -> None:
    assert {name for kind, name in pictures if kind == "input"} == {"image", "colours"}
    colours = pictures["input", "colours"]
    assert (colours.size, colours.low, colours.high) == ("3x40x30", 0.0, 255.0)
    assert pixels(colours).shape == (30, 40, 3)


def test_a_large_image_is_shown_by_the_means_of_its_blocks(pictures: dict[tuple[str, str], Picture]) -> None:
    spec = load("sums", resolve("host"))
    (argument,) = (each for each in spec.buffers() if each.name == "image")
    image = random_array(argument, seed=0)
    shown = pictures["input", "image"]
    assert (shown.low, shown.high) == (image.min(), image.max())
    found = pixels(shown)
    assert found.shape == (107, 207)  # a third, rounded up
    means = image[:318, :618].reshape(106, 3, 206, 3).mean(axis=(1, 3))
    assert np.abs(found[:106, :206] / 255 - means).mean() < 0.03


def test_what_differs_is_shown_by_the_largest_difference(pictures: dict[tuple[str, str], Picture]) -> None:
    rounded, equal = pictures["difference", "total"], pictures["difference", "shown"]
    assert 0.0 < rounded.high < 1e-3
    assert pixels(rounded).max() > 240  # JPEG rounds
    assert (equal.high, equal.jpeg) == (0.0, b"")
