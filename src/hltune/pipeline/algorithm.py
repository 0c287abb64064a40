"""What every kind of source yields: the algorithm and its inputs, with the estimates that the user's code gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import halide as hl

from hltune.pipeline.build import dtype_name
from hltune.pipeline.own_output import Own
from hltune.pipeline.serialized import read_constants
from hltune.values.errors import HltuneError, InputError
from hltune.values.pipeline import (
    LIMITS,
    Constraint,
    Constraints,
    Interval,
    Number,
    OutputImage,
    PipelineSpec,
    Promise,
    fits,
    unless_default,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """An input image.

    Attributes:
        estimates: one per dimension, innermost first; None where the user's code gives none.
        constraints, promises, alignment: as in `BufferArgument`.
    """

    name: str
    dtype: str
    estimates: tuple[Interval | None, ...]
    constraints: Constraints = ()
    promises: tuple[Promise, ...] = ()
    alignment: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarInput:
    """An input parameter; the estimate falls back to the default value.

    Attributes:
        minimum, maximum: as in `ScalarArgument`.
    """

    name: str
    dtype: str
    estimate: Number | None
    minimum: Number | None = None
    maximum: Number | None = None


Check = Callable[[PipelineSpec, bool], str | None]
"""Compares what a spec computes with what the user's process computes; says why that was not possible, if so.

The second argument says whether the user's code has scheduled it; it is then to be compared with `PipelineSpec.manual`.

Raises:
    InputError: they differ.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """A serialized pipeline and its inputs, in the order in which compiled code takes them.

    Attributes:
        hlpipe: with whatever schedule it has although an autoscheduler was named; `load` takes that apart.
        own: the pipeline of this process, if the user's code made it here.
        check: compares with the pipeline of another process, if it was made there.
        output_images: what the code promises of images of outputs, if anything.
        manual: a second build, in which no autoscheduler was named, or why that failed; None for what is no generator.
        name: what a generator is registered as; None for what is no generator.
    """

    hlpipe: bytes
    inputs: tuple[ImageInput | ScalarInput, ...]
    output_images: tuple[OutputImage, ...] = ()
    own: Own | None = None
    manual: Algorithm | HltuneError | None = None
    check: Check | None = None
    name: str | None = None

    @property
    def images(self) -> list[ImageInput]:
        """The inputs that are images."""
        return [argument for argument in self.inputs if isinstance(argument, ImageInput)]

    @property
    def scalars(self) -> list[ScalarInput]:
        """The inputs that are none."""
        return [argument for argument in self.inputs if isinstance(argument, ScalarInput)]


def describe_input(parameter: hl.Parameter) -> ImageInput | ScalarInput:
    """Describes an input; a default value serves as estimate where there is none.

    Raises:
        InputError: its type is none of NumPy's, or its range depends on other inputs.
    """
    dtype = dtype_name(parameter.type(), where=f"input {parameter.name()}")
    return _describe_image(parameter, dtype) if parameter.is_buffer() else _describe_scalar(parameter, dtype)


def _describe_scalar(parameter: hl.Parameter, dtype: str) -> ScalarInput:
    name, limits = parameter.name(), [parameter.min_value(), parameter.max_value()]
    *numbers, minimum, maximum = _constants(
        [parameter.estimate(), parameter.default_value(), _value(parameter), *limits]
    )
    for limit, number in zip(limits, (minimum, maximum), strict=True):
        if limit.defined() and (number is None or not fits(number, dtype)):
            raise InputError(
                f"the range of scalar {name} is no constant of its type",
                expected=f"numbers of type {dtype} in set_range",
                found="an expression" if number is None else str(number),
            )
    estimate = next((number for number in numbers if number is not None), None)
    return ScalarInput(name=name, dtype=dtype, estimate=estimate, minimum=minimum, maximum=maximum)


def _value(parameter: hl.Parameter) -> hl.Expr:
    """What ``Param(type, name, value)`` sets; undefined if it was not given."""
    try:
        return parameter.scalar_expr()
    except hl.HalideError:
        return hl.Expr()


def _describe_image(parameter: hl.Parameter, dtype: str) -> ImageInput:
    dimensions, limits = range(parameter.dimensions()), _limits(parameter)
    constraints = tuple(Constraint(minimum=m, extent=e, stride=s) for m, e, s in map(_integers, limits))
    alignment = parameter.host_alignment()
    return ImageInput(
        name=parameter.name(),
        dtype=dtype,
        estimates=tuple(_estimate(parameter, dimension) for dimension in dimensions),
        constraints=unless_default(constraints),
        promises=tuple(_promises(limits, constraints)),
        alignment=None if alignment == (parameter.type().bits() + 7) // 8 else alignment,
    )


def describe_outputs(pipeline: hl.Pipeline) -> tuple[OutputImage, ...]:
    """What the code promises of the images of outputs."""
    parameters = (image.parameter() for func in pipeline.outputs() for image in func.output_buffers())
    return promising(_describe_image(each, "") for each in parameters)


def promising(images: Iterable[ImageInput]) -> tuple[OutputImage, ...]:
    """Images of outputs, if anything is promised of them."""
    found = (
        OutputImage(name=each.name, constraints=each.constraints, promises=each.promises, alignment=each.alignment)
        for each in images
    )
    return tuple(image for image in found if image.is_promised)


def _limits(parameter: hl.Parameter) -> list[tuple[hl.Expr, hl.Expr, hl.Expr]]:
    """Per dimension, in the order of `LIMITS`."""
    return [
        (parameter.min_constraint(d), parameter.extent_constraint(d), parameter.stride_constraint(d))
        for d in range(parameter.dimensions())
    ]


def inputs_of_constraints(parameter: hl.Parameter) -> dict[str, hl.Parameter]:
    """The inputs that an image's constraints name; Halide's serializer does not look there."""
    limits = [limit for dimension in _limits(parameter) for limit in dimension if limit.defined()]
    if not limits:
        return {}
    return hl.serialize_pipeline(_values(limits), get_params=True)[1]


def _values(expressions: Sequence[hl.Expr]) -> hl.Pipeline:
    func = hl.Func("constants")
    func[()] = hl.Tuple(expressions)
    return hl.Pipeline(func)


def _estimate(parameter: hl.Parameter, dimension: int) -> Interval | None:
    minimum, extent = _integers(
        [parameter.min_constraint_estimate(dimension), parameter.extent_constraint_estimate(dimension)]
    )
    return None if minimum is None or extent is None else (minimum, extent)


def _promises(limits: Sequence[Sequence[hl.Expr]], constraints: Constraints) -> Iterator[Promise]:
    for dimension, (expressions, constraint) in enumerate(zip(limits, constraints, strict=True)):
        for what, expression in zip(LIMITS, expressions, strict=True):
            if expression.defined() and getattr(constraint, what) is None:
                func = hl.Func("constraint")
                func[()] = expression
                data = hl.serialize_pipeline(hl.Pipeline(func))
                yield Promise(dimension=dimension, what=what, expression=data)


def _integers(expressions: Sequence[hl.Expr]) -> tuple[int | None, ...]:
    return tuple(None if number is None else int(number) for number in _constants(expressions))


def _constants(expressions: Sequence[hl.Expr]) -> tuple[Number | None, ...]:
    """Values of constant expressions; None for the others.

    The bindings cannot look into an expression, and compiling it takes a second: it is serialized and read.
    """
    defined = [expression for expression in expressions if expression.defined()]
    if not defined:
        return (None,) * len(expressions)
    values = iter(read_constants(hl.serialize_pipeline(_values(defined))))
    return tuple(next(values) if expression.defined() else None for expression in expressions)
