"""Reads the names and arguments in a schedule's text: which Func, stage or loop is meant."""

import re
from collections import ChainMap
from collections.abc import Sequence
from typing import Any

from hltune.schedule.loops import LoopNests
from hltune.schedule.tokens import Tokens
from hltune.values.directives import OUTERMOST
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Role, Stage


class Names:
    """What the names in a text stand for, and the readers of everything that contains names.

    Attributes:
        blocks: how many blocks are open; variables that are declared in a block end with it.
    """

    def __init__(self, tokens: Tokens, funcs: tuple[FuncInfo, ...], nests: LoopNests) -> None:
        self._tokens = tokens
        self._nests = nests
        self._in_order = [func.name for func in funcs]
        self._funcs = {spelling: name for name in self._in_order for spelling in (_identifier(name), name)}
        self._vars: ChainMap[str, str] = ChainMap()
        self.blocks = 0

    def open_block(self) -> None:
        """Begins a block."""
        self._vars = self._vars.new_child()
        self.blocks += 1

    def close_block(self) -> None:
        """Ends a block."""
        self._vars = self._vars.parents
        self.blocks -= 1

    def add_func(self, name: str) -> Stage:
        """Makes a Func known that an rfactor has made."""
        self._funcs[name] = name
        return Stage(name)

    def declare_func(self) -> None:
        """Reads ``NAME = pipeline.get_func(INDEX);``."""
        name = self._tokens.name("the name of a Func")
        self._tokens.marks("=", "pipeline", ".", "get_func", "(")
        real = self._item("Func", self._in_order)
        if name not in (real, _identifier(real)):
            raise InputError("the pipeline has another Func of this number", expected=real, found=name)
        self._funcs[name] = real
        self._tokens.marks(")", ";")

    def declare_vars(self) -> None:
        """Reads ``NAME [= LOOP | (LOOP)], ...;``."""
        while True:
            name = self._tokens.name("the name of a variable")
            self._vars[name] = name
            if self._tokens.skip("="):
                self._vars[name] = self._declared_loop()
            elif self._tokens.skip("("):
                self._vars[name] = self._declared_loop()
                self._tokens.mark(")")
            if self._tokens.mark(",", ";") == ";":
                return

    def func(self) -> str:
        """Reads the name of a Func."""
        name = self._tokens.name("the name of a Func")
        if name not in self._funcs:
            known = ", ".join(self._nests.args)
            raise InputError(f"the pipeline has no Func {name!r}", expected=f"one of {known}", found=name)
        return self._funcs[name]

    def update(self, func: str) -> Stage:
        """Reads ``(NUMBER)`` after ``update``; no number is the first."""
        self._tokens.mark("(")
        number = self._tokens.number("the number of an update") if self._tokens.peek().text != ")" else 0
        self._tokens.mark(")")
        stage = Stage(func, number)
        self._nests.of(stage)
        return stage

    def argument(self, role: Role, *, first: bool = False) -> Any:
        """Reads an argument, with the comma before it unless it is the first; a tail strategy may be missing."""
        if role is Role.TAIL:
            return self._choice("TailStrategy", role) if self._tokens.skip(",") else "Auto"
        if not first:
            self._tokens.mark(",")
        match role:
            case Role.COUNT:
                return self._tokens.number(role.value)
            case Role.CONSUMER:
                return self.func()
            case Role.MEMORY:
                return self._choice("MemoryType", role)
            case Role.LOOPS | Role.DIMS:
                return self._loops()
            case Role.PRESERVED:
                return self._pairs()
            case _:
                return self._loop()

    def _choice(self, enumeration: str, role: Role) -> str:
        """An element of an enumeration; Li2018 leaves the name of the enumeration out."""
        if self._tokens.skip(enumeration):
            self._tokens.mark("::")
        return self._tokens.name(role.value)

    def _loop(self) -> str:
        name = self._tokens.name(Role.LOOP.value)
        if name == "Var" and self._tokens.skip("::"):
            self._tokens.marks("outermost", "(", ")")
            return OUTERMOST
        return self._vars.get(name, name)

    def _loops(self) -> tuple[str, ...]:
        """``{x, y}`` or ``x, y``."""
        braces = self._tokens.skip("{")
        names = [self._loop()]
        while self._tokens.skip(","):
            names.append(self._loop())
        if braces:
            self._tokens.mark("}")
        return tuple(names)

    def _pairs(self) -> tuple[tuple[str, ...], ...]:
        """``{{r, u}, {s, v}}``, or ``r, u`` for one pair."""
        if not self._tokens.skip("{"):
            return (self._loops(),)
        pairs = [self._loops()]
        while self._tokens.skip(","):
            pairs.append(self._loops())
        self._tokens.mark("}")
        return tuple(pairs)

    def _declared_loop(self) -> str:
        """A new name in quotes, or a place in a list of existing variables."""
        tokens = self._tokens
        if tokens.peek().kind == "string":
            return tokens.string()
        stage = Stage(self.func())
        tokens.mark(".")
        if tokens.skip("update"):
            stage = self.update(stage.func)
            tokens.mark(".")
        if tokens.mark("args", "get_schedule") == "args":
            tokens.marks("(", ")", "[")
            name = self._item("variable", self._nests.args[stage.func])
            tokens.mark("]")
            return name
        tokens.marks("(", ")", ".")
        only_rvars = tokens.mark("dims", "rvars") == "rvars"
        tokens.marks("(", ")", "[")
        name = self._item("loop", [loop.name for loop in self._nests.of(stage) if loop.rvar or not only_rvars])
        tokens.marks("]", ".", "var")
        return name

    def _item(self, what: str, names: Sequence[str]) -> str:
        index = self._tokens.number(f"the number of a {what}")
        if index >= len(names):
            raise InputError(f"there is no {what} of this number", expected=f"less than {len(names)}", found=str(index))
        return names[index]


def _identifier(name: str) -> str:
    """A Func's name as Mullapudi2016 prints it."""
    return re.sub(r"\W", "_", f"_{name}" if name[0].isdigit() else name, flags=re.ASCII)
