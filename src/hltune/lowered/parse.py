r"""The text of a lowered program to a tree, and nothing is guessed: what is not in the grammar is an error.

```
program    = {statement}
block      = "{" NL {statement} "}"
statement  = "let" NAME "=" expression NL
           | KIND ["<" NAME ">"] "(" NAME "," expression "," expression ")" block NL
           | ("produce" | "consume") NAME block NL
           | "if" "(" expression ")" block {"else" "if" "(" expression ")" block} ["else" block] NL
           | "allocate" NAME "[" TYPE {"*" size} "]" ["in" NAME] ["if" operand] NL
             ["custom_new" "{" expression "}" NL] ["custom_delete" "{" NAME "(" NAME ")" ";" "}" NL]
           | "free" NAME NL
           | ["predicate" "(" expression ")" NL] NAME "[" index "]" "=" value NL
           | "assert(" expression "," expression ")" NL
           | "acquire" "(" expression "," expression ")" block NL
           | "atomic" "(" NAME ["," NAME] ")" block NL
           | "fork" {block} NL
           | expression NL
value      = expression | NL {"let" NAME "=" expression "in" NL} expression
size       = operand | "(" operand "+" NUMBER ")"
index      = expression ["aligned(" NUMBER "," NUMBER ")"]
expression = operand | operand BINARY operand | load "if" operand | let
let        = "let" NAME "=" operand "in" operand
operand    = NUMBER | "(" TYPE ")" NUMBER | TEXT | "!" operand | "(" expression ")" | TYPE "(" expression ")"
           | "reinterpret<" TYPE ">" "(" expression ")" | "ramp(" expression "," expression "," NUMBER ")"
           | "x" DIGITS "(" expression ")" | ["(" TYPE ")"] (NAME | call | load)
call       = NAME "(" [expression {"," expression}] ")"
load       = NAME "[" index "]"
```

Halide puts parentheses around every operand that is not one already, so nothing has a precedence. A name and the
bracket after it are one token; so a call is told from a name before a parenthesis.

Source: Halide 21, ``src/IRPrinter.cpp``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hltune.lowered.tree import (
    HANDLE,
    Acquire,
    Allocate,
    Assert,
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
    Type,
)
from hltune.values.errors import HltuneError

_TOKEN = re.compile(
    r"""
    "(?:[^"\\]|\\.)*"
    | \([A-Za-z_][\w ]*\ \*[\w *]*\)  # the type of a pointer
    | \((?:u?int|b?float)\d+(?:x\d+)?\)
    | -?\d+(?:\.\d+)?(?:e[+-]?\d+)?[fh]?(?!\w)
    | -(?:inf|nan)[fh]?
    | reinterpret<[^>]*>\(
    | [^\W\d][\w.$]*[(\[]?
    | [<>=!]= | && | \|\|
    | \n
    | \S
    """,
    re.VERBOSE,
)
_BINARY = frozenset(("+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||"))
_LOOPS = frozenset(
    ("for", "parallel", "vectorized", "unrolled", "extern", "gpu_block", "gpu_thread", "gpu_lane")
)  # fmt: skip
_NO_NUMBERS = frozenset(number + suffix for number in ("inf", "nan") for suffix in ("", "f", "h"))
_INT = Type("int", 32)
_FLOATS = {"f": Type("float", 32), "h": Type("float", 16)}
_DOUBLE = Type("float", 64)


def parse_lowered(text: str) -> Block:
    """The tree of a program.

    Raises:
        HltuneError: the text is not in the grammar; says in which line.
    """
    return _Parser(text).program()


class _Parser:
    """Where we are in a list of tokens; each method takes what it is named after."""

    def __init__(self, text: str) -> None:
        self._tokens = [*_TOKEN.findall(text.rstrip() + "\n"), ""]
        self._at = 0
        self._statements: dict[str, Callable[[], Statement]] = {
            "let": self._bind,
            "produce": self._produce,
            "consume": self._consume,
            "if": self._if,
            "allocate": self._allocate,
            "free": self._free,
            "predicate": self._predicated,
            "assert(": self._assert,
            "acquire": self._acquire,
            "atomic": self._atomic,
            "fork": self._fork,
            **dict.fromkeys(_LOOPS, self._for),
        }

    def program(self) -> Block:
        statements = self._until("")
        return Block(statements)

    def _until(self, end: str) -> tuple[Statement, ...]:
        found: list[Statement] = []
        tokens = self._tokens
        while (token := tokens[self._at]) != end:
            if token == "\n":
                self._at += 1
                continue
            statement = self._statements.get(token)
            if statement is not None and tokens[self._at + 1] != "=":
                self._at += 1
                found.append(statement())
            else:
                found.append(self._other())
            self._take("\n")
        return tuple(found)

    def _block(self) -> Block:
        self._take("{")
        statements = self._until("}")
        self._at += 1
        return Block(statements)

    def _bind(self) -> Statement:
        name = self._next()
        self._take("=")
        return Bind(name, self._expression())

    def _for(self) -> Statement:
        kind = self._tokens[self._at - 1]
        if self._tokens[self._at] == "<":
            self._at += 3
        self._take("(")
        name = self._next()
        self._take(",")
        minimum = self._expression()
        self._take(",")
        extent = self._expression()
        self._take(")")
        return For(kind, name, minimum, extent, self._block())

    def _produce(self) -> Statement:
        return Produce(self._next(), self._block())

    def _consume(self) -> Statement:
        return Consume(self._next(), self._block())

    def _if(self) -> Statement:
        condition = self._in_parentheses()
        then = self._block()
        if self._tokens[self._at] != "else":
            return If(condition, then, None)
        self._at += 1
        if self._tokens[self._at] == "if":
            self._at += 1
            return If(condition, then, Block((self._if(),)))
        return If(condition, then, self._block())

    def _allocate(self) -> Statement:
        name = self._next()
        if name[-1] != "[":
            raise self._fail("[")
        type_ = self._type(self._next())
        extents: list[Expression] = []
        while self._tokens[self._at] == "*":
            self._at += 1
            extents.append(self._operand())
        self._take("]")
        memory, condition = "Auto", None
        if self._tokens[self._at] == "in":
            memory = self._tokens[self._at + 1]
            self._at += 2
        if self._tokens[self._at] == "if":
            self._at += 1
            condition = self._operand()
        while self._tokens[self._at] == "\n" and self._tokens[self._at + 1] in ("custom_new", "custom_delete"):
            self._at += 3
            while self._next() != "}":
                pass
        return Allocate(name[:-1], type_, tuple(extents), memory, condition)

    def _free(self) -> Statement:
        return Free(self._next())

    def _predicated(self) -> Statement:
        predicate = self._in_parentheses()
        self._take("\n")
        return self._store(predicate)

    def _assert(self) -> Statement:
        condition = self._expression()
        self._take(",")
        self._expression()
        self._take(")")
        return Assert(condition)

    def _acquire(self) -> Statement:
        self._take("(")
        self._expression()
        self._take(",")
        self._expression()
        self._take(")")
        return Acquire(self._block())

    def _atomic(self) -> Statement:
        while self._next() != ")":
            pass
        return self._block()

    def _fork(self) -> Statement:
        blocks: list[Statement] = []
        while self._tokens[self._at] == "{":
            blocks.append(self._block())
        return Block(tuple(blocks))

    def _other(self) -> Statement:
        start = self._at
        value = self._expression()
        if self._tokens[self._at] != "=":
            return Evaluate(value)
        self._at = start
        return self._store(None)

    def _store(self, predicate: Expression | None) -> Statement:
        buffer = self._next()
        if buffer[-1:] != "[":
            raise self._fail("a store")
        index, aligned = self._index()
        self._take("=")
        if self._tokens[self._at] != "\n":
            return Store(buffer[:-1], index, self._expression(), predicate, aligned)
        self._at += 1
        return Store(buffer[:-1], index, self._lets(), predicate, aligned)

    def _lets(self) -> Expression:
        """A value of lines, of which all but the last bind a name."""
        if self._tokens[self._at] != "let":
            return self._expression()
        self._at += 1
        name = self._next()
        self._take("=")
        value = self._expression()
        self._take("in")
        self._take("\n")
        return Let(name, value, self._lets())

    def _index(self) -> tuple[Expression, int]:
        index, aligned = self._expression(), 1
        if self._tokens[self._at] == "aligned(":
            aligned = int(self._tokens[self._at + 1])
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
        if first.isalpha() or first == "_":
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
        if token[0].isdigit() or token[0] == "-":
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
            return Number(int(token), _INT)
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
