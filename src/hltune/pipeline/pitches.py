"""Strides that are promised to be multiples, as in ``dim(1).set_stride(dim(1).stride() / 128 * 128)``. No Halide.

Such a promise is an expression of the stride itself, and keeps what it is a multiple of: the strides that it does not
change. Parameters and their constraints in the file:

| table             | fields used                                                                                 |
|-------------------|---------------------------------------------------------------------------------------------|
| Pipeline          | 0 funcs, 1 output_names, 5 parameters                                                       |
| Func              | 0 name, 10 output_buffers                                                                   |
| Parameter         | 4 name, 6 buffer_constraints; BufferConstraint: 4-5 stride                                  |
| Definition        | 3-4 values                                                                                  |

Source: Halide 21 ``src/halide_ir.fbs``.
"""

from collections.abc import Sequence
from math import lcm

from hltune.pipeline.operations import VARIABLE, Expression, operand, value_of, walk
from hltune.pipeline.serialized import read_root
from hltune.values.pipeline import Promise

_LARGEST = 4096


def promised_pitches(promises: Sequence[Promise], dimensions: int) -> tuple[int, ...]:
    """What the stride of each dimension of an input is a multiple of; empty if of nothing."""
    found = [1] * dimensions
    for promise in promises:
        if promise.what == "stride":
            definition = next(read_root(promise.expression, where="promise").tables(0)).table(7)
            value = None if definition is None else next(zip(definition.octets(3), definition.tables(4), strict=True))
            found[promise.dimension] = _pitch(value)
    return _unless_dense(found)


def output_pitches(hlpipe: bytes, *, where: str) -> list[tuple[int, ...]]:
    """The same of each output; of a Tuple, what all its images need."""
    root = read_root(hlpipe, where=where)
    buffers = {func.text(0): list(func.texts(10)) for func in root.tables(0)}
    pitches = {
        parameter.text(4): [_pitch(operand(dimension, 4)) for dimension in parameter.tables(6)]
        for parameter in root.tables(5)
    }
    found = [[pitches[name] for name in buffers[output] if name in pitches] for output in root.texts(1)]
    return [_unless_dense([lcm(*each) for each in zip(*images, strict=True)]) for images in found]


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
