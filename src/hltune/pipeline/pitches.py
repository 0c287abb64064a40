"""Strides that are promised to be multiples, as in ``dim(1).set_stride(dim(1).stride() / 128 * 128)``. No Halide.

Such a promise is an expression of the stride itself, and keeps what it is a multiple of: the strides that it does not
change. One that is an expression of scalars is the stride that these say, as they are estimated. Parameters and their
constraints in the file:

| table             | fields used                                                                                 |
|-------------------|---------------------------------------------------------------------------------------------|
| Pipeline          | 0 funcs, 1 output_names, 5 parameters                                                       |
| Func              | 0 name, 10 output_buffers                                                                   |
| Parameter         | 4 name, 6 buffer_constraints; BufferConstraint: 4-5 stride                                  |
| Definition        | 3-4 values                                                                                  |

Source: Halide 21 ``src/halide_ir.fbs``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import lcm

from hltune.pipeline.operations import VARIABLE, Expression, operand, value_of, walk
from hltune.pipeline.serialized import read_root
from hltune.values.pipeline import BufferArgument, Constraint, Constraints, OutputImage, Promise, ScalarArgument

_LARGEST = 4096


Strides = list[Expression | None]
"""What is promised of the stride of each dimension of an image; None where that is nothing, or a constant."""


def input_strides(promises: Sequence[Promise], dimensions: int) -> Strides:
    """Those of an image, of which these are the promises."""
    found: Strides = [None] * dimensions
    for promise in promises:
        if promise.what == "stride":
            definition = next(read_root(promise.expression, where="promise").tables(0)).table(7)
            assert definition is not None, "Halide always writes it"
            found[promise.dimension] = next(zip(definition.octets(3), definition.tables(4), strict=True))
    return found


def output_strides(hlpipe: bytes, *, where: str, images: Sequence[OutputImage] = ()) -> list[list[Strides]]:
    """Those of the images of each output.

    Args:
        images: what is promised of outputs, and not in the file.
    """
    root = read_root(hlpipe, where=where)
    funcs = {func.text(0): func for func in root.tables(0)}
    ranks = {name: len([*func.texts(5)]) for func in funcs.values() for name in func.texts(10)}
    strides = {
        parameter.text(4): [operand(dimension, 4) for dimension in parameter.tables(6)] for parameter in root.tables(5)
    }
    strides |= {image.name: input_strides(image.promises, ranks[image.name]) for image in images}
    return [[strides[name] for name in funcs[output].texts(10) if name in strides] for output in root.texts(1)]


def pitches_of(images: Sequence[Strides]) -> tuple[int, ...]:
    """What the stride of each dimension is a multiple of; of several images, what all need; empty if of nothing."""
    pitches = [[_pitch(stride) for stride in strides] for strides in images]
    return _unless_dense([lcm(*each) for each in zip(*pitches, strict=True)])


def with_values(constraints: Constraints, images: Sequence[Strides], scalars: Mapping[str, int]) -> Constraints:
    """Constraints of images with the strides that scalars say; with other values, code wants other images."""
    values = [_value(each, scalars) for each in zip(*images, strict=True)]
    if not any(values):
        return constraints
    usual = constraints or [Constraint(stride=None if dimension else 1) for dimension in range(len(values))]
    return tuple(replace(each, stride=value or each.stride) for each, value in zip(usual, values, strict=True))


def scalar_values(inputs: Iterable[BufferArgument | ScalarArgument]) -> dict[str, int]:
    """The whole numbers among inputs, as estimated."""
    estimates = {each.name: each.estimate for each in inputs if isinstance(each, ScalarArgument)}
    return {name: each for name, each in estimates.items() if isinstance(each, int)}


def _value(strides: Sequence[Expression | None], scalars: Mapping[str, int]) -> int | None:
    """What scalars say of one dimension, in any of the images; None if that is nothing."""
    expressions = [each for each in strides if each is not None]
    values = (value_of(each, scalars) for each in expressions if any(kind == VARIABLE for kind, _ in walk([each])))
    return next((value for value in values if value is not None and value > 0), None)


def _unless_dense(pitches: Sequence[int]) -> tuple[int, ...]:
    return tuple(pitches) if any(pitch > 1 for pitch in pitches) else ()


def _pitch(promise: Expression | None) -> int:
    """The least stride that the promise keeps, if those that it keeps are its multiples; else 1."""
    if promise is None:
        return 1
    names = {table.text(0) for kind, table in walk([promise]) if kind == VARIABLE}
    if len(names) != 1:
        return 1
    (name,) = names

    def keeps(stride: int) -> bool:
        return value_of(promise, {name: stride}) == stride

    least = next((stride for stride in range(1, _LARGEST + 1) if keeps(stride)), 1)
    return least if keeps(3 * least) and not keeps(3 * least - 1) else 1
