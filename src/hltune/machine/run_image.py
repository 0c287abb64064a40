"""Runs a schedule once on real images of any size: a job for a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from hltune.errors import InputError
from hltune.machine.inputs import Array, Inputs, image_size, read_image
from hltune.machine.jobs import Compiled, Task, compile_task
from hltune.machine.options import MeasureOptions
from hltune.pipeline.spec import BufferArgument, Interval, OutputArgument, PipelineSpec
from hltune.schedule.directives import Schedule
from hltune.worker import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class RunImageJob:
    """Applies a schedule to images and writes the outputs.

    An output is as much larger or smaller than its estimate as the first image is than its own.

    Attributes:
        outputs: a file per output, in order; ``.npy``, or an image format for what fits into one.
    """

    spec: PipelineSpec
    schedule: Schedule
    target: str
    inputs: Inputs
    outputs: tuple[Path, ...]
    options: MeasureOptions

    def run(self, process: Process) -> tuple[str, ...]:
        """Runs in the worker; returns the sizes of the outputs.

        Raises:
            InputError: an image does not fit, is too small for the schedule, or an output cannot be written.
        """
        process.enter("inputs", timeout_s=120)
        images = self._images()
        sized = _resized(self.spec, images)
        arrays = tuple(
            images[argument.name] if isinstance(argument, BufferArgument) else argument.estimate
            for argument in sized.inputs
        )
        task = Task(spec=sized, schedule=self.schedule, target=self.target, inputs=self.inputs)
        compiled = compile_task(process, task, arrays, self.options)
        self._run(compiled, process, images)
        process.enter("write", timeout_s=120)
        for path, output in zip(self.outputs, compiled.outputs, strict=True):
            write_image(path, output)
        return tuple(image_size(output) for output in compiled.outputs)

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

    def _run(self, compiled: Compiled, process: Process, images: Mapping[str, Array]) -> None:
        import halide as hl

        try:
            compiled.run(process, self.options)
        except hl.HalideError as error:
            sizes = ", ".join(f"{name} is {image_size(array)}" for name, array in images.items())
            raise InputError(
                "the schedule cannot run on images of this size",
                where=self.spec.name,
                found=f"{sizes}. {str(error).strip()}",
                todo="schedule for it: hltune schedule ... --example IMAGE, then run with the same --example",
            ) from None


def _resized(spec: PipelineSpec, images: Mapping[str, Array]) -> PipelineSpec:
    """The same pipeline with the images' sizes as estimates."""
    leader = next(spec.buffers(), None)
    if leader is None:
        return spec
    factors = [
        Fraction(extent, estimated)
        for extent, (_, estimated) in zip(reversed(images[leader.name].shape), leader.estimate, strict=True)
    ]
    return replace(
        spec,
        inputs=tuple(
            replace(a, estimate=_intervals(a.estimate, images[a.name])) if isinstance(a, BufferArgument) else a
            for a in spec.inputs
        ),
        outputs=tuple(_scaled(output, factors) for output in spec.outputs),
    )


def _intervals(estimate: tuple[Interval, ...], image: Array) -> tuple[Interval, ...]:
    extents = reversed(image.shape)
    return tuple((minimum, extent) for (minimum, _), extent in zip(estimate, extents, strict=True))


def _scaled(output: OutputArgument, factors: list[Fraction]) -> OutputArgument:
    padded = [*factors, *[Fraction(1)] * len(output.estimate)]
    return replace(
        output,
        estimate=tuple(
            (minimum, max(1, int(extent * factor)))
            for (minimum, extent), factor in zip(output.estimate, padded, strict=False)
        ),
    )


def write_image(path: Path, array: Array) -> None:
    """Writes an output; planar colour becomes interleaved.

    Raises:
        InputError: the format cannot hold it, or the file cannot be written.
    """
    import imageio.v3 as iio

    try:
        if path.suffix == ".npy":
            np.save(path, array)
        else:
            iio.imwrite(path, np.moveaxis(array, 0, 2) if array.ndim == 3 else array)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            "cannot write the image",
            where=str(path),
            found=f"{error} ({array.dtype.name}, {image_size(array)})",
            todo="choose a place that can be written to and a format that holds this, or .npy, which holds all",
        ) from None
