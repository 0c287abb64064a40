"""Reads, out of a serialized pipeline, what Halide's bindings do not tell about it. Needs no Halide.

The file is a FlatBuffer. A field of a union type takes two slots, the kind first. The numbers below are slots.

| table        | fields used                                                                                     |
|--------------|-------------------------------------------------------------------------------------------------|
| Pipeline     | 0 funcs, 1 output_names, 4 func_names_in_order, 5 parameters, 9 serialization_version           |
| Func         | 0 name, 5 args, 6 func_schedule, 7 init_def, 10 output_buffers_names,                           |
|              | 12 extern_function_name, 17-19 trace_loads, trace_stores, trace_realizations                    |
| FuncSchedule | 4 bounds, 5 estimates                                                                           |
| Bound        | 0 var, 1-2 min, 3-4 extent, 5-6 modulus, 7-8 remainder                                          |
| Definition   | 3 kinds of values, 4 values                                                                     |
| Parameter    | 4 name, 6 buffer_constraints                                                                    |
| BufferConstraint | 0-1 min, 2-3 extent, 4-5 stride                                                              |
| Mod          | 0-1 a                                                                                           |
| IntImm UIntImm FloatImm | 0 value                                                                              |

Source: Halide 21 ``src/halide_ir.fbs`` and the FlatBuffers "internals" page.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from hltune.pipeline.flatbuffer import Table, unpack
from hltune.values.errors import InputError
from hltune.values.pipeline import Constraint, Constraints, Interval, OutputImage, unless_default

VERSION = "18.0.1"
"""The serialization version that Halide 21 writes and reads."""

_IMMEDIATES = {1: "<q", 2: "<Q", 3: "<d"}  # IntImm, UIntImm, FloatImm in the union of expressions

_CAST, _MOD = 5, 11
"""A conversion and a remainder, in that union."""

_DEFAULT = (Constraint(stride=1),)
_LARGEST_ELEMENT = 8
"""Bytes; to that of an element, images are aligned anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerializedOutput:
    """An output Func as the file has it.

    Attributes:
        name: as Halide has it, with ``$``.
        estimates: one per dimension, innermost first, corrected by the bounds that are constants; None where the file
            has no constant one.
        constraints: as in `OutputArgument`; a constraint that is no constant is None here, and kept by the file.
        alignment: as in `OutputArgument`; None if it is no more than that of an element.
        images: names of the parameters of its images, as Halide has them.
    """

    name: str
    estimates: tuple[Interval | None, ...]
    constraints: Constraints = ()
    alignment: int | None = None
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SerializedPipeline:
    """What the file tells.

    Attributes:
        outputs: the outputs, in their order.
        extern: the Funcs that a C function computes, each with its name.
        traced: the Funcs whose loads, stores or realizations are traced.
        dumped: the Funcs that are written to a file whenever they are computed.
    """

    outputs: tuple[SerializedOutput, ...]
    extern: tuple[tuple[str, str], ...] = ()
    traced: tuple[str, ...] = ()
    dumped: tuple[str, ...] = ()


def read_pipeline(data: bytes, *, where: str, images: Sequence[OutputImage] = ()) -> SerializedPipeline:
    """Reads a serialized pipeline.

    Args:
        images: what is promised of outputs, and not in the file.

    Raises:
        InputError: it is none, it is damaged, or another version of Halide wrote it.
    """
    try:
        root = read_root(data, where=where)
        funcs = {func.text(0): func for func in root.tables(0)}
        constraints = {parameter.text(4): _constraints(parameter) for parameter in root.tables(5)}
        alignments = {parameter.text(4): int(parameter.number(5, "<i")) for parameter in root.tables(5)}
        constraints |= {image.name: image.constraints for image in images}
        alignments |= {image.name: image.alignment or 0 for image in images}
        outputs = tuple(_output(funcs[name], constraints, alignments) for name in root.texts(1))
        extern = tuple((name, func.text(12)) for name, func in funcs.items() if func.text(12))
        traced = tuple(name for name, func in funcs.items() if any(func.number(slot, "<B") for slot in (17, 18, 19)))
        dumped = tuple(name for name, func in funcs.items() if func.text(9))
    except (struct.error, UnicodeDecodeError, KeyError, IndexError, OverflowError) as error:
        raise InputError(
            "damaged file",
            where=where,
            expected="a pipeline serialized by Halide 21",
            found=f"{len(data)} bytes that are not one ({error})",
            todo="write the file again with serialize_pipeline",
        ) from error
    return SerializedPipeline(outputs=outputs, extern=extern, traced=traced, dumped=dumped)


def plain_name(name: str) -> str:
    """A name of Halide's as it stands in source text: the schedulers print ``$`` as ``_``."""
    return name.replace("$", "_")


def read_names(data: bytes) -> tuple[str, ...]:
    """The names of all Funcs as Halide has them, with ``$``, in no order."""
    return tuple(func.text(0) for func in read_root(data, where="names").tables(0))


def read_constants(data: bytes) -> tuple[int | float | None, ...]:
    """The values of the first Func's pure definition, before they are converted; None for each that is no constant."""
    definition = next(read_root(data, where="constants").tables(0)).table(7)
    assert definition is not None
    kinds = definition.octets(3)
    return tuple(_constant(kind, value) for kind, value in zip(kinds, definition.tables(4), strict=True))


def _constant(kind: int, value: Table) -> int | float | None:
    while kind == _CAST and (converted := value.table(1)) is not None:
        kind, value = int(value.number(0, "<B")), converted
    return value.number(0, _IMMEDIATES[kind]) if kind in _IMMEDIATES else None


def read_root(data: bytes, *, where: str) -> Table:
    """The table of the pipeline; an `InputError` if another version of Halide wrote it, `struct.error` if none did."""
    root = Table(data, unpack("<I", data, 0))
    version = root.text(9)
    if not version:
        raise struct.error("no version")
    if version != VERSION:
        raise InputError(
            "another version of Halide wrote this file",
            where=where,
            expected=f"serialization version {VERSION} (Halide 21)",
            found=f"version {version!r}",
            todo="write the file again with halide 21.0.0",
        )
    # Halide writes the first of these names at the end of the file: reading it shows that nothing is cut off.
    next(root.texts(4), None)
    return root


def _output(func: Table, constraints: dict[str, Constraints], alignments: dict[str, int]) -> SerializedOutput:
    name, schedule = func.text(0), func.table(6)
    # Of several the last counts, and a bound is a promise where an estimate is a guess.
    bounds = [] if schedule is None else [*schedule.tables(5), *schedule.tables(4)]
    images = [constraints[buffer] for buffer in func.texts(10) if buffer in constraints] or [()]
    if len({tuple(each.stride for each in image or _DEFAULT) for image in images}) > 1:
        raise InputError(
            f"the images of output {name} have different strides",
            expected="the same for all of a Tuple",
            todo="set them on each of output_buffers(), or make the output several Funcs",
        )
    alignment = max((alignments.get(buffer, 0) for buffer in func.texts(10)), default=0)
    return SerializedOutput(
        name=name,
        estimates=tuple(_interval([bound for bound in bounds if bound.text(0) == arg]) for arg in func.texts(5)),
        constraints=images[0],  # whose bounds are those of all: Halide takes none for the others
        alignment=alignment if alignment > _LARGEST_ELEMENT else None,
        images=tuple(func.texts(10)),
    )


def _interval(bounds: Sequence[Table]) -> Interval | None:
    """What all of them say together: ``bound_extent`` gives no minimum, ``align_bounds`` no extent either."""
    minimums, extents = ([_integer(bound, slot) for bound in bounds] for slot in (1, 3))
    minimum, extent = (next((n for n in reversed(each) if n is not None), None) for each in (minimums, extents))
    if minimum is None or extent is None:
        return None
    for bound in bounds:
        minimum, extent = _aligned(minimum, extent, bound)
    return minimum, extent


def _aligned(minimum: int, extent: int, bound: Table) -> Interval:
    """The interval that Halide demands of an output buffer where this one is wanted.

    Source: Halide 21, ``align_bounds`` and ``align_extent`` in ``src/Func.h``; the latter gives no remainder.
    """
    modulus, remainder = _integer(bound, 5), bound.table(8)
    if modulus is None or modulus < 1:
        return minimum, extent
    # The first one writes ``remainder % modulus``, an operation.
    first = _integer(remainder, 0) if remainder is not None and bound.number(7, "<B") == _MOD else None
    begin = minimum if first is None else minimum - (minimum - first) % modulus
    return begin, -(-(minimum + extent - begin) // modulus) * modulus


def _constraints(parameter: Table) -> Constraints:
    limits = [[_integer(table, slot) for slot in (0, 2, 4)] for table in parameter.tables(6)]
    return unless_default(tuple(Constraint(minimum=m, extent=e, stride=s) for m, e, s in limits))


def _integer(table: Table, slot: int) -> int | None:
    value = table.table(slot + 1)
    if value is None or table.number(slot, "<B") != 1:
        return None
    return int(value.number(0, "<q"))
