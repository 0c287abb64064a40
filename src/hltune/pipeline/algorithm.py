"""What every kind of source yields: the algorithm and its inputs, with the estimates that the user's code gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import halide as hl

from hltune.pipeline.build import dtype_name
from hltune.pipeline.serialized import read_constants
from hltune.values.pipeline import Interval, Number


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """An input image.

    Attributes:
        estimates: one per dimension, innermost first; None where the user's code gives none.
        stride: what the user fixed dimension 0 to in memory, in elements; 1 unless changed, None for any.
    """

    name: str
    dtype: str
    estimates: tuple[Interval | None, ...]
    stride: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarInput:
    """An input parameter; the estimate falls back to the default value."""

    name: str
    dtype: str
    estimate: Number | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """A serialized pipeline and its inputs, in the order in which compiled code takes them.

    Attributes:
        hlpipe: with whatever schedule it has although an autoscheduler was named; `load` takes that apart.
        manual: a second build, in which no autoscheduler was named, where a generator has a schedule only then.
        notes: what people should know about it.
    """

    hlpipe: bytes
    inputs: tuple[ImageInput | ScalarInput, ...]
    manual: bytes | None = None
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> list[ImageInput]:
        """The inputs that are images."""
        return [argument for argument in self.inputs if isinstance(argument, ImageInput)]

    @property
    def scalars(self) -> list[ScalarInput]:
        """The inputs that are none."""
        return [argument for argument in self.inputs if isinstance(argument, ScalarInput)]


def describe_input(parameter: hl.Parameter) -> ImageInput | ScalarInput:
    """Describes an input; a fixed size serves as estimate where there is none, a default value likewise."""
    name = parameter.name()
    dtype = dtype_name(parameter.type(), where=f"input {name}")
    if not parameter.is_buffer():
        numbers = _constants([parameter.estimate(), parameter.default_value(), _value(parameter)])
        estimate = next((number for number in numbers if number is not None), None)
        return ScalarInput(name=name, dtype=dtype, estimate=estimate)
    dimensions = range(parameter.dimensions())
    return ImageInput(
        name=name,
        dtype=dtype,
        estimates=tuple(_interval(parameter, dimension) for dimension in dimensions),
        stride=_stride(parameter) if dimensions else 1,
    )


def _value(parameter: hl.Parameter) -> hl.Expr:
    """What ``Param(type, name, value)`` sets; undefined if it was not given."""
    try:
        return parameter.scalar_expr()
    except hl.HalideError:
        return hl.Expr()


def _interval(parameter: hl.Parameter, dimension: int) -> Interval | None:
    minimum, extent, fixed_minimum, fixed_extent = _constants(
        [
            parameter.min_constraint_estimate(dimension),
            parameter.extent_constraint_estimate(dimension),
            parameter.min_constraint(dimension),
            parameter.extent_constraint(dimension),
        ]
    )
    if minimum is None or extent is None:
        minimum, extent = fixed_minimum, fixed_extent
    return None if minimum is None or extent is None else (int(minimum), int(extent))


def _stride(parameter: hl.Parameter) -> int | None:
    (stride,) = _constants([parameter.stride_constraint(0)])
    return None if stride is None else int(stride)


def _constants(expressions: Sequence[hl.Expr]) -> tuple[Number | None, ...]:
    """Values of constant expressions; None for the others.

    The bindings cannot look into an expression, and compiling it takes a second: it is serialized and read.
    """
    defined = [expression for expression in expressions if expression.defined()]
    if not defined:
        return (None,) * len(expressions)
    func = hl.Func("constants")
    func[()] = hl.Tuple(defined)
    values = iter(read_constants(hl.serialize_pipeline(hl.Pipeline(func))))
    return tuple(next(values) if expression.defined() else None for expression in expressions)
