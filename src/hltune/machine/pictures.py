"""Small pictures of what a schedule reads and writes, for people to look at: a job for a worker."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from hltune.machine.inputs import Array, Inputs, input_arrays, size_text
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Task, compile_task
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
        high: value that is shown as white; for a difference the largest one.
        jpeg: the file; empty where outputs do not differ.
    """

    kind: Kind
    name: str
    dtype: str
    size: str
    low: float
    high: float
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
        arrays = input_arrays(process, self.spec, self.inputs)
        outputs = [self._outputs(process, schedule, arrays) for schedule in self.schedules]
        process.enter("pictures", timeout_s=60)
        read = zip((each.name for each in self.spec.inputs), arrays, strict=True)
        names = [name for output in self.spec.outputs for name in output.element_names]
        pictures = [*_pictures("input", read), *_pictures("output", zip(names, outputs[0], strict=True))]
        if len(outputs) > 1:
            distances = map(_distance, *outputs)
            pictures += _pictures("difference", zip(names, distances, strict=True))
        return tuple(pictures)

    def _outputs(self, process: Process, schedule: Schedule, arrays: tuple[Array | float, ...]) -> tuple[Array, ...]:
        task = Task(spec=self.spec, schedule=schedule, target=self.target, inputs=self.inputs)
        compiled = compile_task(process, task, arrays, self.options)
        compiled.run(process, self.options)
        return tuple(array.copy() for array in compiled.outputs)  # the next schedule writes to the same memory


def _distance(one: Array, other: Array) -> Array:
    """How far the values of two arrays are from each other; where one of them is no number, that is infinite."""
    distance = np.abs(one.astype(np.float64) - other.astype(np.float64))
    distance[(one == other) | (np.isnan(distance) & (one != one) & (other != other))] = 0.0
    return np.where(np.isnan(distance), np.inf, distance)


def _pictures(kind: Kind, arrays: Iterable[tuple[str, Array | float]]) -> Iterator[Picture]:
    images = ((name, each, _planes(each)) for name, each in arrays if isinstance(each, np.ndarray))
    for name, array, planes in islice((each for each in images if each[2] is not None), _MOST):
        assert planes is not None
        yield _picture(kind, name, array, planes)


def _picture(kind: Kind, name: str, array: Array, planes: Array) -> Picture:
    low, high = (0.0, float(planes.max())) if kind == "difference" else _range(array)
    jpeg = b""
    if kind != "difference" or high > 0.0:
        jpeg = _jpeg(_small(_grey(planes, low, high), np.max if kind == "difference" else np.mean))
    size = size_text(array.shape)
    return Picture(kind=kind, name=name, dtype=array.dtype.name, size=size, low=low, high=high, jpeg=jpeg)


def _planes(array: Array) -> Array | None:
    """An image as planes of one or three colours; None for what is none."""
    planes = array[np.newaxis] if array.ndim == 2 else array
    if planes.ndim == 3 and planes.shape[0] not in _CHANNELS:
        planes = np.moveaxis(planes, 2, 0)
    if planes.ndim != 3 or planes.shape[0] not in _CHANNELS or min(planes.shape[1:]) < _SMALLEST:
        return None
    return planes[:_COLOURS]


def _range(array: Array) -> tuple[float, float]:
    """Values that are black and white: all of eight bits, or the least and the largest that there are."""
    if array.dtype == np.uint8:
        return 0.0, 255.0
    numbers = array[np.isfinite(array)]
    return (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 1.0)


def _grey(planes: Array, low: float, high: float) -> Array:
    """Values from black to white as 0 to 1; what is no number is black, and what is infinite is at an end."""
    width = high - low if low < high < np.inf else 1.0
    return np.nan_to_num(np.clip((planes.astype(np.float64) - low) / width, 0.0, 1.0), nan=0.0)


def _small(planes: Array, of_block: Callable[..., Array]) -> Array:
    """Planes whose pixels stand for square blocks of larger ones: for their mean, or for the largest in them."""
    count, height, width = planes.shape
    step = -(-max(height, width) // _LARGEST)
    padded = np.pad(planes, ((0, 0), (0, -height % step), (0, -width % step)), mode="edge")
    blocks = padded.reshape(count, padded.shape[1] // step, step, padded.shape[2] // step, step)
    return of_block(blocks, axis=(2, 4))


def _jpeg(planes: Array) -> bytes:
    import imageio.v3 as iio

    pixels = np.rint(255 * np.moveaxis(planes, 0, 2)).astype(np.uint8)
    picture = io.BytesIO()
    iio.imwrite(picture, pixels if pixels.shape[2] == _COLOURS else pixels[:, :, 0], extension=".jpg", quality=_QUALITY)
    return picture.getvalue()
