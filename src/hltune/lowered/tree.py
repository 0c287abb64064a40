"""A lowered program as a tree of frozen values.

| expressions                          | statements                                                             |
|--------------------------------------|------------------------------------------------------------------------|
| `Number`, `Text`, `Name`             | `Block`: one after the other                                           |
| `Not`, `Binary`, `Call`              | `For`, `If`, `Acquire`, `Atomic`                                       |
| `Cast`: also a change of bits only   | `Produce`, `Consume`                                                   |
| `Load`                               | `Allocate`, `Free`, `Store`                                            |
| `Ramp`, `Broadcast`                  | `Bind`: from here to the end of its block, a name stands for a value   |
| `Let`: `Bind` within an expression   | `Evaluate`, `Assert`                                                   |

Source: Halide 21, ``src/IRPrinter.cpp``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_TYPE = re.compile(r"(u?int|b?float)(\d+)(?:x(\d+))?")


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value: the kind of its elements (int, uint, float, bfloat, handle), their bits, and how many."""

    kind: str
    bits: int
    lanes: int = 1

    @classmethod
    def named(cls, text: str) -> Self | None:
        """The type of Halide's that is written so, such as ``uint8x16``; None if it is none."""
        match = _TYPE.fullmatch(text)
        return cls(match[1], int(match[2]), int(match[3] or 1)) if match else None


HANDLE = Type("handle", 64)
INT = Type("int", 32)
"""That of what has no type in the text."""


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: int | float
    type: Type


@dataclass(frozen=True, slots=True)
class Text:
    """A string, with its quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A loop, a name that was bound, or an argument; the type is said where Halide does not know it from elsewhere."""

    name: str
    type: Type | None = None


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two values; ``min`` and ``max`` too."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an intrinsic; selects, shuffles and reductions of vectors too."""

    name: str
    arguments: tuple[Expression, ...]
    type: Type | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """A value of another type; `bits` if only the type of the same bits changes."""

    type: Type
    value: Expression
    bits: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """Elements of a buffer; `predicate` says which."""

    buffer: str
    index: Expression
    predicate: Expression | None = None
    type: Type | None = None
    aligned: int = 1


@dataclass(frozen=True, slots=True)
class Ramp:
    """A vector: base, base + stride, ..."""

    base: Expression
    stride: Expression
    lanes: int


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A vector of the same value."""

    value: Expression
    lanes: int


@dataclass(frozen=True, slots=True)
class Let:
    """A name stands for a value in the body."""

    name: str
    value: Expression
    body: Expression


Expression = Number | Text | Name | Not | Binary | Call | Cast | Load | Ramp | Broadcast | Let


@dataclass(frozen=True, slots=True)
class Block:
    """Statements, one after the other, or side by side where Halide forks."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class For:
    """A loop; `kind` is for, parallel, gpu_block, gpu_thread, ..."""

    kind: str
    name: str
    minimum: Expression
    extent: Expression
    body: Block


@dataclass(frozen=True, slots=True)
class If:
    """A branch."""

    condition: Expression
    then: Block
    otherwise: Block | None


@dataclass(frozen=True, slots=True)
class Acquire:
    """Waits for a semaphore, then goes on."""

    body: Block


@dataclass(frozen=True, slots=True)
class Atomic:
    """Threads, or lanes, may store to the same place at once; `locked` if each waits for a mutex until it may."""

    body: Block
    locked: bool


@dataclass(frozen=True, slots=True)
class Produce:
    """Computes a Func."""

    buffer: str
    body: Block


@dataclass(frozen=True, slots=True)
class Consume:
    """Uses a Func that is there."""

    buffer: str
    body: Block


@dataclass(frozen=True, slots=True)
class Allocate:
    """A buffer, from here to the end of the block; `memory` is Auto, Heap, Stack, Register, GPUShared, VTCM, ..."""

    buffer: str
    type: Type
    extents: tuple[Expression, ...]
    memory: str
    condition: Expression | None


@dataclass(frozen=True, slots=True)
class Free:
    """The end of a buffer."""

    buffer: str


@dataclass(frozen=True, slots=True)
class Store:
    """Elements of a buffer get a value; `predicate` says which."""

    buffer: str
    index: Expression
    value: Expression
    predicate: Expression | None
    aligned: int


@dataclass(frozen=True, slots=True)
class Bind:
    """From here to the end of the block, a name stands for a value."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Something is done: a prefetch, a call of the runtime, ..."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Assert:
    """Something has to hold."""

    condition: Expression


Statement = Block | For | If | Acquire | Atomic | Produce | Consume | Allocate | Free | Store | Bind | Evaluate | Assert
