"""Small pictures of what a schedule reads and writes, for people to look at: a job for a worker."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from hltune.machine.bounds import grown, regions_read
from hltune.machine.distances import distances
from hltune.machine.inputs import Array, Inputs, input_arrays, size_text
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Task, checked, compile_code, with_buffers
from hltune.runtime.worker import Process
from hltune.values.directives import Schedule
from hltune.values.pipeline import PipelineSpec

_LARGEST = 256
"""Pixels of the longer side of a picture."""
_SMALLEST = 8
"""What has a shorter side than this is a table, not an image."""
_COLOURS = 3
_CHANNELS = (1, 3, 4)
_QUALITY = 90
_MOST = 4
"""Images of each kind that are shown."""

Kind = Literal["input", "output", "difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image, made small.

    Attributes:
        size: of the image itself, WxH or WxHxC.
        low: value that is shown as black.
        high: value that is shown as white, for a difference the largest one; None for one that is no number.
        jpeg: the file; empty where outputs do not differ.
    """

    kind: Kind
    name: str
    dtype: str
    size: str
    low: float
    high: float | None
    jpeg: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturesJob:
    """Runs schedules once each, and makes pictures of the inputs, of the outputs of the first, and of differences.

    Attributes:
        schedules: one, or two whose outputs are compared.
        target: a full Halide target string that this computer can run.
    """

    spec: PipelineSpec
    schedules: tuple[Schedule, ...]
    target: str
    inputs: Inputs
    options: MeasureOptions

    def run(self, process: Process) -> tuple[Picture, ...]:
        """Runs in the worker; what is no image is left out."""
        tasks = [self._task(self.spec, schedule) for schedule in self.schedules]
        codes = [compile_code(process, task, self.options) for task in tasks]
        spec = self.spec  # with inputs as large as what is read of them
        for code in codes:
            spec = grown(spec, regions_read(code.function, spec, self.inputs))
        arrays = input_arrays(process, spec, self.inputs)
        outputs: list[tuple[Array, ...]] = []
        for schedule, code in zip(self.schedules, codes, strict=True):
            compiled = with_buffers(process, self._task(spec, schedule), code, arrays)
            compiled.run(process, self.options)
            outputs.append(tuple(array.copy() for array in compiled.outputs))  # the next one writes to the same memory
        process.enter("pictures", timeout_s=60)
        return tuple(_all_pictures(spec, arrays, outputs))

    def _task(self, spec: PipelineSpec, schedule: Schedule) -> Task:
        return Task(spec=spec, schedule=schedule, target=checked(self.target), inputs=self.inputs)


def _all_pictures(
    spec: PipelineSpec, arrays: Sequence[Array | float], outputs: Sequence[Sequence[Array]]
) -> Iterator[Picture]:
    read = [(a.name, each) for a, each in zip(spec.inputs, arrays, strict=True) if isinstance(each, np.ndarray)]
    names = spec.output_names
    first, *others = (list(zip(names, each, strict=True)) for each in outputs)
    for name, array in _images(read):
        yield _picture("input", name, array)
    for name, array in _images(first):
        yield _picture("output", name, array)
    for other in others:
        for name, array in _images(first):
            yield difference(name, array, dict(other)[name])


def _images(arrays: Iterable[tuple[str, Array]]) -> Iterator[tuple[str, Array]]:
    return islice((each for each in arrays if _planes(each[1]) is not None), _MOST)


def _picture(kind: Kind, name: str, array: Array) -> Picture:
    low, high = _range(array)

    def grey(part: Array) -> Array:
        return _grey(part[:_COLOURS], low, high)

    small = _small((array,), grey, np.mean)
    return _made(kind, name, array, low, high, _jpeg(small))


def difference(name: str, array: Array, other: Array) -> Picture:
    """How far two images of the same shape are from each other, in all of their channels."""
    far = _small((array, other), _distances, np.max).max(axis=0, keepdims=True)
    numbers = far[np.isfinite(far)]
    high = float(numbers.max()) if numbers.size else 0.0
    jpeg = _jpeg(_grey(far, 0.0, high or 1.0)) if far.any() else b""
    return _made("difference", name, array, 0.0, high if numbers.size == far.size else None, jpeg)


def _made(kind: Kind, name: str, array: Array, low: float, high: float | None, jpeg: bytes) -> Picture:
    size = size_text(array.shape)
    return Picture(kind=kind, name=name, dtype=array.dtype.name, size=size, low=low, high=high, jpeg=jpeg)


def _distances(one: Array, other: Array) -> Array:
    """How far values are from each other, integers exactly; infinite where only one is a number."""
    if one.dtype.kind != "f":
        return distances(one, other, 0.0).astype(np.float64)
    ours, theirs = one.astype(np.float64), other.astype(np.float64)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        far = np.abs(ours - theirs)
    return np.where(same, 0.0, np.nan_to_num(far, nan=np.inf, posinf=np.inf))


def _planes(array: Array) -> Array | None:
    """An image as planes of one, three or four channels; None for what is none."""
    planes = array[np.newaxis] if array.ndim == 2 else array
    if planes.ndim == 3 and planes.shape[0] not in _CHANNELS:
        planes = np.moveaxis(planes, 2, 0)
    if planes.ndim != 3 or planes.shape[0] not in _CHANNELS or min(planes.shape[1:]) < _SMALLEST:
        return None
    return planes


def _range(array: Array) -> tuple[float, float]:
    """Values that are black and white: all of eight bits, or the least and the largest that there are."""
    if array.dtype == np.uint8:
        return 0.0, 255.0
    numbers = array[np.isfinite(array)]
    return (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 1.0)


def _grey(values: Array, low: float, high: float) -> Array:
    """From black to white as 0 to 1; what is no number is black, and what is infinite is at an end."""
    width = high - low if low < high else 1.0
    return np.nan_to_num(np.clip((values.astype(np.float64) - low) / width, 0.0, 1.0), nan=0.0)


def _small(images: Sequence[Array], of_parts: Callable[..., Array], of_block: Callable[..., Array]) -> Array:
    """What `of_parts` makes of images, in planes whose pixels stand for square blocks of larger ones.

    Done for some rows at a time, for large images are larger as floats.
    """
    planes = [each for each in map(_planes, images) if each is not None]
    _, height, width = planes[0].shape
    step = -(-max(height, width) // _LARGEST)
    rows: list[Array] = []
    for top in range(0, height, step):
        values = of_parts(*(each[:, top : top + step] for each in planes))
        padded = np.pad(values, ((0, 0), (0, 0), (0, -width % step)), mode="edge")
        rows.append(of_block(padded.reshape(*padded.shape[:2], -1, step), axis=(1, 3)))
    return np.stack(rows, axis=1)


def _jpeg(planes: Array) -> bytes:
    import imageio.v3 as iio

    pixels = np.rint(255 * np.moveaxis(planes, 0, 2)).astype(np.uint8)
    picture = io.BytesIO()
    iio.imwrite(picture, pixels if pixels.shape[2] == _COLOURS else pixels[:, :, 0], extension=".jpg", quality=_QUALITY)
    return picture.getvalue()
