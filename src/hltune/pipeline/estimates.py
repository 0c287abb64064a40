"""Completes the estimates: ``--estimate`` before ``--example`` before the user's code.

An output follows an image whose size the user gives, if its dimensions fit and it has no estimate of its own, or the
one that the image had before: a filter whose output is as large as its input stays one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from hltune.pipeline.algorithm import Algorithm, ImageInput, ScalarInput
from hltune.pipeline.images import check_axes, read_array
from hltune.pipeline.pitches import input_strides, pitches_of, scalar_values, with_values
from hltune.pipeline.serialized import SerializedOutput, plain_name
from hltune.pipeline.source import Examples, Source, parse_number
from hltune.values.errors import InputError
from hltune.values.pipeline import (
    BufferArgument,
    Constraint,
    Constraints,
    Interval,
    Number,
    ScalarArgument,
    check_range,
    converted,
    fits,
)

T = TypeVar("T")

Partial = tuple[Interval | None, ...]
"""One interval per dimension, innermost first, as far as known."""
Given = Mapping[str, tuple[Number, ...]]
Extents = tuple[int, ...]
"""One per dimension, innermost first."""


def complete_estimates(
    algorithm: Algorithm, outputs: Sequence[SerializedOutput], source: Source
) -> tuple[list[BufferArgument | ScalarArgument], list[tuple[Interval, ...]]]:
    """Finds an estimate for every scalar and for every dimension of every image: all inputs, and those of each output.

    Raises:
        InputError: some are missing (it lists all), name no argument, or do not fit their argument.
    """
    given = _scalar_parameters(algorithm, source) | dict(source.estimates)
    _check_names(given, [i.name for i in algorithm.inputs] + [plain_name(o.name) for o in outputs])
    examples = _example_extents(algorithm.images, source.examples)
    scalars = {i.name: _scalar(i, given) for i in algorithm.scalars}
    images = {i.name: _image(i, given, examples) for i in algorithm.images}
    replaced = [
        (tuple(interval[1] for interval in images[i.name] if interval), _bounded(i.estimates, i.constraints))
        for i in algorithm.images
        if i.name in examples or i.name in given
    ]
    results = {plain_name(o.name): _output(o, given, replaced) for o in outputs}
    _check_complete(scalars, images, results, in_file=source.kind != "hlpipe")
    inputs = [
        _scalar_argument(i, _known(scalars[i.name]))
        if isinstance(i, ScalarInput)
        else _buffer_argument(i, _checked(i.name, images[i.name]))
        for i in algorithm.inputs
    ]
    scalar_inputs = scalar_values(inputs)
    inputs = [_laid_out(each, scalar_inputs) if isinstance(each, BufferArgument) else each for each in inputs]
    return inputs, [_checked(name, partial) for name, partial in results.items()]


def _scalar_argument(i: ScalarInput, estimate: Number) -> ScalarArgument:
    if i.dtype == "float16":
        raise InputError(
            f"scalar {i.name} is of type float16, which Halide's compiled functions do not take from Python",
            expected="a scalar of another type; images of float16 work",
            todo=f"make {i.name} a float32 and cast it in the file: hl.cast(hl.Float(16), {i.name})",
        )
    limits = (i.minimum, i.maximum)
    minimum, maximum = (None if limit is None or math.isinf(limit) else _converted(i.dtype, limit) for limit in limits)
    argument = ScalarArgument(name=i.name, dtype=i.dtype, estimate=estimate, minimum=minimum, maximum=maximum)
    check_range(argument, estimate, where=f"estimate of {i.name}")
    return argument


def _buffer_argument(i: ImageInput, estimate: tuple[Interval, ...]) -> BufferArgument:
    return BufferArgument(
        name=i.name,
        dtype=i.dtype,
        estimate=estimate,
        constraints=i.constraints,
        promises=i.promises,
        alignment=i.alignment,
    )


def _laid_out(argument: BufferArgument, scalars: Mapping[str, int]) -> BufferArgument:
    """With the strides that are promised as expressions."""
    strides = [input_strides(argument.promises, len(argument.estimate))]
    constraints = with_values(argument.constraints, strides, scalars)
    return replace(argument, constraints=constraints, pitches=pitches_of(strides))


def _scalar_parameters(algorithm: Algorithm, source: Source) -> dict[str, tuple[Number, ...]]:
    """What ``-p`` says of scalar inputs; it is as good as an estimate."""
    names = {i.name for i in algorithm.scalars}
    found: dict[str, tuple[Number, ...]] = {}
    for name, text in source.parameters:
        if name in names:
            if (number := parse_number(text)) is None:
                expected = "a number, true or false"
                raise InputError("not a value of a scalar input", where=f"-p {name}={text}", expected=expected)
            found[name] = (number,)
    return found


def _check_names(given: Mapping[str, object], names: Sequence[str]) -> None:
    for name in given:
        if name not in names:
            raise InputError(
                "no such input or output",
                where=f"--estimate {name}=...",
                expected="one of " + ", ".join(names),
                found=repr(name),
            )


def _example_extents(images: Sequence[ImageInput], examples: Examples) -> dict[str, Extents]:
    found: dict[str, Extents] = {}
    for name, path in examples:
        image = _image_for(name, path, images)
        array = read_array(Path(path), dtype=image.dtype, where=f"--example {path}")
        extents = tuple(reversed(array.shape))
        if len(extents) != len(image.estimates):
            raise InputError(
                "the example does not fit",
                where=f"--example {path}",
                expected=f"an image of {len(image.estimates)} dimensions for input {image.name}",
                found=f"{len(extents)} dimensions: " + "x".join(map(str, extents)),
            )
        innermost = image.estimates[0] if image.estimates else None
        check_axes(Path(path), array, None if innermost is None else innermost[1], where=f"--example {path}")
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


def _image(argument: ImageInput, given: Given, examples: Mapping[str, Extents]) -> Partial:
    name, constraints = argument.name, argument.constraints
    if name in given:
        extents = _given_extents(name, len(argument.estimates), given[name])
        return _allowed(extents, constraints, f"--estimate {name}=...")
    if name in examples:
        return _allowed(examples[name], constraints, f"--example of {name}")
    return _bounded(argument.estimates, constraints)


def _output(output: SerializedOutput, given: Given, replaced: Sequence[tuple[Extents, Partial]]) -> Partial:
    """Intervals of an output; `replaced` has the extents that the user gave and the estimates they stand in for."""
    name, own = plain_name(output.name), _bounded(output.estimates, output.constraints)
    if name in given:
        extents = _given_extents(name, len(own), given[name])
        return _allowed(extents, output.constraints, f"--estimate {name}=...")
    count = len(own)
    fitting = {
        extents[:count]  # a grey image of a coloured one has its width and height
        for extents, before in replaced
        if (own == before[:count] and count > 1) or (count == len(extents) and (own == before or not any(own)))
    }
    return _bounded(_from_zero(fitting.pop()), output.constraints) if len(fitting) == 1 else own


def _given_extents(name: str, dimensions: int, numbers: tuple[Number, ...]) -> Extents:
    extents = tuple(number for number in numbers if type(number) is int and number >= 1)
    if len(extents) != len(numbers) or len(extents) != dimensions:
        raise _misfit(name, numbers, f"{dimensions} extents of at least 1: {name}={_placeholder(dimensions)}")
    return extents


def _bounded(partial: Partial, constraints: Constraints) -> Partial:
    """Intervals corrected by the bounds that the user's code sets: these are promises, and estimates are guesses."""
    return tuple(map(_bounded_interval, partial, constraints or [Constraint()] * len(partial)))


def _bounded_interval(interval: Interval | None, constraint: Constraint) -> Interval | None:
    minimum, extent = interval or (None, None)
    minimum = minimum if constraint.minimum is None else constraint.minimum
    extent = extent if constraint.extent is None else constraint.extent
    return None if minimum is None or extent is None else (minimum, extent)


def _allowed(extents: Extents, constraints: Constraints, where: str) -> Partial:
    """Extents that the user gives, unless the pipeline promises others."""
    bounded = _bounded(_from_zero(extents), constraints)
    promised = tuple(interval[1] for interval in bounded if interval)
    if promised != extents:
        raise InputError(
            "the pipeline's own bounds are others",
            where=where,
            expected="x".join(map(str, promised)),
            found="x".join(map(str, extents)),
            todo="give that size, or change set_bounds, set_extent or bound in the file",
        )
    return bounded


def _scalar(argument: ScalarInput, given: Given) -> Number | None:
    if argument.name not in given:
        return argument.estimate if argument.estimate is None else _converted(argument.dtype, argument.estimate)
    numbers = given[argument.name]
    value = _converted(argument.dtype, numbers[0]) if len(numbers) == 1 else None
    if value is None:
        raise _misfit(argument.name, numbers, f"one value of type {argument.dtype}")
    return value


def _misfit(name: str, numbers: tuple[Number, ...], expected: str) -> InputError:
    found = "x".join(map(str, numbers))
    return InputError("the estimate does not fit", where=f"--estimate {name}=...", expected=expected, found=found)


def _converted(dtype: str, number: Number) -> Number | None:
    """The number as a value of its type; None if it is none."""
    return converted(number, dtype) if fits(number, dtype) else None


def _check_complete(
    scalars: Mapping[str, Number | None],
    images: Mapping[str, Partial],
    results: Mapping[str, Partial],
    *,
    in_file: bool,
) -> None:
    sizes = [("input", *item) for item in images.items()] + [("output", *item) for item in results.items()]
    holes = [(kind, name, partial) for kind, name, partial in sizes if None in partial]
    missing = [f"{kind} {name} (dimension {_unknown(partial)} of {len(partial)})" for kind, name, partial in holes]
    missing += [f"scalar {name}" for name, value in scalars.items() if value is None]
    if not missing:
        return
    options = [f"--estimate {name}={_placeholder(len(partial))}" for _, name, partial in holes]
    options += [f"--estimate {name}=VALUE" for name, value in scalars.items() if value is None]
    options += [
        f"--example {name}=image.png" for kind, name, partial in holes if kind == "input" and len(partial) in (2, 3)
    ]
    raise InputError(
        "estimates are missing: a schedule is found for certain sizes",
        expected="an estimate of every input and output",
        found="none for " + ", ".join(missing),
        todo=("call set_estimates or set_estimate in the file, or pass " if in_file else "pass ") + " ".join(options),
    )


def _unknown(partial: Partial) -> str:
    return ", ".join(str(index) for index, interval in enumerate(partial) if interval is None)


def _placeholder(dimensions: int) -> str:
    return "x".join(("WIDTH", "HEIGHT", "CHANNELS", *(f"N{i}" for i in range(3, dimensions)))[:dimensions])


def _from_zero(extents: Extents) -> tuple[Interval, ...]:
    return tuple((0, extent) for extent in extents)


def _checked(name: str, partial: Partial) -> tuple[Interval, ...]:
    intervals = tuple(_known(interval) for interval in partial)
    for dimension, (_, extent) in enumerate(intervals):
        if extent < 1:
            raise InputError(
                "an estimate is empty",
                where=f"{name}, dimension {dimension}",
                expected="an extent of at least 1",
                found=str(extent),
            )
    return intervals


def _known(value: T | None) -> T:
    assert value is not None, "checked by _check_complete"
    return value
