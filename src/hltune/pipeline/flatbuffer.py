"""Tables of a FlatBuffer: reads them, changes fields in place, and appends new ones.

A table starts with the distance to its vtable, the vtable holds the position of each field (its slot), and strings,
vectors and tables are reached by forward offsets. What is new stands therefore at the end of the file, and what it
refers to behind it.

Source: the FlatBuffers "internals" page.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

New = Mapping[int, "bytes | Value"]
"""A new table: per slot the bytes of a number, or a value."""
Value = str | New | Sequence["str | New"]
"""A string, a table, or a vector of these."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a FlatBuffer; an absent field reads as its default."""

    data: bytes
    position: int

    def number(self, slot: int, form: str) -> int | float:
        """A number, in the form that `struct` reads."""
        at = self.position_of(slot)
        return 0 if at is None else unpack(form, self.data, at)

    def table(self, slot: int) -> Table | None:
        """A table; None if it is absent."""
        at = self.position_of(slot)
        return None if at is None else Table(self.data, self._follow(at))

    def text(self, slot: int) -> str:
        """A string; empty if it is absent."""
        at = self.position_of(slot)
        return "" if at is None else self._string(self._follow(at))

    def octets(self, slot: int) -> bytes:
        """A vector of bytes."""
        at = self.position_of(slot)
        return b"" if at is None else self._bytes(self._follow(at))

    def tables(self, slot: int) -> Iterator[Table]:
        """A vector of tables."""
        return (Table(self.data, position) for position in self._elements(slot))

    def texts(self, slot: int) -> Iterator[str]:
        """A vector of strings."""
        return (self._string(position) for position in self._elements(slot))

    def position_of(self, slot: int) -> int | None:
        """Where the value of a field is, or the offset to it; None if it is absent."""
        vtable = self.position - unpack("<i", self.data, self.position)
        size = unpack("<H", self.data, vtable)
        offset = 4 + 2 * slot
        at = unpack("<H", self.data, vtable + offset) if offset < size else 0
        return self.position + at if at else None

    def _follow(self, at: int) -> int:
        return at + unpack("<I", self.data, at)

    def _elements(self, slot: int) -> Iterator[int]:
        at = self.position_of(slot)
        if at is not None:
            vector = self._follow(at)
            for index in range(unpack("<I", self.data, vector)):
                yield self._follow(vector + 4 + 4 * index)

    def _string(self, position: int) -> str:
        return self._bytes(position).decode()

    def _bytes(self, position: int) -> bytes:
        size = unpack("<I", self.data, position)
        return struct.unpack_from(f"{size}s", self.data, position + 4)[0]


def unpack(form: str, data: bytes, position: int) -> int:
    """A number at a position, which must not be before the file."""
    if position < 0:
        raise struct.error(f"position {position}")
    return struct.unpack_from(form, data, position)[0]


class Editor:
    """Changes a FlatBuffer; positions of what was there stay."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def clear(self, table: Table, slot: int) -> None:
        """Sets a number of one byte to 0, which is what an absent one reads as."""
        at = table.position_of(slot)
        if at is not None:
            self.data[at] = 0

    def put(self, table: Table, slot: int, value: bytes | Value) -> None:
        """Sets a field that is there: a number in place, anything else to a new value at the end."""
        at = table.position_of(slot)
        if at is None:
            raise struct.error(f"no field in slot {slot}")
        if isinstance(value, bytes):
            self.data[at : at + len(value)] = value
        else:
            self._refer(at, value)

    def _refer(self, at: int, value: Value) -> None:
        struct.pack_into("<I", self.data, at, self._append(value) - at)

    def _append(self, value: Value) -> int:
        self._align()
        at = len(self.data)
        if isinstance(value, str):
            text = value.encode()
            self.data += struct.pack("<I", len(text)) + text + b"\0"
        elif isinstance(value, Mapping):
            at = self._append_table(value)
        else:
            self.data += struct.pack("<I", len(value)) + bytes(4 * len(value))
            for index, item in enumerate(value):
                self._refer(at + 4 + 4 * index, item)
        return at

    def _append_table(self, fields: New) -> int:
        """The vtable, the table, then what it refers to."""
        sizes = {slot: len(value) if isinstance(value, bytes) else 4 for slot, value in fields.items()}
        places: dict[int, int] = {}
        end = 4
        for slot in sorted(sizes, key=lambda slot: -sizes[slot]):  # the large ones first: all are aligned
            places[slot] = end
            end += sizes[slot]
        slots = range(max(fields, default=-1) + 1)
        vtable = len(self.data)
        self.data += struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), end, *(places.get(slot, 0) for slot in slots))
        self._align()
        table = len(self.data)
        self.data += struct.pack("<i", table - vtable) + bytes(end - 4)
        for slot, value in fields.items():
            at = table + places[slot]
            if isinstance(value, bytes):
                self.data[at : at + len(value)] = value
            else:
                self._refer(at, value)
        return table

    def _align(self) -> None:
        self.data += bytes(-len(self.data) % 4)
