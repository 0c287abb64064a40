"""Sizes of example images."""

from collections.abc import Sequence
from pathlib import Path

from hltune.pipeline.algorithm import ImageInput
from hltune.pipeline.images import read_array
from hltune.values.errors import InputError


def example_extents(
    images: Sequence[ImageInput], examples: Sequence[tuple[str | None, str]]
) -> dict[str, tuple[int, ...]]:
    """Extents per input, x first, taken from ``--example`` images.

    Raises:
        InputError: an image cannot be read, is for no input, or has other dimensions than its input.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, path in examples:
        image = _image_for(name, path, images)
        extents = _extents(path)
        if len(extents) != len(image.estimates):
            raise InputError(
                "the example does not fit",
                where=f"--example {path}",
                expected=f"an image of {len(image.estimates)} dimensions for input {image.name}",
                found=f"{len(extents)} dimensions: " + "x".join(map(str, extents)),
            )
        found[image.name] = extents
    return found


def _image_for(name: str | None, path: str, images: Sequence[ImageInput]) -> ImageInput:
    fitting = [image for image in images if name in (None, image.name)]
    if len(fitting) == 1:
        return fitting[0]
    raise InputError(
        "which input is the example for?" if name is None else "no such input image",
        where=f"--example {path}" if name is None else f"--example {name}={path}",
        expected="the name of an input image: " + (", ".join(image.name for image in images) or "there is none"),
        todo="write --example NAME=image.png",
    )


def _extents(path: str) -> tuple[int, ...]:
    return tuple(reversed(read_array(Path(path), where=f"--example {path}").shape))
