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

from itertools import count

from hltune.schedule.arguments import Names
from hltune.schedule.canonical import canonical_names
from hltune.schedule.loops import LoopNests
from hltune.schedule.tokens import Tokens
from hltune.values.directives import (
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
from hltune.values.roles import Role, Stage, form_of


def parse_schedule(text: str, funcs: tuple[FuncInfo, ...]) -> Schedule:
    """Reads a schedule and checks it against the pipeline that it is for.

    Equal schedules give equal values: variables that Halide names by counting (``v52``) are counted anew.

    Raises:
        InputError: the text is no schedule, or names what the pipeline does not have; says in which line.
    """
    return canonical_names(_Parser(text, funcs).schedule(), funcs)


class _Parser:
    def __init__(self, text: str, funcs: tuple[FuncInfo, ...]) -> None:
        self._nests = LoopNests(funcs)
        existing = {func.name for func in funcs} | {loop.name for loops in self._nests.loops.values() for loop in loops}
        self._tokens = Tokens(text, existing)
        self._taken = existing | self._tokens.texts()
        self._names = Names(self._tokens, funcs, self._nests)
        self._directives: list[Directive] = []
        self._lines: list[int] = []

    def schedule(self) -> Schedule:
        try:
            while self._tokens.peek().kind != "end":
                self._statement()
            if self._names.blocks:
                raise self._tokens.unexpected("'}'")
        except InputError as error:
            error.where = f"schedule, line {self._tokens.line}"
            raise
        for directive, line in zip(self._directives, self._lines, strict=True):
            try:
                self._nests.check_level(directive)
            except InputError as error:
                error.where = f"schedule, line {line}"
                raise
        return Schedule(tuple(self._directives))

    def _statement(self) -> None:
        tokens = self._tokens
        if tokens.skip("{"):
            self._names.open_block()
        elif self._names.blocks and tokens.skip("}"):
            self._names.close_block()
        elif tokens.peek(1).kind != "name":
            self._chain()
        elif tokens.skip("Var") or tokens.skip("RVar"):
            self._names.declare_vars()
        elif tokens.skip("Func") and tokens.peek(2).text == "pipeline":
            self._names.declare_func()
        else:
            self._chain()

    def _chain(self) -> None:
        tokens = self._tokens
        made: str | None = None
        if tokens.peek(1).text == "=":
            made = tokens.name("the name of a Func")
            tokens.mark("=")
        stage = Stage(self._names.func())
        while not self._ends_statement():
            call = tokens.name("a scheduling call")
            if call == "update" and stage.update is None:
                stage = self._names.update(stage.func)
                continue
            tokens.mark("(")
            if call == "rfactor" and made is not None:
                self._add(Rfactor(stage, self._names.argument(Role.PRESERVED, first=True), made))
                stage, made = self._names.add_func(made), None
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
            if any(isinstance(known, ComputeRoot | ComputeAt) and known.stage == stage for known in self._directives):
                raise InputError(f"{stage} was given another place before", expected="only one of the two")
        elif call == "rfactor":
            raise InputError("the Func that rfactor makes needs a name", expected=f"NAME = {stage}.rfactor(...)")
        elif call in kinds():
            roles = [role for _, role in form_of(kinds()[call]).arguments]
            values = [self._names.argument(role, first=not number) for number, role in enumerate(roles)]
            self._add(kinds()[call](stage, *values))
        else:
            known = ", ".join([*kinds(), "tile", "compute_inline"])
            raise InputError("no such scheduling call is known here", expected=f"one of {known}", found=call)

    def _split_and_mark(self, stage: Stage, call: str) -> None:
        read = self._names.argument
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
        read = self._names.argument
        names = [read(Role.LOOP, first=True)]
        while self._tokens.peek(1).kind != "number":
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
        self._directives.append(directive)
        self._lines.append(self._tokens.line)
