"""Buffers that a pipeline brings along, such as lookup tables: stored in the serialized pipeline as Halide reads them.

Halide 21 writes the elements of a buffer in the order of its strides, but reads them as if the first dimension were
the densest. A transposed array would change its contents, so it is rewritten here as Halide stores arrays by default;
buffers that survive as they are stay, byte for byte.

Source: Halide 21 ``Serialization.cpp``, ``Deserialization.cpp``; ``make_with_shape_of`` in ``HalideBuffer.h``.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from hltune.pipeline.flatbuffer import Editor, Table, unpack
from hltune.pipeline.layout import Dimension
from hltune.pipeline.serialized import read_root
from hltune.values.errors import InputError

_BUFFERS = 7
_NAME, _TYPE, _DIMENSIONS, _DATA = 1, 2, 4, 5
_MIN, _EXTENT, _STRIDE = 0, 1, 2
_CODE, _BITS, _LANES = 0, 1, 2
_COPY = "copy it before it is used: hl.Buffer(numpy.ascontiguousarray(array))"
_INT32 = 2**31 - 1
_KINDS = ("int", "uint", "float", "handle", "bfloat")
"""Of elements, by Halide's numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A buffer that a pipeline brings along.

    Attributes:
        name: as Halide has it, with ``$``.
        kind: of its elements, such as ``uint``.
        bits: of an element.
    """

    name: str
    kind: str
    bits: int
    dimensions: tuple[Dimension, ...]


def read_embedded(data: bytes) -> tuple[Embedded, ...]:
    """The buffers that a serialized pipeline brings along, in no order."""
    return tuple(_embedded(buffer) for buffer in read_root(data, where="buffers").tables(_BUFFERS))


def store_densely(data: bytes, *, where: str) -> bytes:
    """The same pipeline, whose buffers come back from Halide as they were when it was serialized.

    Raises:
        InputError: a buffer runs backwards in memory, or its elements are not there.
    """
    editor = Editor(data)
    for buffer in read_root(data, where=where).tables(_BUFFERS):
        dimensions = [_read(table) for table in buffer.tables(_DIMENSIONS)]
        _check_forward(buffer.text(_NAME), dimensions, where)
        order = _written_order([dimension.stride for dimension in dimensions])
        if not _survives(dimensions, order):
            _rewrite(editor, buffer, dimensions, order, where)
    return bytes(editor.data)


def _embedded(buffer: Table) -> Embedded:
    kind = buffer.table(_TYPE)
    assert kind is not None, "every buffer has a type"
    return Embedded(
        name=buffer.text(_NAME),
        kind=_KINDS[int(kind.number(_CODE, "<B"))],
        bits=int(kind.number(_BITS, "<B")),
        dimensions=tuple(_read(table) for table in buffer.tables(_DIMENSIONS)),
    )


def _read(table: Table) -> Dimension:
    minimum, extent, stride = (int(table.number(slot, "<i")) for slot in (_MIN, _EXTENT, _STRIDE))
    return Dimension(minimum=minimum, extent=extent, stride=stride)


def _check_forward(name: str, dimensions: Sequence[Dimension], where: str) -> None:
    """Halide compiles the wrong bytes of such a buffer into a function."""
    for number, dimension in enumerate(dimensions):
        if dimension.stride < 0 and dimension.extent > 1:
            raise InputError(
                f"buffer {name} runs backwards in memory",
                where=where,
                expected="strides of at least 0",
                found=f"stride {dimension.stride} in dimension {number}",
                todo=_COPY,
            )


def _written_order(strides: Sequence[int]) -> list[int]:
    """Dimensions as Halide lays out a copy, the densest first.

    Passes of neighbours that change places, each from the end and one shorter at that end: it is not always sorted.
    """
    order = list(range(len(strides)))
    for last in range(len(order) - 1, 0, -1):
        for at in range(last, 0, -1):
            if strides[order[at - 1]] > strides[order[at]]:
                order[at - 1], order[at] = order[at], order[at - 1]
    return order


def _survives(dimensions: Sequence[Dimension], order: Sequence[int]) -> bool:
    """True if what Halide reads is what it wrote; dimensions of one element do not matter."""
    if not dimensions:
        return True
    matter = [number for number in order if dimensions[number].extent > 1]
    span = dimensions[0].stride * _elements(dimensions)
    return matter == sorted(matter) and 0 <= span <= _INT32


def _elements(dimensions: Sequence[Dimension]) -> int:
    return int(np.prod([dimension.extent for dimension in dimensions], dtype=np.int64))


def _rewrite(editor: Editor, buffer: Table, dimensions: Sequence[Dimension], order: Sequence[int], where: str) -> None:
    kind, at = buffer.table(_TYPE), buffer.position_of(_DATA)
    assert kind is not None and at is not None, "read as such before"
    size = (int(kind.number(_BITS, "<B")) + 7) // 8 * max(1, int(kind.number(_LANES, "<i")))
    start = at + unpack("<I", buffer.data, at) + 4
    elements = _elements(dimensions)
    if unpack("<I", buffer.data, start - 4) != elements * size:
        raise InputError(
            f"the contents of buffer {buffer.text(_NAME)} are not in the pipeline",
            where=where,
            expected=f"{elements} elements of {size} bytes",
            found=f"{unpack('<I', buffer.data, start - 4)} bytes",
            todo=_COPY,
        )
    # NumPy's last axis is the densest.
    written = np.frombuffer(buffer.data, f"V{size}", elements, start)
    written = written.reshape([dimensions[number].extent for number in reversed(order)])
    axes = [len(order) - 1 - order.index(number) for number in reversed(range(len(order)))]
    editor.data[start : start + elements * size] = cast(Any, np.ascontiguousarray(written.transpose(axes))).tobytes()
    strides = np.cumprod([1, *(dimension.extent for dimension in dimensions)])
    editor.put(
        buffer,
        _DIMENSIONS,
        [
            {slot: struct.pack("<i", value) for slot, value in enumerate((d.minimum, d.extent, int(stride)))}
            for d, stride in zip(dimensions, strides, strict=False)
        ],
    )
