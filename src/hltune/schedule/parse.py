"""Reads the text that Halide's autoschedulers print, and what people write in the same syntax.

The text is C++-like; this is all of it that has a meaning for the schedule of a CPU::

    text      = { statement | "{" text "}" }
    statement = "Func" NAME "=" "pipeline" "." "get_func" "(" INDEX ")" ";"
              | ( "Var" | "RVar" ) NAME [ "=" LOOP | "(" LOOP ")" ] { "," NAME ... } ";"
              | [ [ "Func" ] NAME "=" ] FUNC { "." CALL "(" arguments ")" } ";"      NAME is for an rfactor
    LOOP      = a new name in quotes
              | FUNC "." "args" "(" ")" "[" INDEX "]"
              | STAGE "." "get_schedule" "(" ")" "." ( "dims" | "rvars" ) "(" ")" "[" INDEX "]" "." "var"

Calls with a loop and a factor (``vectorize(x, 16)``, ``tile``) become the splits that Halide makes of them.

Source: Adams2019 ``State::apply_schedule``, Mullapudi2016 ``AutoSchedule``, Li2018 ``apply_schedule`` (Halide 21).
"""

import re
from collections import ChainMap
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, TypeVar

from hltune.schedule.canonical import canonical_names
from hltune.schedule.loops import LoopNests
from hltune.schedule.text import Tokens
from hltune.values.directives import (
    OUTERMOST,
    ComputeAt,
    ComputeRoot,
    Directive,
    Parallel,
    Reorder,
    Rfactor,
    Schedule,
    Split,
    Unroll,
    Vectorize,
    kinds,
)
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import ENUMERATIONS, Role, Stage, form_of

T = TypeVar("T")


def parse_schedule(text: str, funcs: tuple[FuncInfo, ...]) -> Schedule:
    """Reads a schedule and checks it against the pipeline that it is for.

    Equal schedules give equal values: variables that Halide names by counting (``v52``) are counted anew.

    Raises:
        InputError: the text is no schedule, or names what the pipeline does not have; says in which line.
    """
    return canonical_names(_Parser(text, funcs).schedule(), funcs)


class _Parser(Tokens):
    """Reads statements; each directive is applied to the loops at once, for the next one may name what it makes."""

    def __init__(self, text: str, funcs: tuple[FuncInfo, ...]) -> None:
        self._nests = LoopNests(funcs)
        self._in_order = [func.name for func in funcs]
        existing = {*self._in_order, *(loop.name for loops in self._nests.loops.values() for loop in loops)}
        super().__init__(text, existing)
        self._taken = existing | self.texts()
        # A Func's own name means it, whichever others print as the same.
        self._funcs = {_identifier(name): name for name in self._in_order} | {name: name for name in self._in_order}
        # One map for each open block: variables that are declared in a block end with it.
        self._vars: ChainMap[str, str] = ChainMap()
        self._directives: list[tuple[Directive, int]] = []

    def schedule(self) -> Schedule:
        line: int | None = None
        try:
            while self.peek().kind != "end":
                self._statement()
            if self._in_block():
                raise self.unexpected("'}'")
            for placed in self._directives:
                directive, line = placed
                self._nests.check_level(directive)
        except InputError as error:
            error.where = f"schedule, line {line or self.line}"
            raise
        return Schedule(tuple(directive for directive, _ in self._directives))

    def _in_block(self) -> bool:
        return len(self._vars.maps) > 1

    def _statement(self) -> None:
        if self.skip("{"):
            self._vars = self._vars.new_child()
        elif self._in_block() and self.skip("}"):
            self._vars = self._vars.parents
        elif self.peek(1).kind != "name":
            self._chain()
        elif self.skip("Var") or self.skip("RVar"):
            self._declare_vars()
        elif self.skip("Func") and self.peek(2).text == "pipeline":
            self._declare_func()
        else:
            self._chain()

    def _declare_func(self) -> None:
        name = self.name(Role.CONSUMER.value)
        self.marks("=", "pipeline", ".", "get_func", "(")
        real = self._item("Func", self._in_order)
        if name not in (real, _identifier(real)):
            raise InputError("the pipeline has another Func of this number", expected=real, found=name)
        self._funcs[name] = real
        self.marks(")", ";")

    def _declare_vars(self) -> None:
        while True:
            name = self.name("the name of a variable")
            parenthesis = self.skip("(")
            self._vars[name] = self._declared_loop() if parenthesis or self.skip("=") else name
            if parenthesis:
                self.mark(")")
            if self.mark(",", ";") == ";":
                return

    def _declared_loop(self) -> str:
        """A new name in quotes, or a place in a list of existing variables."""
        if self.peek().kind == "string":
            return self.string()
        stage = Stage(self._func())
        self.mark(".")
        if self.skip("update"):
            stage = self._update(stage.func)
            self.mark(".")
        if self.mark("args", "get_schedule") == "args":
            self.marks("(", ")", "[")
            name = self._item("variable", self._nests.args[stage.func])
            self.mark("]")
            return name
        self.marks("(", ")", ".")
        only_rvars = self.mark("dims", "rvars") == "rvars"
        self.marks("(", ")", "[")
        name = self._item("loop", [loop.name for loop in self._nests.of(stage) if loop.rvar or not only_rvars])
        self.marks("]", ".", "var")
        return name

    def _item(self, what: str, names: Sequence[str]) -> str:
        index = self.number(f"the number of a {what}")
        if index >= len(names):
            raise InputError(f"there is no {what} of this number", expected=f"less than {len(names)}", found=str(index))
        return names[index]

    def _chain(self) -> None:
        made: str | None = None
        if self.peek(1).text == "=":
            made = self.name(Role.CONSUMER.value)
            self.mark("=")
        stage = Stage(self._func())
        while not self._ends_statement():
            call = self.name("a scheduling call")
            if call == "update" and stage.update is None:
                stage = self._update(stage.func)
                continue
            self.mark("(")
            if call == "rfactor" and made is not None:
                self._add(Rfactor(stage, self._argument(Role.PRESERVED, first=True), made))
                self._funcs[made] = made
                stage, made = Stage(made), None
            else:
                self._call(stage, call)
            self.mark(")")
        if made is not None:
            raise InputError(f"nothing is assigned to {made}", expected="a call of rfactor")

    def _ends_statement(self) -> bool:
        """Reads ``.`` or ``;``; Li2018 forgets the semicolon before some statements that start a line."""
        following = self.peek()
        forgotten = following.kind == "name" and following.line > self.line
        return forgotten or self.mark(".", ";") == ";"

    def _func(self) -> str:
        name = self.name(Role.CONSUMER.value)
        if name not in self._funcs:
            known = ", ".join(self._nests.args)
            raise InputError(f"the pipeline has no Func {name!r}", expected=f"one of {known}", found=name)
        return self._funcs[name]

    def _update(self, func: str) -> Stage:
        """Reads ``(NUMBER)`` after ``update``; no number is the first."""
        self.mark("(")
        stage = Stage(func, self.number("the number of an update") if self.peek().text != ")" else 0)
        self.mark(")")
        self._nests.of(stage)
        return stage

    def _call(self, stage: Stage, call: str) -> None:
        if call in ("vectorize", "unroll", "parallel") and self.peek(1).text == ",":
            self._split_and_mark(stage, call)
        elif call == "tile":
            self._tile(stage)
        elif call == "compute_inline":
            if any(
                isinstance(known, ComputeRoot | ComputeAt) and known.stage == stage for known, _ in self._directives
            ):
                raise InputError(f"{stage} was given another place before", expected="only one of the two")
        elif call == "rfactor":
            raise InputError("the Func that rfactor makes needs a name", expected=f"NAME = {stage}.rfactor(...)")
        elif call in kinds():
            roles = [role for _, role in form_of(kinds()[call]).arguments]
            values = [self._argument(role, first=not number) for number, role in enumerate(roles)]
            self._add(kinds()[call](stage, *values))
        else:
            known = ", ".join([*kinds(), "tile", "compute_inline"])
            raise InputError("no such scheduling call is known here", expected=f"one of {known}", found=call)

    def _split_and_mark(self, stage: Stage, call: str) -> None:
        read = self._argument
        var, factor, tail = read(Role.LOOP, first=True), read(Role.COUNT), read(Role.TAIL)
        letter = "r" if self._nests.loop(stage, var).rvar else "v"
        inner = next(name for number in count() if (name := f"{letter}{number}") not in self._taken)
        self._taken.add(inner)
        self._add(Split(stage, var, var, inner, factor, tail))
        match call:
            case "vectorize":
                self._add(Vectorize(stage, inner))
            case "unroll":
                self._add(Unroll(stage, inner))
            case _:
                self._add(Parallel(stage, var))

    def _tile(self, stage: Stage) -> None:
        read = self._argument
        names = [read(Role.LOOP, first=True)]
        while self.peek(1).kind != "number":
            names.append(read(Role.LOOP))
        if len(names) not in (4, 6):
            raise InputError("tile takes 4 or 6 loops", expected="x, y, [xo, yo,] xi, yi", found=", ".join(names))
        x, y, *outer, xi, yi = names
        xo, yo = outer or (x, y)
        x_factor, y_factor, tail = read(Role.COUNT), read(Role.COUNT), read(Role.TAIL)
        self._add(Split(stage, x, xo, xi, x_factor, tail))
        self._add(Split(stage, y, yo, yi, y_factor, tail))
        self._add(Reorder(stage, (xi, yi, xo, yo)))

    def _add(self, directive: Directive) -> None:
        self._nests.advance(directive)
        self._directives.append((directive, self.line))

    def _argument(self, role: Role, *, first: bool = False) -> Any:
        """Reads an argument, with the comma before it unless it is the first; a tail strategy may be missing."""
        if role is Role.TAIL:
            return self._choice(role) if self.skip(",") else "Auto"
        if not first:
            self.mark(",")
        match role:
            case Role.COUNT | Role.COORDINATE:
                return self.number(role.value)
            case Role.CONSUMER:
                return self._func()
            case Role.MEMORY | Role.POLICY:
                return self._choice(role)
            case Role.LOOPS | Role.DIMS:
                return self._loops()
            case Role.PRESERVED:  # {{r, u}, {s, v}}, or r, u for one pair
                return self._several(self._loops, "}") if self.skip("{") else (self._loops(),)
            case _:
                return self._loop()

    def _choice(self, role: Role) -> str:
        """An element of an enumeration; Li2018 leaves the name of the enumeration out."""
        if self.skip(ENUMERATIONS[role].name):
            self.mark("::")
        return self.name(role.value)

    def _loop(self) -> str:
        name = self.name(Role.LOOP.value)
        if name == "Var" and self.skip("::"):
            self.marks("outermost", "(", ")")
            return OUTERMOST
        return self._vars.get(name, name)

    def _loops(self) -> tuple[str, ...]:
        """``{x, y}`` or ``x, y``."""
        return self._several(self._loop, "}" if self.skip("{") else None)

    def _several(self, read: Callable[[], T], end: str | None) -> tuple[T, ...]:
        items = [read()]
        while self.skip(","):
            items.append(read())
        if end:
            self.mark(end)
        return tuple(items)


def _identifier(name: str) -> str:
    """A Func's name as Mullapudi2016 prints it: it looks at bytes of UTF-8, not at characters."""
    return re.sub(rb"^(?=[0-9])|\W", b"_", name.encode()).decode()
