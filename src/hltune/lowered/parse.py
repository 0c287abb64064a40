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
size       = operand, or all of them and padding in one: "(" operand {"*" operand} "+" NUMBER ")"
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

from collections.abc import Callable, Iterable

from hltune.lowered.expressions import Expressions
from hltune.lowered.tree import (
    Acquire,
    Allocate,
    Assert,
    Atomic,
    Bind,
    Block,
    Consume,
    Evaluate,
    Expression,
    For,
    Free,
    If,
    Let,
    Produce,
    Statement,
    Store,
)

_LOOPS = ("for", "parallel", "vectorized", "unrolled", "extern", "gpu_block", "gpu_thread", "gpu_lane")


def parse_lowered(text: str, names: Iterable[str] = ()) -> Block:
    """The tree of a program.

    Args:
        names: of Funcs, variables and arguments; in the grammar, those that are no identifiers are names as well.

    Raises:
        HltuneError: the text is not in the grammar; says in which line.
    """
    return _Parser(text, names).program()


class _Parser(Expressions):
    """Takes statements."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        super().__init__(text, names)
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
        """All of it."""
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
            extents += self._padded() or [self._operand()]
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

    def _padded(self) -> list[Expression]:
        """All sizes of a buffer with padding after them; none where the buffer has none."""
        start = self._at
        if self._next() == "(":
            sizes = [self._operand()]
            while self._tokens[self._at] == "*":
                self._at += 1
                sizes.append(self._operand())
            if self._tokens[self._at] == "+" and self._tokens[self._at + 2] == ")" and len(sizes) > 1:
                self._at += 3  # a few elements more
                return sizes
        self._at = start
        return []

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
        locked = "," in [*iter(self._next, ")")]
        return Atomic(self._block(), locked)

    def _fork(self) -> Statement:
        blocks: list[Statement] = []
        while self._tokens[self._at] == "{":
            blocks.append(self._block())
        return Block(tuple(blocks))

    def _other(self) -> Statement:
        if self._tokens[self._at].endswith("["):
            return self._store(None)
        return Evaluate(self._expression())

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
