"""Which lowered programs are the same, whatever their loops and values are called.

Halide orders what commutes by the names that it invents, and counts these up: the same program that is lowered twice
need not have the same text. So every part has a digest of what it is made of, in which a bound name stands for the
digest of its value, a loop for how deep it lies, and operands that commute are sorted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from hltune.lowered.tree import (
    Acquire,
    Allocate,
    Assert,
    Atomic,
    Binary,
    Bind,
    Block,
    Broadcast,
    Call,
    Cast,
    Consume,
    Evaluate,
    Expression,
    For,
    Free,
    If,
    Let,
    Load,
    Name,
    Not,
    Number,
    Produce,
    Ramp,
    Statement,
    Store,
    Text,
)

_BYTES = 32
_COMMUTE = frozenset(("+", "*", "min", "max", "&&", "||", "==", "!="))
_CHAINS = frozenset(("+", "*", "min", "max", "&&", "||"))
"""Operators of which a row of operands may be written in any order."""
_COUNTED = (
    re.compile(r"(?P<func>.+_intm)(?:\$\d+)?(?P<rest>|\.\d+)"),
    re.compile(r"(?P<func>[^.]+)\..+_\d+(?P<rest>\.head(?:_next)?)"),
)
"""Buffers in whose names Halide counts, from one lowering to the next: of what an rfactor makes, and of where the next
element of folded storage belongs, which a loop's name is part of, too."""


def program_hash(program: Block) -> str:
    """Identifies a program: 64 hexadecimal digits."""
    return _Digests().block(program).hex()


@dataclass(slots=True)
class _Digests:
    _names: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _depth: int = 0
    _counted: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def block(self, block: Block) -> bytes:
        """Values that are bound one after the other may be bound in any order."""
        parts: list[bytes] = []
        bound: list[bytes] = []
        for each in block.statements:
            if isinstance(each, Bind):
                self._names[each.name] = self._expression(each.value)
                bound.append(self._names[each.name])
                continue
            parts += [*sorted(bound), self._statement(each)]
            bound.clear()
        return _digest("block", *parts, *sorted(bound))

    def _statement(self, each: Statement) -> bytes:
        match each:
            case Store():
                what = (self._expression(each.index), self._expression(each.value), self._optional(each.predicate))
                return _digest("store", self._buffer(each.buffer), each.aligned, *what)
            case For():
                return self._for(each)
            case If():
                otherwise = b"" if each.otherwise is None else self.block(each.otherwise)
                return _digest("if", self._expression(each.condition), self.block(each.then), otherwise)
            case Produce() | Consume():
                return _digest(type(each).__name__, self._buffer(each.buffer), self.block(each.body))
            case Acquire():
                return _digest("acquire", self.block(each.body))
            case Atomic():
                return _digest("atomic", each.locked, self.block(each.body))
            case Block():
                return self.block(each)
            case Allocate():
                extents = map(self._expression, each.extents)
                return _digest(
                    "allocate",
                    self._buffer(each.buffer),
                    each.type,
                    each.memory,
                    *extents,
                    self._optional(each.condition),
                )
            case Free():
                return _digest("free", self._buffer(each.buffer))
            case Evaluate():
                return _digest("evaluate", self._expression(each.value))
            case Assert():
                return _digest("assert", self._expression(each.condition))
            case Bind():
                raise AssertionError("blocks bind")

    def _buffer(self, name: str) -> str:
        """What Halide counted is counted anew, in the order of appearance."""
        match = next(filter(None, (each.fullmatch(name) for each in _COUNTED)), None)
        if match is None:
            return name
        func, rest = match["func"], match["rest"]
        known = self._counted.setdefault(func + rest, [])
        if name not in known:
            known.append(name)
        number = known.index(name)
        return f"{func}{f'${number}' if number else ''}{rest}"

    def _for(self, loop: For) -> bytes:
        bounds = self._expression(loop.minimum), self._expression(loop.extent)
        self._names[loop.name] = _digest("loop", self._depth)
        self._depth += 1
        body = self.block(loop.body)
        self._depth -= 1
        return _digest("for", loop.kind, *bounds, body)

    def _optional(self, each: Expression | None) -> bytes:
        return b"" if each is None else self._expression(each)

    def _expression(self, each: Expression) -> bytes:
        match each:
            case Name():
                return self._names.get(each.name) or _digest("name", each.name, each.type)
            case Number():
                return _digest("number", repr(each.value), each.type)
            case Binary():
                return self._binary(each)
            case Load():
                index, predicate = self._expression(each.index), self._optional(each.predicate)
                return _digest("load", self._buffer(each.buffer), each.type, each.aligned, index, predicate)
            case Ramp():
                return _digest("ramp", each.lanes, self._expression(each.base), self._expression(each.stride))
            case Broadcast():
                return _digest("broadcast", each.lanes, self._expression(each.value))
            case Cast():
                return _digest("cast", each.type, each.bits, self._expression(each.value))
            case Call():
                return _digest("call", each.name, each.type, *map(self._expression, each.arguments))
            case Not():
                return _digest("not", self._expression(each.value))
            case Let():
                self._names[each.name] = self._expression(each.value)
                return _digest("let", self._names[each.name], self._expression(each.body))
            case Text():
                return _digest("text", each.value)

    def _binary(self, each: Binary) -> bytes:
        operands = map(self._expression, _row(each))
        if each.operator in _COMMUTE:
            operands = sorted(operands)
        return _digest("binary", each.operator, *operands)


def _row(each: Binary) -> list[Expression]:
    """The operands of an operator; of one that is written in a row, all of the row."""
    if each.operator not in _CHAINS:
        return [each.left, each.right]
    row: list[Expression] = []
    waiting: list[Expression] = [each.right, each.left]
    while waiting:
        operand = waiting.pop()
        if isinstance(operand, Binary) and operand.operator == each.operator:
            waiting += [operand.right, operand.left]
        else:
            row.append(operand)
    return row


def _digest(*parts: object) -> bytes:
    """Of digests and of what can be printed."""
    hasher = hashlib.blake2b(digest_size=_BYTES)
    for part in _bytes(parts):
        hasher.update(len(part).to_bytes(4, "little") + part)
    return hasher.digest()


def _bytes(parts: Iterable[object]) -> Iterable[bytes]:
    return (part if isinstance(part, bytes) else repr(part).encode() for part in parts)
