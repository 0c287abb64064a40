"""Completes the estimates: ``--estimate`` before ``--example`` before the user's code.

An output follows an image whose size the user gives, if its dimensions fit and it has no estimate of its own, or the
one that the image had before: a filter whose output is as large as its input stays one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hltune.pipeline.algorithm import ImageInput, ScalarInput
from hltune.pipeline.build import plain_name
from hltune.pipeline.examples import example_extents
from hltune.pipeline.serialized import SerializedOutput
from hltune.pipeline.source import Source, parse_number
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, Interval, Number, ScalarArgument, fits

T = TypeVar("T")

Input = ImageInput | ScalarInput
Partial = tuple[Interval | None, ...]
"""One interval per dimension, innermost first, as far as known."""
Given = Mapping[str, tuple[Number, ...]]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """All inputs with all their estimates; of each output its intervals."""

    inputs: tuple[BufferArgument | ScalarArgument, ...]
    outputs: tuple[tuple[Interval, ...], ...]


def complete_estimates(inputs: Sequence[Input], outputs: Sequence[SerializedOutput], source: Source) -> Estimated:
    """Finds an estimate for every scalar and for every dimension of every image.

    Raises:
        InputError: some are missing (it lists all), name no argument, or do not fit their argument.
    """
    given = _scalar_parameters(inputs, source) | dict(source.estimates)
    _check_names(given, [i.name for i in inputs] + [plain_name(o.name) for o in outputs])
    examples = example_extents([i for i in inputs if isinstance(i, ImageInput)], source.examples)
    scalars = {i.name: _scalar(i, given) for i in inputs if isinstance(i, ScalarInput)}
    images = {i.name: _image(i, given, examples) for i in inputs if isinstance(i, ImageInput)}
    replaced = [
        (tuple(interval[1] for interval in images[i.name] if interval), i.estimates)
        for i in inputs
        if isinstance(i, ImageInput) and (i.name in examples or i.name in given)
    ]
    results = {plain_name(o.name): _output(o, given, replaced) for o in outputs}
    _check_complete(scalars, images, results)
    return Estimated(
        inputs=tuple(
            ScalarArgument(name=i.name, dtype=i.dtype, estimate=_known(scalars[i.name]))
            if isinstance(i, ScalarInput)
            else BufferArgument(name=i.name, dtype=i.dtype, estimate=_checked(i.name, images[i.name]))
            for i in inputs
        ),
        outputs=tuple(_checked(name, partial) for name, partial in results.items()),
    )


def _scalar_parameters(inputs: Sequence[Input], source: Source) -> dict[str, tuple[Number, ...]]:
    """What ``-p`` says of scalar inputs; it is as good as an estimate."""
    scalars = {i.name for i in inputs if isinstance(i, ScalarInput)}
    return {key: _scalar_parameter(key, text) for key, text in source.parameters if key in scalars}


def _scalar_parameter(name: str, text: str) -> tuple[Number, ...]:
    number = parse_number(text)
    if number is None:
        raise InputError("not a value of a scalar input", where=f"-p {name}={text}", expected="a number, true or false")
    return (number,)


def _check_names(given: Mapping[str, object], names: Sequence[str]) -> None:
    for name in given:
        if name not in names:
            raise InputError(
                "no such input or output",
                where=f"--estimate {name}=...",
                expected="one of " + ", ".join(names),
                found=repr(name),
            )


def _image(argument: ImageInput, given: Given, examples: Shapes) -> Partial:
    if argument.name in given:
        return _given_extents(argument.name, len(argument.estimates), given[argument.name])
    if argument.name in examples:
        return _from_zero(examples[argument.name])
    return argument.estimates


def _output(output: SerializedOutput, given: Given, replaced: Sequence[tuple[tuple[int, ...], Partial]]) -> Partial:
    """Intervals of an output; `replaced` has the extents that the user gave and the estimates they stand in for."""
    name, own = plain_name(output.name), output.estimates
    if name in given:
        return _given_extents(name, len(own), given[name])
    fitting = {extents for extents, before in replaced if len(extents) == len(own) and (own == before or not any(own))}
    return _from_zero(fitting.pop()) if len(fitting) == 1 else own


def _given_extents(name: str, dimensions: int, numbers: tuple[Number, ...]) -> Partial:
    extents = tuple(number for number in numbers if type(number) is int and number >= 1)
    if len(extents) != len(numbers) or len(extents) != dimensions:
        raise InputError(
            "the estimate does not fit",
            where=f"--estimate {name}=...",
            expected=f"{dimensions} extents of at least 1: {name}={_placeholder(dimensions)}",
            found="x".join(str(number) for number in numbers),
        )
    return _from_zero(extents)


def _scalar(argument: ScalarInput, given: Given) -> Number | None:
    if argument.name not in given:
        return argument.estimate if argument.estimate is None else _converted(argument.dtype, argument.estimate)
    numbers = given[argument.name]
    value = _converted(argument.dtype, numbers[0]) if len(numbers) == 1 else None
    if value is None:
        raise InputError(
            "the estimate does not fit",
            where=f"--estimate {argument.name}=...",
            expected=f"one value of type {argument.dtype}",
            found="x".join(str(number) for number in numbers),
        )
    return value


def _converted(dtype: str, number: Number) -> Number | None:
    """The number as a value of its type; None if it is none."""
    if not fits(number, dtype):
        return None
    if dtype == "bool":
        return bool(number)
    return float(number) if dtype.startswith("float") else number


def _check_complete(
    scalars: Mapping[str, Number | None], images: Mapping[str, Partial], results: Mapping[str, Partial]
) -> None:
    sizes = {("input", name): partial for name, partial in images.items()}
    sizes.update({("output", name): partial for name, partial in results.items()})
    missing = [f"{kind} {name} (dimension {_holes(p)} of {len(p)})" for (kind, name), p in sizes.items() if None in p]
    missing += [f"scalar {name}" for name, value in scalars.items() if value is None]
    if not missing:
        return
    options = [f"--estimate {name}={_placeholder(len(p))}" for (_, name), p in sizes.items() if None in p]
    options += [f"--estimate {name}=VALUE" for name, value in scalars.items() if value is None]
    options += [f"--example {name}=image.png" for name, p in images.items() if None in p and len(p) in (2, 3)]
    raise InputError(
        "estimates are missing: a schedule is found for certain sizes",
        expected="an estimate of every input and output",
        found="none for " + ", ".join(missing),
        todo="call set_estimates or set_estimate in the file, or pass " + " ".join(options),
    )


def _holes(partial: Partial) -> str:
    return ", ".join(str(index) for index, interval in enumerate(partial) if interval is None)


def _placeholder(dimensions: int) -> str:
    return "x".join(("WIDTH", "HEIGHT", "CHANNELS", *(f"N{i}" for i in range(3, dimensions)))[:dimensions])


def _from_zero(extents: tuple[int, ...]) -> tuple[Interval, ...]:
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
