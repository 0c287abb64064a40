"""Schedules as source code that needs nothing of ours: a Python module, or a C++ header for a generator.

Both address Funcs by their number, which Halide keeps from build to build, and the variables of the algorithm by their
position, because the names that Halide counts up (``r4$x``) depend on what the process did before.
"""

import json
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from hltune.pipeline.serialized import read_names
from hltune.schedule.canonical import is_counted
from hltune.schedule.loops import LoopNests, LoopOrigin, loop_nests
from hltune.values.directives import OUTERMOST, Directive, InsideLoop, Reorder, Rfactor, Schedule
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.roles import ENUMERATIONS, Role, Stage, form_of

_LOOPS = (
    "A comment before the directives of a stage: its loops, the outermost first, with their extents at these sizes."
)


@dataclass(frozen=True, slots=True)
class _Language:
    """How a language writes things."""

    file: str  # template of all
    comment: str  # begins one
    pair: str  # template of a Func's name and what directives rely on
    scope: str  # stands before the names of Halide
    member: str  # stands between an enumeration and its element
    func: str  # template that declares a Func of the pipeline; the next five declare:
    new_func: str  # a Func that an rfactor makes, if the language wants that
    arg: str  # a pure variable of the algorithm
    rvar: str  # a reduction variable of the algorithm
    named: str  # a new variable
    unnamed: str  # a new variable that Halide names
    end: str  # what ends a statement
    braces: bool  # lists of variables stand in braces
    reserved: frozenset[str]  # no identifiers of ours


_PYTHON = _Language(
    file=r'''"""A schedule found by hltune; call `apply_schedule` before compiling the pipeline."""
{about}
import re
from itertools import zip_longest

import halide as hl


def _funcs(pipeline: hl.Pipeline) -> list[hl.Func]:
    """The Funcs in their order; refuses others than those that the schedule was made for."""
    expected = [{funcs}
    ]
    found = []
    try:
        while True:
            found.append(pipeline.get_func(len(found)))
    except hl.HalideError:  # there are no more
        if not found:
            raise
    # Halide orders the Funcs of images without names by these, so that p10_im comes before p9_im.
    images = [number for number, func in enumerate(found) if _image(func)]
    for number, func in zip(images, sorted((found[k] for k in images), key=_image)):
        found[number] = func
    for func, other in zip_longest(expected, [(func.name(), _shape(func)) for func in found]):
        if func is None or other is None or (_plain(func[0]), func[1]) != (_plain(other[0]), other[1]):
            where = f"it had {{_told(func)}} where {{_told(other)}} is"
            todo = "{todo}"
            raise ValueError(f"this schedule was made for another version of this pipeline: {{where}}; {{todo}}")
    return found


def _image(func: hl.Func) -> list[int]:
    """The number of an image without a name, from that of its Func; none for all others."""
    return [int(number) for number in re.findall(r"^p(\d+)_im(?:\$\d+)?$", func.name())]


def _shape(func: hl.Func) -> str:
    """What directives rely on: how many dimensions, and the reduction variables of each update."""
    updates = [[rvar.name().replace("$", "_") for rvar in func.rvars(k)] for k in range(func.num_update_definitions())]
    over = [", ".join(re.sub(r"^([rp])\d+(?=_)", r"\1", name) for name in names) for names in updates]
    return f"{{func.dimensions()}} dimensions" + "".join(f" with an update over ({{names}})" for names in over)


def _told(func: tuple[str, str] | None) -> str:
    return "nothing" if func is None else f"{{func[0]}} of {{func[1]}}"


def _plain(name: str) -> str:
    """A name without what Halide counts up: blur$2 is the third blur, and it invents f0, lambda_0 and p0_im."""
    return re.sub(r"^(f|lambda_)\d+$|^(p)\d+(?=_im(\$\d+)?$)|\$\d+$", r"\1\2", name).replace("$", "_")


def apply_schedule(pipeline: hl.Pipeline) -> None:
    """Schedules the pipeline {name}."""
    funcs = _funcs(pipeline)
{body}''',
    comment="#",
    pair="\n        ({}, {}),",
    scope="hl.",
    member=".",
    func="{id} = funcs[{index}]",
    new_func="",
    arg="{id} = {func}.args()[{index}]",
    rvar="{id} = {func}.rvars({update})[{index}]",
    named="{id} = hl.{kind}({quoted})",
    unnamed="{id} = hl.{kind}()",
    end="",
    braces=False,
    reserved=frozenset([*keyword.kwlist, "hl", "pipeline", "funcs", "apply_schedule"]),
)

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
compl concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype
default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline
int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template
this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
while xor xor_eq restrict typeof typeof_unqual main NULL EOF assert errno linux unix stdin stdout stderr
"""
C_RESERVED = frozenset(_KEYWORDS.split())
"""No identifiers of ours in C or C++."""

_CPP = _Language(
    file="""{about}// A schedule found by hltune. In the schedule() method of a generator:
//     apply_schedule_{name}(get_pipeline(), get_target());
#pragma once

#include "Halide.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

inline void apply_schedule_{name}([[maybe_unused]] ::Halide::Pipeline pipeline, const ::Halide::Target & /*target*/) {{
    {{
        // A name without what Halide counts up: blur$2 is the third blur, and it invents f0 and lambda_0.
        const auto plain = [](std::string name) {{
            const size_t digits = name.find_last_not_of("0123456789") + 1;
            const std::string start = name.substr(0, digits);
            if (digits > 1 && digits < name.size() && start.back() == '$') {{
                name.resize(digits - 1);
            }} else if (start == "f" || start == "lambda_") {{
                name = start;
            }}
            for (char &c : name) {{
                c = c == '$' ? '_' : c;
            }}
            return name;
        }};
        // What directives rely on: how many dimensions, and the reduction variables of each update.
        const auto shape = [](const ::Halide::Func &func) {{
            std::string text = std::to_string(func.dimensions()) + " dimensions";
            for (int update = 0; update < func.num_update_definitions(); update++) {{
                text += " with an update over (";
                std::string separator;
                for (const ::Halide::RVar &rvar : func.rvars(update)) {{
                    std::string name = rvar.name();
                    for (char &c : name) {{
                        c = c == '$' ? '_' : c;
                    }}
                    const size_t end = name.find_first_not_of("0123456789", 1);
                    if ((name[0] == 'r' || name[0] == 'p') && end != std::string::npos && name[end] == '_') {{
                        name.erase(1, end - 1);
                    }}
                    text += separator + name;
                    separator = ", ";
                }}
                text += ")";
            }}
            return text;
        }};
        std::map<std::string, ::Halide::Internal::Function> funcs;
        for (const ::Halide::Func &output : pipeline.outputs()) {{
            const auto called = ::Halide::Internal::find_transitive_calls(output.function());
            funcs.insert(called.begin(), called.end());
        }}
        using Known = std::pair<std::string, std::string>;
        const auto told = [](const Known &func) {{
            return func.second.empty() ? func.first : func.first + " of " + func.second;
        }};
        const Known nothing = {{"nothing", ""}};
        const std::vector<Known> expected = {{{funcs}
        }};
        for (size_t number = 0; number < expected.size() || number < funcs.size(); number++) {{
            Known had = number < expected.size() ? expected[number] : nothing, has = nothing;
            if (number < funcs.size()) {{
                const ::Halide::Func func = pipeline.get_func(number);
                has = {{func.name(), shape(func)}};
            }}
            _halide_user_assert(plain(had.first) == plain(has.first) && had.second == has.second)
                << "this schedule was made for another version of this pipeline: it had " << told(had) << " where "
                << told(has) << " is; {todo}\\n";
        }}
    }}
{body}}}
""",
    comment="//",
    pair="\n            {{{}, {}}},",
    scope="::Halide::",
    member="::",
    func="::Halide::Func {id} = pipeline.get_func({index})",
    new_func="::Halide::Func {id}",
    arg="::Halide::Var {id} = {func}.args()[{index}]",
    rvar="::Halide::RVar {id}({func}.update({update}).get_schedule().rvars()[{index}].var)",
    named="::Halide::{kind} {id}({quoted})",
    unnamed="::Halide::{kind} {id}",
    end=";",
    braces=True,
    reserved=C_RESERVED | {"pipeline"},
)


def to_python(
    schedule: Schedule, spec: PipelineSpec, about: Sequence[str] = (), loops: Mapping[Stage, str] = MappingProxyType({})
) -> str:
    """A module with a function ``apply_schedule(pipeline)``.

    Args:
        about: lines of comments at the beginning.
        loops: what to say of the loops of stages, before the first directive of each.
    """
    return _Writer(_PYTHON, schedule, spec, loops).file(about)


def to_cpp_header(
    schedule: Schedule, spec: PipelineSpec, about: Sequence[str] = (), loops: Mapping[Stage, str] = MappingProxyType({})
) -> str:
    """A header with a function ``apply_schedule_NAME(pipeline, target)``, for the ``schedule()`` of a generator.

    Arguments are those of `to_python`.
    """
    return _Writer(_CPP, schedule, spec, loops).file(about)


def function_suffix(spec: PipelineSpec) -> str:
    """The name of the pipeline as part of an identifier."""
    return re.sub(r"[^A-Za-z0-9]+", "_", spec.name).strip("_") or "pipeline"


def default_function_name(spec: PipelineSpec) -> str:
    """The C function of the pipeline, unless people name it."""
    suffix = function_suffix(spec)
    return f"f_{suffix}" if suffix[0].isdigit() or suffix in C_RESERVED else suffix


def _todo(spec: PipelineSpec) -> str:
    """What to do about a pipeline of other Funcs."""
    anew = "leave it out, and make it anew with hltune"
    made = ", ".join(spec.rfactored)
    return f"make {made} with rfactor before this is called, as your file does, or {anew}" if made else anew


def _default_order(spec: PipelineSpec) -> Iterator[Reorder]:
    """An rfactor and what was called before it order loops; schedules begin with the order of a new definition."""
    changed = {*spec.rfactored, *(name.rpartition("_intm")[0] for name in spec.rfactored)}
    for func in (func for func in spec.funcs if func.name in changed):
        for number, (rvars, args) in enumerate(zip(func.updates, func.update_args, strict=True)):
            if len(loops := (*rvars, *args)) > 1:
                yield Reorder(Stage(func.name, number), loops)


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

    def __init__(self, language: _Language, schedule: Schedule, spec: PipelineSpec, loops: Mapping[Stage, str]) -> None:
        self._language = language
        self._loops = dict(loops)
        self._directives = (*_default_order(spec), *schedule.directives)
        self._spec = spec
        self._in_order = _images_by_number(spec.funcs)
        self._finished = loop_nests(schedule, spec.funcs)
        self._nests = LoopNests(spec.funcs)
        # The identifiers of Funcs, by name, and of variables, by name, kind and where they come from.
        self._declared: dict[str | tuple[str, bool, bool], str] = {}
        self._funcs: list[str] = []
        self._vars: list[str] = []

    def file(self, about: Sequence[str]) -> str:
        kept = self._spec.rfactor_note()
        about = [*about, *([kept] if kept else []), *([_LOOPS] if self._loops else [])]
        calls = [self._statement(directive) for directive in self._directives]
        blocks = [lines for lines in (self._funcs, self._vars, calls) if lines]
        indent, end = "    ", self._language.end
        body = "\n".join("".join(f"{indent}{line}{end}\n" for line in lines) for lines in blocks)
        full = {name.replace("$", "_"): name for name in read_names(self._spec.hlpipe)}
        pairs = ((json.dumps(full[func.name]), json.dumps(_shape(func))) for func in self._in_order)
        return self._language.file.format(
            about="".join(f"{self._language.comment} {line}\n" for line in about),
            name=function_suffix(self._spec),
            funcs="".join(self._language.pair.format(*each) for each in pairs),
            todo=_todo(self._spec),
            body=body,
        )

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
            # A counted name could be taken in the process that runs this: let Halide count there.
            template = language.unnamed if is_counted(name) else language.named
            return template.format(id=identifier, kind=kind, quoted=json.dumps(name))
        template = language.arg if origin.stage.update is None else language.rvar
        func = self._func(origin.stage.func)
        return template.format(id=identifier, func=func, update=origin.stage.update, index=origin.index)

    def _identifier(self, name: str) -> str:
        """A new identifier like the name; legal in both languages, so without double underscores."""
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name)
        if plain[0].isdigit() or re.match(r"_[A-Z]", plain) or plain == "_":
            plain = "x" + plain
        taken = self._language.reserved | set(self._declared.values())
        candidate, number = plain, 1
        while candidate in taken:
            number += 1
            candidate = f"{plain.rstrip('_')}_{number}"
        return candidate
