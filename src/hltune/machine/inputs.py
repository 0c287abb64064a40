"""What candidates run on: the user's images, or seeded random data.

Arrays are NumPy's with Halide's dimensions reversed, see `hltune.pipeline.images`.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hltune.machine.distances import parts
from hltune.machine.portable import fill_portably, integer_range
from hltune.machine.smooth import fill_smoothly
from hltune.pipeline.images import Array, check_axes, read_array
from hltune.pipeline.layout import layout_of, stored
from hltune.runtime.worker import Process
from hltune.values.errors import INPUTS, InputError
from hltune.values.pipeline import BufferArgument, Interval, Number, PipelineSpec, ScalarArgument, check_range, fits

_UNREAD = "unread"
"""In place of a digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Which data to run on; the data itself is made where it is used.

    Attributes:
        images: pairs of an input's name, or None for the only one that has no image yet, and a file.
        digests: of some of these files, as they were when the run began: what was measured on others does not compare.
        scalars: values for inputs that are no images; the estimate counts for others.
        seed: start of the random data for the other inputs.
        portable: the random data is such that a C program makes it as well, see `hltune.machine.portable`.
        smooth: the random data is no noise, see `hltune.machine.smooth`.
        signed: half of the floats of smooth data are negative, for what is done of these alone, as of sums of weights,
            would never be.
    """

    images: tuple[tuple[str | None, Path], ...] = ()
    digests: tuple[tuple[Path, str], ...] = ()
    scalars: tuple[tuple[str, Number], ...] = ()
    seed: int = 0
    portable: bool = False
    smooth: bool = False
    signed: bool = False

    def check_unchanged(self, image: Path) -> None:
        """Raises an `InputError` if a file holds something else than when the run began."""
        if (known := dict(self.digests).get(image)) is not None and (now := file_digest(image)) != known:
            raise InputError(
                "the image has changed since this run began",
                where=str(image),
                expected=f"what it held then, SHA-256 {known}...",
                found=f"{now}...",
                todo="what was measured is kept; put the image back, or give the new one under another name",
            )

    def scalar(self, argument: ScalarArgument) -> Number:
        """The value of an input that is no image."""
        return dict(self.scalars).get(argument.name, argument.estimate)

    def assign(self, spec: PipelineSpec) -> Mapping[str, Path]:
        """Which input gets which file.

        Raises:
            InputError: an input is unknown or taken, it is not clear for which one a file is, or a scalar does not fit.
        """
        self._check_scalars(spec)
        self._check_files(spec)
        free = [argument.name for argument in spec.buffers()]
        known = ", ".join(free)
        assigned: dict[str, Path] = {}
        for name, path in sorted(self.images, key=lambda image: image[0] is None):
            if name is None and len(free) > 1:  # an order of inputs that Halide made up would swap images in silence
                raise InputError(
                    f"which input of {spec.name} is this image for?",
                    where=str(path),
                    expected=f"a name: -i NAME={path.name} with one of {', '.join(free)}",
                )
            chosen = name if name is not None else next(iter(free), None)
            if chosen not in free:
                raise InputError(
                    f"no input of {spec.name} is left for this image" if name is None else f"no input {name!r}",
                    where=str(path),
                    expected=f"each of these at most once: {known}",
                )
            free.remove(chosen)
            assigned[chosen] = path
        return assigned

    def _check_files(self, spec: PipelineSpec) -> None:
        """What is no number stands for a file, which a scalar input does not take, and which has been there."""
        scalars = {each.name: each.dtype for each in spec.inputs if isinstance(each, ScalarArgument)}
        for name, path in self.images:
            where = f"-i {name}={path.name}"
            if name in scalars:
                what = f"{name} is a scalar input, which takes a number"
                raise InputError(what, where=where, expected=f"a number of type {scalars[name]}", found=repr(path.name))
            if name is not None and dict(self.digests).get(path) == _UNREAD and not path.exists():
                raise InputError("no such image", where=where, found=f"no file {path}")

    def are_drawn(self, spec: PipelineSpec) -> bool:
        """An input is random data."""
        return len(self.assign(spec)) < len([*spec.buffers()])

    def _check_scalars(self, spec: PipelineSpec) -> None:
        known = {a.name: a for a in spec.inputs if isinstance(a, ScalarArgument)}
        for name, value in self.scalars:
            if name not in known:
                raise InputError(
                    f"no scalar input {name!r}",
                    where=f"-i {name}={value}",
                    expected=", ".join(known) or "none: this pipeline has no scalar inputs",
                )
            where = f"-i {name}={value}"
            if not fits(value, known[name].dtype):
                what = f"not a value of scalar input {name}"
                raise InputError(what, where=where, expected=known[name].dtype, found=str(value))
            check_range(known[name], value, where=where)


def smooth(inputs: Inputs, *, signed: bool = False) -> Inputs:
    """The same with smooth random data."""
    return replace(inputs, smooth=True, signed=signed)


def file_digest(path: Path) -> str:
    """The beginning of a file's SHA-256, or ``unread``: who reads it as an image says what is wrong."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    except OSError:
        return _UNREAD


class ImageTooSmall(InputError):
    """An image does not have all that an input is estimated to have."""


def real_data(spec: PipelineSpec) -> str:
    """How to run on other than random data, in the words of the command line."""
    images = [f"-i {argument.name}=FILE" for argument in spec.buffers()]
    named = images or [f"-i {argument.name}=VALUE" for argument in spec.inputs]
    return f"real data with {' '.join(named or ['-i'])}"


def shape_of(estimate: tuple[Interval, ...]) -> tuple[int, ...]:
    """NumPy's shape for Halide's intervals."""
    return tuple(extent for _, extent in reversed(estimate))


def input_bytes(spec: PipelineSpec) -> int:
    """Of all elements of all input images."""
    return sum(_bytes(each.dtype, each.estimate) for each in spec.buffers())


def output_bytes(spec: PipelineSpec) -> int:
    """Of all elements of all outputs."""
    return sum(_bytes(dtype, each.estimate) for each in spec.outputs for dtype in each.dtypes)


def _bytes(dtype: str, estimate: tuple[Interval, ...]) -> int:
    return np.dtype(dtype).itemsize * math.prod(extent for _, extent in estimate)


def input_arrays(process: Process, spec: PipelineSpec, inputs: Inputs) -> tuple[Array | float, ...]:
    """What `arrays_of` makes, once per worker process."""
    key = f"inputs {spec.content_hash} {inputs}"
    if key not in process.state:
        process.enter(INPUTS, timeout_s=120)
        process.state[key] = arrays_of(spec, inputs)
    return process.state[key]


def arrays_of(spec: PipelineSpec, inputs: Inputs) -> tuple[Array | float, ...]:
    """The inputs at the size of the estimates, in the order of the spec."""
    images = inputs.assign(spec)
    return tuple(
        input_array(each, images.get(each.name), inputs) if isinstance(each, BufferArgument) else inputs.scalar(each)
        for each in spec.inputs
    )


def input_array(argument: BufferArgument, image: Path | None, inputs: Inputs) -> Array:
    """An input at the size of its estimate: from a file, or random without one; an `InputError` if it does not fit."""
    if image is None and inputs.smooth:
        array = _empty(argument)
        fill_smoothly(array, _generator(argument, inputs.seed), signed=inputs.signed)
        return array
    if image is None and inputs.portable:
        array = _empty(argument)
        fill_portably(array, name=argument.name, seed=inputs.seed)
        return array
    if image is None:
        return random_array(argument, seed=inputs.seed)
    inputs.check_unchanged(image)
    return image_array(argument, image)


def image_array(argument: BufferArgument, image: Path) -> Array:
    """As much of an image or ``.npy`` file as the estimate of an input says; an `ImageTooSmall` if it does not fit."""
    array = read_image(image, argument)
    wanted = shape_of(argument.estimate)
    if any(extent < least for extent, least in zip(array.shape, wanted, strict=True)):
        raise ImageTooSmall(
            f"the image is too small for input {argument.name}",
            where=str(image),
            expected=f"{size_text(wanted)} or larger, the size that the pipeline is scheduled for",
            found=size_text(array.shape),
            todo="give --example IMAGE to schedule for this size, or --size WxH for a built-in benchmark",
        )
    return laid_out(argument, array[tuple(slice(extent) for extent in wanted)])


def random_array(argument: BufferArgument, *, seed: int) -> Array:
    """Floats over [0, 1), integers over the whole range of the type, or as far as they can be computed with."""
    shape = shape_of(argument.estimate)
    rng = _generator(argument, seed)
    array = _empty(argument)
    if array.dtype.kind == "f" and array.dtype.itemsize == 2:
        # Drawn in its own precision: rounded to a narrower type, a value just below 1 would become 1.
        for _, part in parts(shape):
            array[part] = rng.integers(0, 2**11, array[part].shape) / 2**11
    elif array.dtype.kind == "f":
        array[...] = rng.random(shape, dtype=np.float32 if array.dtype.itemsize == 4 else np.float64)
    elif array.dtype.kind == "b":
        array[...] = rng.integers(0, 2, shape, dtype=np.uint8)
    else:
        low, high = integer_range(array.dtype)
        array[...] = rng.integers(low, high, shape, dtype=array.dtype.name, endpoint=True)
    return array


def read_image(path: Path, argument: BufferArgument) -> Array:
    """Reads an image or a ``.npy`` file for an input, whatever its size; its last axis is x.

    An `InputError` if it cannot be read, or has another element type, number or order of dimensions than the input.
    """
    image = read_array(path, dtype=argument.dtype, where=str(path))
    dimensions = len(argument.estimate)
    if image.dtype.name != argument.dtype or image.ndim != dimensions:
        raise InputError(
            f"the image does not fit input {argument.name}",
            where=str(path),
            expected=_form(argument.dtype, dimensions),
            found=_form(image.dtype.name, image.ndim, image.shape[0] if image.ndim == 3 else None),
            todo=_conversion(path, image, argument.dtype, dimensions),
        )
    if dimensions:
        check_axes(path, image, argument.estimate[0][1], where=str(path))
    return image


def _conversion(path: Path, image: Array, dtype: str, dimensions: int) -> str:
    """What to do about an image of another element type or number of dimensions."""
    if image.ndim != dimensions:
        return "convert the image, for example to 8-bit greyscale for a uint8 input of 2 dimensions"
    if path.suffix.lower() == ".npy":
        return f'convert its elements, as in numpy.save(FILE, numpy.load("{path.name}").astype("{dtype}"))'
    return f"convert the image to {dtype}, or give an array of them as a .npy file"


def laid_out(argument: BufferArgument, image: Array) -> Array:
    """A copy of an image that has the size of the estimate, in the memory layout that the pipeline asks for."""
    array = _empty(argument)
    array[...] = image
    return array


def _generator(argument: BufferArgument, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, *argument.name.encode()])


def _empty(argument: BufferArgument) -> Array:
    """Memory to fill; what lies between rows and around them is the same in each process, if anyone should read it."""
    memory = stored(layout_of(argument, argument.dtype), name=argument.name, alignment=argument.alignment)
    memory.poison()
    return memory.array


def size_text(shape: tuple[int, ...]) -> str:
    """Extents as people write them: WxH, or WxHxC."""
    return "x".join(map(str, reversed(shape)))


def _form(dtype: str, dimensions: int, channels: int | None = None) -> str:
    return f"{dtype}, {dimensions} dimensions" + (f" ({channels} channels)" if channels else "")
