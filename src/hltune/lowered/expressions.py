"""Expressions of a lowered program: the part of the grammar in `hltune.lowered.parse` that is within a line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cache

from hltune.lowered.tree import (
    HANDLE,
    INT,
    Binary,
    Broadcast,
    Call,
    Cast,
    Expression,
    Let,
    Load,
    Name,
    Not,
    Number,
    Ramp,
    Text,
    Type,
)
from hltune.values.errors import HltuneError

_TOKEN = r"""
    "(?:[^"\\]|\\.)*"
    | \([A-Za-z_][\w ]*\ \*[\w *]*\)  # the type of a pointer
    | \((?:u?int|b?float)\d+(?:x\d+)?\)
    | (?: ODD (?!))(?: ODD [\w.$])*[(\[]?
    | -?\d+(?:\.\d+)?(?:e[+-]?\d+)?[fh]?(?!\w)
    | -(?:inf|nan)[fh]?
    | reinterpret<[^>]*>\(
    | (?: ODD [^\W\d])(?: ODD [\w.$])*[(\[]?
    | [<>=!]= | && | \|\|
    | \n
    | \S
"""
_LIKE_A_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?[fh]?")
"""A name that nobody can tell from a number."""
_BINARY = frozenset(("+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||"))
_NO_NUMBERS = frozenset(number + suffix for number in ("inf", "nan") for suffix in ("", "f", "h"))
_FLOATS = {"f": Type("float", 32), "h": Type("float", 16)}
_DOUBLE = Type("float", 64)


@cache
def _tokens(odd: tuple[str, ...]) -> re.Pattern[str]:
    """What a token is, where these names are no identifiers."""
    return re.compile(_TOKEN.replace("ODD ", "".join(f"{_as_printed(name)}|" for name in odd)), re.VERBOSE)


@cache
def _begin(odd: tuple[str, ...]) -> re.Pattern[str]:
    """What a token begins with that is named after one of these names."""
    return re.compile("|".join(map(_as_printed, odd)) or "(?!)")


def _as_printed(name: str) -> str:
    """Pattern of a name: ours have ``_`` where Halide's have ``$``."""
    return re.escape(name).replace("_", "[_$]")


class Expressions:
    """Where we are in the tokens of a program; each method takes what it is named after.

    Args:
        names: names in use; those that are no identifiers are recognised, too, as Halide prints them unchanged.
    """

    def __init__(self, text: str, names: Iterable[str]) -> None:
        odd = {name for name in names if not (re.fullmatch(r"[^\W\d]\w*", name) or _LIKE_A_NUMBER.fullmatch(name))}
        longest_first = tuple(sorted(odd, key=len, reverse=True))
        self._tokens: list[str] = [*_tokens(longest_first).findall(text.rstrip() + "\n"), ""]
        self._odd = _begin(longest_first)
        self._at: int = 0

    def _index(self) -> tuple[Expression, int]:
        index, aligned = self._expression(), 1
        if self._tokens[self._at] == "aligned(":
            aligned = math.gcd(int(self._tokens[self._at + 1]), int(self._tokens[self._at + 3]))
            self._at += 5
        self._take("]")
        return index, aligned

    def _in_parentheses(self) -> Expression:
        self._take("(")
        inside = self._expression()
        self._take(")")
        return inside

    def _expression(self) -> Expression:
        left = self._operand()
        token = self._tokens[self._at]
        if token in _BINARY:
            self._at += 1
            return Binary(token, left, self._operand())
        if token == "if" and isinstance(left, Load):
            self._at += 1
            return Load(left.buffer, left.index, self._operand(), left.type, left.aligned)
        return left

    def _operand(self) -> Expression:
        token = self._next()
        first, last = token[:1], token[-1:]
        if token == "(":
            inside = self._expression()
            self._take(")")
            return inside
        if first.isalpha() or first == "_" or self._odd.match(token):
            return self._named(token, last, None)
        if first == "(":
            return self._typed(Type.named(token[1:-1]) or HANDLE)
        if first.isdigit() or (first == "-" and len(token) > 1):
            return self._number(token)
        if first == '"':
            return Text(token)
        if token == "!":
            return Not(self._operand())
        raise self._fail("a value", self._at - 1)

    def _typed(self, type_: Type) -> Expression:
        """What stands after a type in parentheses."""
        token = self._next()
        if (token[0].isdigit() or token[0] == "-") and not self._odd.match(token):
            return Number(int(token), type_)
        return self._named(token, token[-1], type_)

    def _named(self, token: str, last: str, type_: Type | None) -> Expression:
        if last == "[":
            index, aligned = self._index()
            return Load(token[:-1], index, None, type_, aligned)
        if last == "(":
            return self._call(token[:-1], type_)
        if token == "let":
            return self._let()
        if token in _NO_NUMBERS:
            return self._number(token)
        return Name(token, type_)

    def _let(self) -> Expression:
        name = self._next()
        self._take("=")
        value = self._operand()
        self._take("in")
        return Let(name, value, self._operand())

    def _call(self, name: str, type_: Type | None) -> Expression:
        arguments: list[Expression] = []
        if self._tokens[self._at] == ")":
            self._at += 1
        else:
            arguments.append(self._expression())
            while (token := self._next()) == ",":
                arguments.append(self._expression())
            if token != ")":
                raise self._fail(")", self._at - 1)
        if name in ("min", "max") and len(arguments) == 2:
            return Binary(name, *arguments)
        if name == "ramp" and len(arguments) == 3:
            return Ramp(arguments[0], arguments[1], self._lanes(arguments[2]))
        if len(arguments) == 1:
            (value,) = arguments
            if name[0] == "x" and name[1:].isdigit():
                return Broadcast(value, int(name[1:]))
            if (cast := Type.named(name)) is not None:
                return Cast(cast, value)
            if name.startswith("reinterpret<"):
                return Cast(Type.named(name[12:-1]) or HANDLE, value, bits=True)
        return Call(name, tuple(arguments), type_)

    def _lanes(self, expression: Expression) -> int:
        if not isinstance(expression, Number) or not isinstance(expression.value, int):
            raise self._fail("a number of lanes")
        return expression.value

    @staticmethod
    def _number(token: str) -> Expression:
        if token.lstrip("-").isdigit():
            return Number(int(token), INT)
        if token[-1] in _FLOATS and token[-3:] != "inf":
            return Number(float(token[:-1]), _FLOATS[token[-1]])
        return Number(float(token), _DOUBLE)

    def _type(self, token: str) -> Type:
        found = HANDLE if token[0] == "(" else Type.named(token)
        if found is None:
            raise self._fail("a type", self._at - 1)
        return found

    def _next(self) -> str:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _take(self, expected: str) -> None:
        if self._tokens[self._at] != expected:
            raise self._fail(expected)
        self._at += 1

    def _fail(self, expected: str, at: int | None = None) -> HltuneError:
        at = self._at if at is None else at
        line = self._tokens[:at].count("\n")
        return HltuneError(
            "a lowered program that this version cannot read",
            where=f"line {line + 1}",
            expected=repr(expected),
            found=" ".join(self._tokens[max(0, at - 3) : at + 4]).replace("\n", "end of line"),
        )
