"""Runs a schedule once on real images of any size: a job for a worker."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hltune.machine.bounds import regions_read
from hltune.machine.inputs import Array, Inputs, laid_out, read_image, size_text
from hltune.machine.options import MeasureOptions
from hltune.machine.sensitivity import every_func_at_root
from hltune.machine.sizes import resized
from hltune.machine.task import COMPILE, Compiled, Task, attempted, checked, compile_code, compile_task
from hltune.runtime.files import part_of
from hltune.runtime.worker import Process
from hltune.schedule.repair import is_about_sizes, is_outside, with_repairs
from hltune.values.directives import Schedule
from hltune.values.errors import INPUTS, Failure, InputError
from hltune.values.pipeline import BufferArgument, PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RunImageJob:
    """Applies a schedule to images and writes the outputs.

    Attributes:
        outputs: a file per output, in order, None for what is not written; ``.npy``, or an image format for what fits
            into one.
        parts: where each of those that are written is until all are whole; who calls removes what is left of them.
        output_sizes: extents by output, for those that do not follow from the images.
    """

    spec: PipelineSpec
    schedule: Schedule
    target: str
    inputs: Inputs
    outputs: tuple[Path | None, ...]
    parts: tuple[Path, ...]
    output_sizes: tuple[tuple[str, tuple[int, ...]], ...]
    options: MeasureOptions

    def run(self, process: Process) -> tuple[str, ...]:
        """Runs in the worker; returns the sizes of the outputs."""
        files = (path for _, path in self.inputs.images if path.is_file())
        process.enter(INPUTS, timeout_s=_limit_s(path.stat().st_size for path in files))
        images = self._images()
        sizes = {name: tuple(reversed(array.shape)) for name, array in images.items()}
        sized = resized(self.spec, sizes, dict(self.output_sizes))
        arrays = tuple(
            laid_out(argument, images[argument.name])
            if isinstance(argument, BufferArgument)
            else self.inputs.scalar(argument)
            for argument in sized.inputs
        )
        _, compiled = with_repairs(self.schedule, lambda each: self._attempt(process, sized, each, arrays))
        if isinstance(compiled, Failure) and compiled.stage == COMPILE:
            raise InputError("the schedule does not compile", where=self.spec.name, found=compiled.message)
        if isinstance(compiled, Failure) and not is_about_sizes(compiled.message):
            raise InputError("the pipeline fails on these inputs", where=self.spec.name, found=compiled.message)
        if isinstance(compiled, Failure):
            outside = is_outside(compiled.message) and self._outside(process, sized)
            found = ", ".join(f"{name} is {size_text(array.shape)}" for name, array in images.items())
            if outside:
                raise InputError(
                    "the pipeline reads what these images do not have, whatever its schedule",
                    where=self.spec.name,
                    found=f"{found}; it reads {outside}",
                    todo="give larger images or a smaller --output-size; what is read before an image begins, as at "
                    "-1, no image has: then the pipeline needs a boundary condition, such as repeat_edge",
                )
            raise InputError(
                "the schedule cannot run on images of this size",
                where=self.spec.name,
                found=f"{found}. {compiled.message}",
                todo="schedule for it: hltune schedule ... --example IMAGE, then run with the same --example",
            )
        process.enter("write", timeout_s=_limit_s(array.nbytes for array in compiled.outputs))
        wanted = [array for path, array in zip(self.outputs, compiled.outputs, strict=True) if path]
        write_all([path for path in self.outputs if path], wanted, self.parts)
        return tuple(size_text(array.shape) for array in wanted)

    def _attempt(
        self, process: Process, sized: PipelineSpec, schedule: Schedule, arrays: tuple[Array | float, ...]
    ) -> Compiled | Failure:
        task = Task(spec=sized, schedule=schedule, target=checked(self.target), inputs=self.inputs)

        def compile_and_run() -> Compiled:
            compiled = compile_task(process, task, arrays, self.options)
            compiled.run(process, self.options)
            return compiled

        return attempted(process, compile_and_run)

    def _outside(self, process: Process, sized: PipelineSpec) -> str:
        """What the pipeline reads outside of its images with every Func at root; empty if it does not."""
        target = checked(self.target)
        task = Task(spec=sized, schedule=every_func_at_root(sized), target=target, inputs=self.inputs)
        read = regions_read(compile_code(process, task, self.options).function, sized, self.inputs)
        texts = [
            f"{argument.name} from {least} to {least + extent - 1} in dimension {number}"
            for argument in sized.buffers()
            for number, (least, extent) in enumerate(read[argument.name])
            if least < argument.estimate[number][0] or least + extent > sum(argument.estimate[number])
        ]
        return ", ".join(texts)

    def _images(self) -> dict[str, Array]:
        assigned = self.inputs.assign(self.spec)
        missing = [argument.name for argument in self.spec.buffers() if argument.name not in assigned]
        if missing:
            raise InputError(
                "inputs without data: " + ", ".join(missing),
                where=self.spec.name,
                todo=" ".join(f"-i {name}=FILE" for name in missing) + ", an image or a .npy file",
            )
        return {a.name: read_image(assigned[a.name], a) for a in self.spec.buffers()}


def _limit_s(sizes: Iterable[int]) -> float:
    """How long reading or writing files of so many bytes may take."""
    return max(_LEAST_FILE_S, sum(sizes) / _SLOWEST_BYTES_PER_S)


_LEAST_FILE_S, _SLOWEST_BYTES_PER_S = 120.0, 2e6
_GREY = ("bool", "uint8")
_HELD = {
    ".png": ((*_GREY, "uint16"), (2, 3, 4)),
    ".tif": ((*_GREY, "uint16", "int32", "float32"), (2, 3, 4)),
    ".tiff": ((*_GREY, "uint16", "int32", "float32"), (2, 3, 4)),
    ".jpg": (_GREY, (3,)),
    ".jpeg": (_GREY, (3,)),
    ".bmp": (_GREY, (3,)),
    ".ppm": ((*_GREY, "uint16"), (3,)),
    ".pgm": ((*_GREY, "uint16"), (3,)),
    ".webp": (_GREY, (2, 3, 4)),
}
"""By format: element types of two dimensions, and numbers of channels of uint8.

Pillow writes others as well, but not as they are: clipped to 8 bits, with another sign, or as an animation.
"""
_FORMATS = (".npy", *_HELD)


def check_format(path: Path) -> None:
    """Raises an `InputError` unless the ending of a file names a format."""
    if path.suffix.lower() not in _FORMATS:
        raise InputError("unknown image format", where=str(path), expected=", ".join(_FORMATS), found=repr(path.suffix))


def image_part(path: Path) -> Path:
    """As `part_of`, with the suffix by which the format is known."""
    return path.with_name(part_of(path).name + path.suffix)


def write_all(paths: Sequence[Path], arrays: Sequence[Array], parts: Sequence[Path]) -> None:
    """Writes all outputs, or none if a format cannot hold one or a file cannot be written.

    Args:
        parts: where they are until all are whole, see `image_part`.
    """
    try:
        for path, part, array in zip(paths, parts, arrays, strict=True):
            _write(path, part, array)
        for path, part in zip(paths, parts, strict=True):
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _write(path: Path, part: Path, array: Array) -> None:
    import imageio.v3 as iio

    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            with part.open("wb") as file:  # by name, it would get another suffix if this one is in capitals
                np.save(file, array)
        else:
            _check_held(path, array)
            # Left to choose, imageio takes what happens to be installed; several channels might be several images.
            iio.imwrite(part, _as_image(suffix, array), plugin="pillow", is_batch=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            "cannot write the image",
            where=str(path),
            found=f"{error} ({array.dtype.name}, {size_text(array.shape)})",
            todo="choose a place that can be written to, or .npy, which holds all",
        ) from None


def _check_held(path: Path, array: Array) -> None:
    """Raises an `InputError` if a format does not hold an output as it is."""
    suffix = path.suffix.lower()
    types, channels = _HELD[suffix]
    grey = array.ndim == 2 and array.dtype.name in types
    colour = array.ndim == 3 and array.dtype == np.uint8 and len(array) in channels
    if not grey and not colour:
        raise InputError(
            "the format does not hold this output",
            where=str(path),
            expected=f"{suffix} holds {', '.join(types)} of 2 dimensions, and uint8 of 3 dimensions of which the last "
            f"is channels: {', '.join(map(str, channels))}",
            found=f"{array.dtype.name} of {array.ndim} dimensions" + f", {size_text(array.shape)}" * (array.ndim > 0),
            todo=f"-o {path.with_suffix('.npy')}, which holds all",
        )


def _as_image(suffix: str, array: Array) -> Array:
    """Interleaved."""
    if array.dtype == np.bool_ and suffix in (".tif", ".tiff"):
        array = np.where(array, 255, 0).astype(np.uint8)  # of one bit, other programs see it inverted
    return np.moveaxis(array, 0, 2) if array.ndim == 3 else array
