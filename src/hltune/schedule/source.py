"""Schedules as source code that needs nothing of ours: a Python module, or a C++ header for a generator.

Both address Funcs by their number, which Halide keeps from build to build, and the variables of the algorithm by their
position, because the names that Halide counts up (``r4$x``) depend on what the process did before.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any

from hltune.pipeline.serialized import read_names
from hltune.schedule.c_library import is_taken
from hltune.schedule.canonical import algorithm_loops, is_counted, new_loops
from hltune.schedule.languages import CPP, CPP_TARGET_CHECK, PYTHON, Language, quoted
from hltune.schedule.loops import LoopNests, LoopOrigin, callable_order, loop_nests
from hltune.values.directives import (
    OUTERMOST,
    ComputeAt,
    ComputeRoot,
    Directive,
    InsideLoop,
    Reorder,
    Rfactor,
    Schedule,
    Unroll,
    Unscheduled,
)
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.roles import ENUMERATIONS, Role, Stage, form_of

HEADER_ENDING = "_schedule.h"
"""Of the names of files with what `to_cpp_header` writes."""
_LOOPS = (
    "A comment before the directives of a stage: its loops, the outermost first, with their extents at these sizes."
)

_PROMISES = (
    "It takes the place of the author's own schedule, but for calls of bound, set_bounds, set_stride and the like: it"
    " relies on what these promise."
)
_UNROLLED = (
    "It unrolls a loop whose length Halide may not know, and so sets HL_PERMIT_FAILED_UNROLL=1 in the environment of"
    " the process, unless that has a value: what cannot be unrolled stays a loop, as it was when hltune measured it."
)


def to_python(
    schedule: Schedule, spec: PipelineSpec, about: Sequence[str] = (), loops: Mapping[Stage, str] = MappingProxyType({})
) -> str:
    """A module with a function ``apply_schedule(pipeline)``.

    Args:
        about: lines of comments at the beginning.
        loops: what to say of the loops of stages, before the first directive of each.
    """
    return _Writer(PYTHON, schedule, spec, loops).file(about, function_suffix(spec.name))


def to_cpp_header(
    schedule: Schedule,
    spec: PipelineSpec,
    about: Sequence[str] = (),
    loops: Mapping[Stage, str] = MappingProxyType({}),
    *,
    name: str | None = None,
    made_for: str | None = None,
) -> str:
    """A header with a function ``apply_schedule_NAME(pipeline, target)``, for the ``schedule()`` of a generator.

    The other arguments are those of `to_python`.

    Args:
        name: of the function; None for the pipeline's.
        made_for: a full Halide target; of quite another one the header warns. None if that is not to be looked at.
    """
    suffix, check = function_suffix(name or spec.name), ""
    if made_for is not None:
        check = CPP_TARGET_CHECK.format(name=suffix, made_for=quoted(made_for))
    return _Writer(CPP, schedule, spec, loops).file(about, suffix, check)


def function_suffix(name: str) -> str:
    """The name of a pipeline as part of an identifier."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "pipeline"


def default_function_name(spec: PipelineSpec) -> str:
    """The C function of the pipeline, unless people name it."""
    suffix = function_suffix(spec.name)
    return f"f_{suffix}" if suffix[0].isdigit() or is_taken(suffix) else suffix


def _unrolls_any_length(schedule: Schedule, spec: PipelineSpec) -> bool:
    """A loop is unrolled whose length the schedule does not tell."""
    nests = LoopNests(spec.funcs)
    for directive in schedule.directives:
        if isinstance(directive, Unroll) and nests.loop(directive.stage, directive.var).extent is None:
            return True
        nests.advance(directive)
    return False


def _todo(spec: PipelineSpec) -> str:
    """What to do about a pipeline of other Funcs."""
    anew = "leave it out, and make it anew with hltune"
    made = ", ".join(spec.rfactored)
    return f"make {made} with rfactor before this is called, as your file does, or {anew}" if made else anew


def _ordered_before(spec: PipelineSpec) -> set[str]:
    """Funcs whose loops an rfactor of the author, or what was called before it, has ordered."""
    return {*spec.rfactored, *(name.rpartition("_intm")[0] for name in spec.rfactored)}


def _left_to_say(schedule: Schedule, spec: PipelineSpec) -> list[Directive]:
    """Directives in an order in which they can be called; of what was scheduled nobody may say that it was not."""
    before = _ordered_before(spec)
    return [
        each
        for each in callable_order(schedule.directives, spec.funcs)
        if not (isinstance(each, Unscheduled) and each.stage.func in before)
    ]


def _default_order(spec: PipelineSpec) -> Iterator[Reorder]:
    """An rfactor and what was called before it order loops; schedules begin with the order of a new definition."""
    changed = _ordered_before(spec)
    for func in (func for func in spec.funcs if func.name in changed):
        for number, (rvars, args) in enumerate(zip(func.updates, func.update_args, strict=True)):
            if len(loops := (*rvars, *args)) > 1:
                yield Reorder(Stage(func.name, number), loops)


def _names_of_loops(directives: Sequence[Directive], funcs: Sequence[FuncInfo]) -> set[str]:
    """Of the algorithm and of a schedule."""
    return {*algorithm_loops(funcs), *(name for each in directives for name in new_loops(each))}


def _shape(func: FuncInfo) -> str:
    """What directives rely on, in the words of the code that checks it, without what Halide counts up: r4_x."""
    over = [", ".join(re.sub(r"^([rp])\d+(?=_)", r"\1", name) for name in names) for names in func.updates]
    return f"{len(func.args)} dimensions" + "".join(f" with an update over ({names})" for names in over)


def _images_by_number(funcs: Sequence[FuncInfo]) -> list[FuncInfo]:
    """The Funcs in the order in which exported code finds them: those of images without names change places."""
    ordered = list(funcs)
    numbers = {func.name: int(found[1]) for func in funcs if (found := re.fullmatch(r"p(\d+)_im(_\d+)?", func.name))}
    places = [place for place, func in enumerate(funcs) if func.name in numbers]
    images = sorted((funcs[place] for place in places), key=lambda func: numbers[func.name])
    for place, func in zip(places, images, strict=True):
        ordered[place] = func
    return ordered


class _Writer:
    """Collects the declarations while the directives are written: `file` puts them in front."""

    def __init__(self, language: Language, schedule: Schedule, spec: PipelineSpec, loops: Mapping[Stage, str]) -> None:
        self._language = language
        self._loops = dict(loops)
        self._directives = (*_default_order(spec), *_left_to_say(schedule, spec))
        self._unrolls_any_length = _unrolls_any_length(schedule, spec)
        self._spec = spec
        self._in_order = _images_by_number(spec.funcs)
        self._finished = loop_nests(schedule, spec.funcs)
        self._nests = LoopNests(spec.funcs)
        self._taken = _names_of_loops(self._directives, spec.funcs)
        # The identifiers of Funcs, by name, and of variables, by name, kind and where they come from.
        self._declared: dict[str | tuple[str, bool, bool], str] = {}
        self._funcs: list[str] = []
        self._vars: list[str] = []

    def file(self, about: Sequence[str], name: str, check: str = "") -> str:
        """All of it, for the pipeline of this name; `check` is code that comes before that of the schedule."""
        notes = {
            self._spec.rfactor_note(): True,
            _PROMISES: self._spec.manual is not None,
            _UNROLLED: self._unrolls_any_length,
            _LOOPS: bool(self._loops),
        }
        about = [*about, *(note for note, applies in notes.items() if note and applies)]
        calls = [self._statement(directive) for directive in self._directives]
        blocks = [lines for lines in (self._funcs, self._vars, calls) if lines]
        indent, end = "    ", self._language.end
        body = "\n".join("".join(f"{indent}{line}{end}\n" for line in lines) for lines in blocks)
        full = {name.replace("$", "_"): name for name in read_names(self._spec.hlpipe)}
        pairs = ((quoted(full[func.name]), quoted(_shape(func))) for func in self._in_order)
        return self._language.file.format(
            about="".join(f"{self._language.comment} {line}\n" for line in about),
            name=name,
            funcs="".join(self._language.pair.format(*each) for each in pairs),
            inlined=self._numbers(self._inlined()),
            free=self._numbers(_ordered_before(self._spec)),
            todo=_todo(self._spec),
            imports=self._language.imports_of_permission if self._unrolls_any_length else "",
            before=check + (self._language.permits_unrolling if self._unrolls_any_length else ""),
            body=body,
        )

    def _inlined(self) -> set[str]:
        """Funcs that the schedule computes nowhere in particular; outputs are computed at root in any case."""
        placed = {each.stage.func for each in self._directives if isinstance(each, ComputeAt | ComputeRoot)}
        return {func.name for func in self._spec.funcs} - placed - {each.name for each in self._spec.outputs}

    def _numbers(self, names: Set[str]) -> str:
        """Of Funcs, for code."""
        return ", ".join(str(number) for number, func in enumerate(self._in_order) if func.name in names)

    def _statement(self, directive: Directive) -> str:
        """A directive; the first one of a stage after what is to be said of its loops."""
        loops, call = self._loops.pop(directive.stage, None), self._directive(directive)
        return call if loops is None else f"{self._language.comment} {directive.stage}: {loops}\n    {call}"

    def _directive(self, directive: Directive) -> str:
        self._nests.advance(directive)
        form, stage = form_of(type(directive)), directive.stage
        target = self._func(stage.func) + ("" if stage.update is None else f".update({stage.update})")
        arguments = [self._argument(directive, role, getattr(directive, name)) for name, role in form.arguments]
        call = f"{target}.{form.call}({', '.join(arguments)})"
        return f"{self._func(directive.intermediate)} = {call}" if isinstance(directive, Rfactor) else call

    def _argument(self, directive: Directive, role: Role, value: Any) -> str:
        stage = directive.stage
        match role:
            case Role.LOOP | Role.NEW_LOOP | Role.DIM:
                return self._var(stage, value)
            case Role.LOOPS | Role.DIMS:
                names = ", ".join(self._var(stage, name) for name in value)
                return f"{{{names}}}" if self._language.braces else names
            case Role.PRESERVED:
                assert isinstance(directive, Rfactor)
                return self._pairs(directive)
            case Role.CONSUMER:
                return self._func(value)
            case Role.LEVEL:
                assert isinstance(directive, InsideLoop)
                return self._level(directive.consumer, value)
            case Role.TAIL | Role.MEMORY | Role.POLICY:
                return f"{self._language.scope}{ENUMERATIONS[role].name}{self._language.member}{value}"
            case _:
                return str(value)

    def _pairs(self, rfactor: Rfactor) -> str:
        made = Stage(rfactor.intermediate, 0)
        pairs = [f"{self._var(rfactor.stage, old)}, {self._var(made, new)}" for old, new in rfactor.preserved]
        if self._language.braces:
            return "{" + ", ".join(f"{{{pair}}}" for pair in pairs) + "}"
        return "[" + ", ".join(f"({pair})" for pair in pairs) + "]"

    def _level(self, consumer: str, name: str) -> str:
        if name == OUTERMOST:
            return f"{self._language.scope}Var{self._language.member}outermost()"
        stage, loop = self._finished.level(consumer, name)
        return self._declare(stage, name, rvar=loop.rvar)

    def _var(self, stage: Stage, name: str) -> str:
        return self._declare(stage, name, rvar=self._nests.is_rvar(stage, name))

    def _func(self, name: str) -> str:
        if name not in self._declared:
            self._declared[name] = identifier = self._identifier(name)
            known = [func.name for func in self._in_order]
            if name in known:
                self._funcs.append(self._language.func.format(id=identifier, index=known.index(name)))
            elif self._language.new_func:
                self._funcs.append(self._language.new_func.format(id=identifier))
        return self._declared[name]

    def _declare(self, stage: Stage, name: str, *, rvar: bool) -> str:
        """The identifier of a variable; equal names of the algorithm are one variable in all stages."""
        origin = self._finished.origins[stage].get(name)
        key = (name, rvar, origin is None)
        if key not in self._declared:
            self._declared[key] = self._identifier(name)
            self._vars.append(self._declaration(self._declared[key], name, "RVar" if rvar else "Var", origin))
        return self._declared[key]

    def _declaration(self, identifier: str, name: str, kind: str, origin: LoopOrigin | None) -> str:
        language = self._language
        if origin is None:
            return language.named.format(id=identifier, kind=kind, quoted=quoted(self._new_name(name)))
        template = language.arg if origin.stage.update is None else language.rvar
        func = self._func(origin.stage.func)
        return template.format(id=identifier, func=func, update=origin.stage.update, index=origin.index)

    def _new_name(self, name: str) -> str:
        """The name of a loop that the schedule makes.

        One that Halide counts up, as v2, may be that of a variable of the algorithm in the process that runs this. Nor
        can Halide count there: of deserialized pipelines it does not know the names, and begins at v0.
        """
        if is_counted(name):
            name += "_"
            while name in self._taken:
                name += "_"
        return name

    def _identifier(self, name: str) -> str:
        """A new identifier like the name; legal in both languages, so without double underscores.

        None begins as `_x`, which the templates use themselves, and Halide and compilers in macros.
        """
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name)
        if plain[0].isdigit() or re.match(r"_(?!\d)", plain):
            plain = "x" + plain
        if re.fullmatch(self._language.macros, plain):
            plain = plain.lower()
        taken = self._language.reserved | set(self._declared.values())
        candidate, number = plain, 1
        while candidate in taken:
            number += 1
            candidate = f"{plain.rstrip('_')}_{number}"
        return candidate
