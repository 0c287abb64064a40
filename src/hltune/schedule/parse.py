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

from __future__ import annotations

import re
from collections import ChainMap
from itertools import count
from typing import Any

from hltune.errors import InputError
from hltune.pipeline.spec import FuncInfo
from hltune.schedule.directives import (
    OUTERMOST,
    Directive,
    Parallel,
    Reorder,
    Rfactor,
    Role,
    Schedule,
    Split,
    Stage,
    Unroll,
    Vectorize,
    forms,
)
from hltune.schedule.fresh import rename_fresh
from hltune.schedule.loops import LoopNests
from hltune.schedule.tokens import Tokens


def parse_schedule(text: str, funcs: tuple[FuncInfo, ...]) -> Schedule:
    """Reads a schedule and checks it against the pipeline that it is for.

    Equal schedules give equal values: variables that Halide names by counting (``v52``) are counted anew.

    Raises:
        InputError: the text is no schedule, or names what the pipeline does not have; says in which line.
    """
    return rename_fresh(_Parser(text, funcs).schedule(), funcs)


class _Parser:
    def __init__(self, text: str, funcs: tuple[FuncInfo, ...]) -> None:
        self._funcs = funcs
        self._nests = LoopNests(funcs)
        names = {func.name for func in funcs} | {loop.name for loops in self._nests.loops.values() for loop in loops}
        self._tokens = Tokens(text, names)
        self._used = names | self._tokens.texts()
        self._func_names = {spelling: func.name for func in funcs for spelling in (_identifier(func.name), func.name)}
        self._vars: ChainMap[str, str] = ChainMap()
        self._directives: list[tuple[Directive, int]] = []

    def schedule(self) -> Schedule:
        line = 0
        try:
            while self._tokens.peek().kind != "end":
                self._statement()
            if len(self._vars.maps) > 1:
                raise self._tokens.unexpected("'}'")
            for directive, line in self._directives:
                self._nests.check_level(directive)
        except InputError as error:
            error.where = f"schedule, line {line or self._tokens.line}"
            raise
        return Schedule(tuple(directive for directive, _ in self._directives))

    def _statement(self) -> None:
        tokens = self._tokens
        if tokens.skip("{"):
            self._vars = self._vars.new_child()
        elif len(self._vars.maps) > 1 and tokens.skip("}"):
            self._vars = self._vars.parents
        elif tokens.peek(1).kind == "name" and (tokens.skip("Var") or tokens.skip("RVar")):
            self._declare_vars()
        elif tokens.peek(1).kind == "name" and tokens.skip("Func"):
            self._declare_func()
        else:
            self._chain()

    # Declarations

    def _declare_func(self) -> None:
        if self._tokens.peek(2).text != "pipeline":
            return self._chain()
        name = self._tokens.name("the name of a Func")
        self._tokens.marks("=", "pipeline", ".", "get_func", "(")
        real = self._item("Func", [func.name for func in self._funcs])
        if name not in (real, _identifier(real)):
            raise InputError("the pipeline has another Func of this number", expected=real, found=name)
        self._func_names[name] = real
        self._tokens.marks(")", ";")
        return None

    def _declare_vars(self) -> None:
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

    def _declared_loop(self) -> str:
        tokens = self._tokens
        if tokens.peek().kind == "string":
            return tokens.string()
        stage = Stage(self._func())
        tokens.mark(".")
        if tokens.skip("update"):
            stage = self._update(stage)
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

    def _item(self, what: str, names: list[str] | tuple[str, ...]) -> str:
        index = self._tokens.number(f"the number of a {what}")
        if index >= len(names):
            raise InputError(f"there is no {what} of this number", expected=f"less than {len(names)}", found=str(index))
        return names[index]

    # Scheduling calls

    def _chain(self) -> None:
        tokens = self._tokens
        made: str | None = None
        if tokens.peek(1).text == "=":
            made = tokens.name("the name of a Func")
            tokens.mark("=")
        stage = Stage(self._func())
        while not self._ends_statement():
            call = tokens.name("a scheduling call")
            if call == "update" and stage.update is None:
                stage = self._update(stage)
                continue
            tokens.mark("(")
            if call == "rfactor" and made is not None:
                self._add(Rfactor(stage, self._value(Role.PRESERVED), made))
                stage, made = self._new_func(made), None
            else:
                self._call(stage, call)
            tokens.mark(")")
        if made is not None:
            raise InputError(f"nothing is assigned to {made}", expected="a call of rfactor")

    def _ends_statement(self) -> bool:
        """Reads ``.`` or ``;``; Li2018 forgets the semicolon before some statements that start a line."""
        following = self._tokens.peek()
        forgotten = following.kind == "name" and following.line > self._tokens.line
        return forgotten or self._tokens.mark(".", ";") == ";"

    def _call(self, stage: Stage, call: str) -> None:
        if call in ("vectorize", "unroll", "parallel") and self._tokens.peek(1).text == ",":
            self._split_and_mark(stage, call)
        elif call == "tile":
            self._tile(stage)
        elif call == "compute_inline":
            if stage.func in self._nests.compute:
                raise InputError(f"{stage} was given another place before", expected="only one of the two")
        elif call == "rfactor":
            raise InputError("the Func that rfactor makes needs a name", expected=f"NAME = {stage}.rfactor(...)")
        elif call in forms():
            form = forms()[call]
            values = [self._value(role, first=not number) for number, (_, role) in enumerate(form.arguments)]
            self._add(form.kind(stage, *values))
        else:
            known = ", ".join([*forms(), "tile", "compute_inline"])
            raise InputError("no such scheduling call is known here", expected=f"one of {known}", found=call)

    def _split_and_mark(self, stage: Stage, call: str) -> None:
        var, factor, tail = self._value(Role.LOOP, first=True), self._value(Role.COUNT), self._value(Role.TAIL)
        letter = "r" if self._nests.loop(stage, var).rvar else "v"
        inner = next(name for number in count() if (name := f"{letter}{number}") not in self._used)
        self._used.add(inner)
        self._add(Split(stage, var, var, inner, factor, tail))
        kinds = {"vectorize": Vectorize, "unroll": Unroll, "parallel": Parallel}
        self._add(kinds[call](stage, var if call == "parallel" else inner))

    def _tile(self, stage: Stage) -> None:
        names = [self._value(Role.LOOP, first=True)]
        while self._tokens.peek(1).kind != "number":
            names.append(self._value(Role.LOOP))
        if len(names) not in (4, 6):
            raise InputError("tile takes 4 or 6 loops", expected="x, y, [xo, yo,] xi, yi", found=", ".join(names))
        x, y, *outer, xi, yi = names
        xo, yo = outer or (x, y)
        x_factor, y_factor, tail = self._value(Role.COUNT), self._value(Role.COUNT), self._value(Role.TAIL)
        self._add(Split(stage, x, xo, xi, x_factor, tail))
        self._add(Split(stage, y, yo, yi, y_factor, tail))
        self._add(Reorder(stage, (xi, yi, xo, yo)))

    def _add(self, directive: Directive) -> None:
        self._nests.advance(directive)
        self._directives.append((directive, self._tokens.line))

    # Names and arguments

    def _func(self) -> str:
        name = self._tokens.name("the name of a Func")
        if name not in self._func_names:
            raise InputError(
                f"the pipeline has no Func {name!r}", expected="one of " + ", ".join(self._nests.args), found=name
            )
        return self._func_names[name]

    def _new_func(self, name: str) -> Stage:
        self._func_names[name] = name
        return Stage(name)

    def _update(self, stage: Stage) -> Stage:
        self._tokens.mark("(")
        number = self._tokens.number("the number of an update") if self._tokens.peek().text != ")" else 0
        self._tokens.mark(")")
        stage = Stage(stage.func, number)
        self._nests.of(stage)
        return stage

    def _loop(self) -> str:
        name = self._tokens.name(Role.LOOP.value)
        if name == "Var" and self._tokens.skip("::"):
            self._tokens.marks("outermost", "(", ")")
            return OUTERMOST
        return self._vars.get(name, name)

    def _value(self, role: Role, *, first: bool = False) -> Any:
        """Reads an argument, with the comma before it unless it is the first."""
        if role is Role.TAIL and not self._tokens.skip(","):
            return "Auto"
        if not first and role not in (Role.TAIL, Role.PRESERVED):
            self._tokens.mark(",")
        match role:
            case Role.COUNT:
                return self._tokens.number(role.value)
            case Role.CONSUMER:
                return self._func()
            case Role.TAIL | Role.MEMORY:
                scope = "TailStrategy" if role is Role.TAIL else "MemoryType"
                if self._tokens.skip(scope):
                    self._tokens.mark("::")
                return self._tokens.name(role.value)
            case Role.LOOPS | Role.DIMS:
                return self._names()
            case Role.PRESERVED:
                return self._pairs()
            case _:
                return self._loop()

    def _names(self) -> tuple[str, ...]:
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
            return (self._names(),)
        pairs = [self._names()]
        while self._tokens.skip(","):
            pairs.append(self._names())
        self._tokens.mark("}")
        return tuple(pairs)


def _identifier(name: str) -> str:
    """A Func's name as Mullapudi2016 prints it."""
    return re.sub(r"\W", "_", f"_{name}" if name[0].isdigit() else name, flags=re.ASCII)
