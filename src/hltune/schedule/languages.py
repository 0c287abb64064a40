"""The two languages that schedules are written in: templates of files and of what stands in them.

The code in the templates checks the Funcs that it finds: it needs nothing of ours where it runs.
"""

import json
import keyword
from dataclasses import dataclass


def quoted(text: str) -> str:
    """A string in both languages, of which neither knows pairs of ``\\u`` for one character."""
    return json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Language:
    """How a language writes things."""

    file: str  # template of all
    comment: str  # begins one
    pair: str  # template of a Func's name and what directives rely on
    scope: str  # stands before the names of Halide
    member: str  # stands between an enumeration and its element
    func: str  # template that declares a Func of the pipeline; the next four declare:
    new_func: str  # a Func that an rfactor makes, if the language wants that
    arg: str  # a pure variable of the algorithm
    rvar: str  # a reduction variable of the algorithm
    named: str  # a new variable
    end: str  # what ends a statement
    braces: bool  # lists of variables stand in braces
    reserved: frozenset[str]  # no identifiers of ours
    permits_unrolling: str  # has Halide leave loops whose lengths turn out not to be constant, in this process
    imports_of_permission: str  # what that needs
    macros: str = r"(?!)"  # pattern of what belongs to macros, and is written small where it is to be an identifier


PYTHON = Language(
    file=r'''"""A schedule found by hltune; call `apply_schedule` before compiling the pipeline."""
{about}
{imports}import re
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
    counted = r"^(f|lambda_)\d+(?=(?:_(?:intm|global_wrapper)(?:\$\d+)?)*$)|^(p)\d+(?=_im(?:\$\d+)?$)|\$\d+"
    return re.sub(counted, r"\1\2", name).replace("$", "_")


def apply_schedule(pipeline: hl.Pipeline) -> None:
    """Schedules the pipeline {name}."""
    funcs = _funcs(pipeline)
{before}{body}''',
    comment="#",
    pair="\n        ({}, {}),",
    scope="hl.",
    member=".",
    func="{id} = funcs[{index}]",
    new_func="",
    arg="{id} = {func}.args()[{index}]",
    rvar="{id} = {func}.rvars({update})[{index}]",
    named="{id} = hl.{kind}({quoted})",
    end="",
    braces=False,
    reserved=frozenset([*keyword.kwlist, "hl", "pipeline", "funcs", "apply_schedule", "os"]),
    permits_unrolling="""\
    # A loop that turns out not to have a constant length is left as a loop; without this, Halide refuses it.
    os.environ.setdefault("HL_PERMIT_FAILED_UNROLL", "1")
""",
    imports_of_permission="import os\n",
)

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
compl concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype
default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline
int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template
this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
while xor xor_eq restrict typeof typeof_unqual main NULL EOF assert errno linux unix stdin stdout stderr
_Alignas _Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local
"""
_SMALL_MACROS = """
HalideExtern_1 HalideExtern_2 HalideExtern_3 HalideExtern_4 HalideExtern_5 HalidePureExtern_1 HalidePureExtern_2
HalidePureExtern_3 HalidePureExtern_4 HalidePureExtern_5 L_ctermid L_cuserid L_tmpnam P_tmpdir alloca assert_perror
be16toh be32toh be64toh htobe16 htobe32 htobe64 htole16 htole32 htole64 issubnormal le16toh le32toh le64toh major
makedev math_errhandling minor offsetof pthread_cleanup_pop pthread_cleanup_pop_restore_np pthread_cleanup_push
pthread_cleanup_push_defer_np sched_priority strdupa strndupa
"""
C_RESERVED = frozenset(_KEYWORDS.split()) | frozenset(_SMALL_MACROS.split())
"""No identifiers of ours in C or C++. Macros are those that ``Halide.h`` brings, without the hundreds in capitals."""

CPP = Language(
    file="""{about}// A schedule found by hltune. In the schedule() method of a generator:
//     apply_schedule_{name}(get_pipeline(), get_target());
#pragma once

#include "Halide.h"

#include <algorithm>
{imports}#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

inline void apply_schedule_{name}([[maybe_unused]] ::Halide::Pipeline pipeline,
    [[maybe_unused]] const ::Halide::Target &target) {{
    {{
        // A name without what Halide counts up: blur$2 is the third blur, and it invents f0 and lambda_0.
        const auto plain = [](const std::string &name) {{
            const std::regex counted("^(f|lambda_)[0-9]+(?=(_(intm|global_wrapper)([$][0-9]+)?)*$)|[$][0-9]+");
            std::string text = std::regex_replace(name, counted, "$1");
            std::replace(text.begin(), text.end(), '$', '_');
            return text;
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
        // What is scheduled before, by the file or by a generator that it calls, may be another program than was
        // measured: any stage, where a Func is computed that is inlined here, and where any is stored.
        const std::set<size_t> inlined = {{{inlined}}}, free = {{{free}}};
        const auto is_scheduled = [&](size_t number, const ::Halide::Internal::Function &of) {{
            const auto is_set = [](const ::Halide::LoopLevel &given) {{
                ::Halide::LoopLevel level = ::Halide::LoopLevel::inlined();
                level.set(given);
                return !level.lock().is_inlined();
            }};
            bool found = inlined.count(number) && is_set(of.schedule().compute_level());
            found = found || is_set(of.schedule().store_level()) || of.definition().schedule().touched();
            for (const ::Halide::Internal::Definition &update : of.updates()) {{
                found = found || update.schedule().touched();
            }}
            return found;
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
            _halide_user_assert(free.count(number) || !is_scheduled(number, pipeline.get_func(number).function()))
                << has.first << " is scheduled before this schedule is applied, by the generator or by one that it "
                << "calls: remove that, for hltune has measured without it\\n";
        }}
    }}
{before}{body}}}
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
    end=";",
    braces=True,
    reserved=C_RESERVED | {"pipeline", "target"},
    permits_unrolling="""\
    {
        // A loop that turns out not to have a constant length is left as a loop; without this, Halide refuses it.
        const char *const permission = "HL_PERMIT_FAILED_UNROLL";
#ifdef _WIN32
        size_t length = 0;
        getenv_s(&length, nullptr, 0, permission);
        if (length == 0) {
            _putenv_s(permission, "1");
        }
#else
        setenv(permission, "1", 0);
#endif
    }
""",
    imports_of_permission="#include <cstdlib>\n",
    macros=r"[A-Z][A-Z0-9_]+|M_\w+",
)

CPP_TARGET_CHECK = """\
    {{
        // For other vectors it is slow rather than wrong. The target of the DSP beside a processor is the latter's.
        const auto vector = [](const ::Halide::Target &of) {{ return of.natural_vector_size(::Halide::UInt(8)); }};
        const std::string made_for = {made_for};
        const bool valid = ::Halide::Target::validate_target_string(made_for);
        const ::Halide::Target made = valid ? ::Halide::Target(made_for) : target;
        const bool known = !made.has_unknowns() && !target.has_unknowns();
        const bool beside = made.arch == ::Halide::Target::Hexagon && target.has_feature(::Halide::Target::HVX);
        const bool alike = made.arch == target.arch && made.bits == target.bits;
        if (known && !beside && !(alike && vector(made) == vector(target))) {{
            std::cerr << "Warning: apply_schedule_{name}: hltune made this schedule for " << made_for
                      << " with vectors of " << vector(made) << " bytes; it may be slow for " << target.to_string()
                      << " with vectors of " << vector(target) << " bytes: make one with --target\\n";
        }}
    }}
"""
"""Warns of another kind of processor, or of vectors of another length, than those that the schedule was made for."""
