"""Reads, out of a serialized pipeline, what Halide's bindings do not tell about it. Needs no Halide.

The file is a FlatBuffer: a table starts with the distance to its vtable, the vtable holds the position of each field,
and strings, vectors and tables are reached by forward offsets. A field of a union type takes two slots, the kind first.
The numbers below are slots.

| table        | fields used                                                                                     |
|--------------|-------------------------------------------------------------------------------------------------|
| Pipeline     | 0 funcs, 1 output_names, 4 func_names_in_order, 5 parameters, 9 serialization_version           |
| Func         | 0 name, 5 args, 6 func_schedule, 7 init_def, 8 updates, 10 output_buffers_names                 |
| FuncSchedule | 0 store_level, 1 compute_level, 2 hoist_storage_level, 4 bounds, 5 estimates                    |
| LoopLevel    | 2 var_name: empty when inlined                                                                  |
| Bound        | 0 var, 1-2 min, 3-4 extent                                                                      |
| Definition   | 3 kinds of values, 4 values, 7 stage_schedule                                                   |
| StageSchedule| 6 touched: some scheduling call was made                                                        |
| Parameter    | 4 name, 6 buffer_constraints                                                                    |
| BufferConstraint | 4-5 stride                                                                                  |
| IntImm UIntImm FloatImm | 0 value                                                                              |

Source: Halide 21 ``src/halide_ir.fbs`` and the FlatBuffers "internals" page.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from hltune.values.errors import InputError
from hltune.values.pipeline import Interval

VERSION = "18.0.1"
"""The serialization version that Halide 21 writes and reads."""

_IMMEDIATES = {1: "<q", 2: "<Q", 3: "<d"}  # IntImm, UIntImm, FloatImm in the union of expressions


@dataclass(frozen=True, slots=True, kw_only=True)
class SerializedOutput:
    """An output Func as the file has it.

    Attributes:
        name: as Halide has it, with ``$``.
        estimates: one per dimension, innermost first; None where the file has no constant one.
        stride: what the user fixed dimension 0 to in memory, in elements; 1 unless changed, None for any.
    """

    name: str
    estimates: tuple[Interval | None, ...]
    stride: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SerializedPipeline:
    """What the file tells.

    Attributes:
        outputs: the outputs, in their order.
        scheduled: the Funcs that somebody has scheduled.
    """

    outputs: tuple[SerializedOutput, ...]
    scheduled: tuple[str, ...]


def read_pipeline(data: bytes, *, where: str) -> SerializedPipeline:
    """Reads a serialized pipeline.

    Raises:
        InputError: it is none, it is damaged, or another version of Halide wrote it.
    """
    try:
        root = _root(data, where=where)
        funcs = {func.text(0): func for func in root.tables(0)}
        strides = {parameter.text(4): _stride(parameter) for parameter in root.tables(5)}
        outputs = tuple(_output(funcs[name], strides) for name in root.texts(1))
        scheduled = tuple(name for name, func in funcs.items() if _is_scheduled(func))
    except (struct.error, UnicodeDecodeError, KeyError, IndexError, OverflowError) as error:
        raise InputError(
            "damaged file",
            where=where,
            expected="a pipeline serialized by Halide 21",
            found=f"{len(data)} bytes that are not one ({error})",
            todo="write the file again with serialize_pipeline",
        ) from error
    return SerializedPipeline(outputs=outputs, scheduled=scheduled)


def read_constants(data: bytes) -> tuple[int | float | None, ...]:
    """The values of the first Func's pure definition; None for each that is no constant."""
    definition = next(_root(data, where="constants").tables(0)).table(7)
    assert definition is not None
    kinds = definition.octets(3)
    return tuple(
        value.number(0, _IMMEDIATES[kind]) if kind in _IMMEDIATES else None
        for kind, value in zip(kinds, definition.tables(4), strict=True)
    )


def _root(data: bytes, *, where: str) -> _Table:
    root = _Table(data, _unpack("<I", data, 0))
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


def _output(func: _Table, strides: dict[str, int | None]) -> SerializedOutput:
    schedule = func.table(6)
    known: dict[str, Interval | None] = {}
    if schedule is not None:
        # Of several the last counts, and a bound is a promise where an estimate is a guess.
        for slot in (5, 4):
            known.update({bound.text(0): _interval(bound) for bound in schedule.tables(slot)})
    buffers = list(func.texts(10))
    return SerializedOutput(
        name=func.text(0),
        estimates=tuple(known.get(arg) for arg in func.texts(5)),
        stride=strides.get(buffers[0], 1) if buffers else 1,
    )


def _interval(bound: _Table) -> Interval | None:
    minimum, extent = _integer(bound, 1), _integer(bound, 3)
    return None if minimum is None or extent is None else (minimum, extent)


def _stride(parameter: _Table) -> int | None:
    constraint = next(parameter.tables(6), None)
    return 1 if constraint is None else _integer(constraint, 4)


def _integer(table: _Table, slot: int) -> int | None:
    value = table.table(slot + 1)
    if value is None or table.number(slot, "<B") != 1:
        return None
    return int(value.number(0, "<q"))


def _is_scheduled(func: _Table) -> bool:
    schedule = func.table(6)
    levels = [] if schedule is None else [schedule.table(slot) for slot in (0, 1, 2)]
    if any(level is not None and level.text(2) for level in levels):
        return True
    stages = [func.table(7), *func.tables(8)]
    schedules = [stage.table(7) for stage in stages if stage is not None]
    return any(stage is not None and stage.number(6, "<B") for stage in schedules)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a FlatBuffer; an absent field reads as its default."""

    data: bytes
    position: int

    def number(self, slot: int, form: str) -> int | float:
        at = self._field(slot)
        return 0 if at is None else _unpack(form, self.data, at)

    def table(self, slot: int) -> _Table | None:
        at = self._field(slot)
        return None if at is None else _Table(self.data, self._follow(at))

    def text(self, slot: int) -> str:
        at = self._field(slot)
        return "" if at is None else self._string(self._follow(at))

    def octets(self, slot: int) -> bytes:
        at = self._field(slot)
        return b"" if at is None else self._bytes(self._follow(at))

    def tables(self, slot: int) -> Iterator[_Table]:
        return (_Table(self.data, position) for position in self._elements(slot))

    def texts(self, slot: int) -> Iterator[str]:
        return (self._string(position) for position in self._elements(slot))

    def _field(self, slot: int) -> int | None:
        vtable = self.position - _unpack("<i", self.data, self.position)
        size = _unpack("<H", self.data, vtable)
        offset = 4 + 2 * slot
        at = _unpack("<H", self.data, vtable + offset) if offset < size else 0
        return self.position + at if at else None

    def _follow(self, at: int) -> int:
        return at + _unpack("<I", self.data, at)

    def _elements(self, slot: int) -> Iterator[int]:
        at = self._field(slot)
        if at is not None:
            vector = self._follow(at)
            for index in range(_unpack("<I", self.data, vector)):
                yield self._follow(vector + 4 + 4 * index)

    def _string(self, position: int) -> str:
        return self._bytes(position).decode()

    def _bytes(self, position: int) -> bytes:
        size = _unpack("<I", self.data, position)
        return struct.unpack_from(f"{size}s", self.data, position + 4)[0]


def _unpack(form: str, data: bytes, position: int) -> int:
    if position < 0:
        raise struct.error(f"position {position}")
    return struct.unpack_from(form, data, position)[0]


Table = _Table


def read_root(data: bytes, *, where: str) -> Table:
    """The table of a serialized pipeline, for those who read more than `read_pipeline`; an `InputError` likewise."""
    return _root(data, where=where)
