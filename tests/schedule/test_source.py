from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import halide as hl
import numpy as np
import pytest

from hltune.pipeline.flatbuffer import Editor
from hltune.pipeline.serialized import VERSION
from hltune.pipeline.serialized_schedule import INLINED, read_plans
from hltune.runtime.halide_wheel import include_directory, library_directory
from hltune.runtime.worker import Worker
from hltune.schedule.parse import parse_schedule
from hltune.schedule.source import default_function_name, to_cpp_header, to_python
from hltune.values.directives import ComputeRoot, Reorder, Schedule, Unroll, Unscheduled
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.roles import Stage
from tests.schedule.plugin import Lower, RunSchedule, SearchAndReplay, normalised, probe
from tests.schedule.strategies import FUNCS


def algorithm(*names: str) -> bytes:
    """A serialized pipeline, as far as the names of its Funcs go."""
    editor = Editor(bytes(4))
    editor._refer(0, {0: [{0: name} for name in names], 9: VERSION})
    return bytes(editor.data)


def spec_of(*funcs: FuncInfo, name: str = "p") -> PipelineSpec:
    hlpipe = algorithm(*(func.name for func in funcs))
    funcs = tuple(replace(func, name=func.name.replace("$", "_")) for func in funcs)
    return PipelineSpec(name=name, hlpipe=hlpipe, inputs=(), outputs=(), funcs=funcs)


SPEC = spec_of(*FUNCS, name="blur-3x3")
SCHEDULE = """
    output.vectorize(x, 16).parallel(y).split(y, class, xi, 4);
    blur.compute_at(output, xi).store_at(output, __outermost).reorder_storage(c, y).store_in(MemoryType::Stack);
    hist.update(0).split(r_x, r_xo, r_xi, 8, TailStrategy::GuardWithIf);
    part = hist.update(0).rfactor({{r_xo, u}});
    part.compute_at(hist, _0).update(0).reorder(u, r_xi);
    hist.update(0).atomic();
"""

PYTHON = r'''"""A schedule found by hltune; call `apply_schedule` before compiling the pipeline."""

import re
from itertools import zip_longest

import halide as hl


def _funcs(pipeline: hl.Pipeline) -> list[hl.Func]:
    """The Funcs in their order; refuses others than those that the schedule was made for."""
    expected = [
        ("blur", "3 dimensions"),
        ("hist", "2 dimensions with an update over (r_x, r_y) with an update over (r_x) with an update over ()"),
        ("odd-name", "2 dimensions"),
        ("scalar", "0 dimensions with an update over (r_x, r_y)"),
        ("output", "2 dimensions"),
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
            where = f"it had {_told(func)} where {_told(other)} is"
            todo = "leave it out, and make it anew with hltune"
            raise ValueError(f"this schedule was made for another version of this pipeline: {where}; {todo}")
    return found


def _image(func: hl.Func) -> list[int]:
    """The number of an image without a name, from that of its Func; none for all others."""
    return [int(number) for number in re.findall(r"^p(\d+)_im(?:\$\d+)?$", func.name())]


def _shape(func: hl.Func) -> str:
    """What directives rely on: how many dimensions, and the reduction variables of each update."""
    updates = [[rvar.name().replace("$", "_") for rvar in func.rvars(k)] for k in range(func.num_update_definitions())]
    over = [", ".join(re.sub(r"^([rp])\d+(?=_)", r"\1", name) for name in names) for names in updates]
    return f"{func.dimensions()} dimensions" + "".join(f" with an update over ({names})" for names in over)


def _told(func: tuple[str, str] | None) -> str:
    return "nothing" if func is None else f"{func[0]} of {func[1]}"


def _plain(name: str) -> str:
    """A name without what Halide counts up: blur$2 is the third blur, and it invents f0, lambda_0 and p0_im."""
    counted = r"^(f|lambda_)\d+(?=(?:_(?:intm|global_wrapper)(?:\$\d+)?)*$)|^(p)\d+(?=_im(?:\$\d+)?$)|\$\d+"
    return re.sub(counted, r"\1\2", name).replace("$", "_")


def apply_schedule(pipeline: hl.Pipeline) -> None:
    """Schedules the pipeline blur_3x3."""
    funcs = _funcs(pipeline)
    output = funcs[4]
    blur = funcs[0]
    hist = funcs[1]

    x = output.args()[0]
    v0 = hl.Var("v0_")
    y = output.args()[1]
    class_2 = hl.Var("class")
    xi = hl.Var("xi")
    c = blur.args()[2]
    r_x = hist.rvars(0)[0]
    r_xo = hl.RVar("r_xo")
    r_xi = hl.RVar("r_xi")
    u = hl.Var("u")
    _0 = hist.args()[1]

    output.split(x, x, v0, 16, hl.TailStrategy.Auto)
    output.vectorize(v0)
    output.parallel(y)
    output.split(y, class_2, xi, 4, hl.TailStrategy.Auto)
    blur.compute_at(output, xi)
    blur.store_at(output, hl.Var.outermost())
    blur.reorder_storage(c, y)
    blur.store_in(hl.MemoryType.Stack)
    hist.update(0).split(r_x, r_xo, r_xi, 8, hl.TailStrategy.GuardWithIf)
    part = hist.update(0).rfactor([(r_xo, u)])
    part.compute_at(hist, _0)
    part.update(0).reorder(u, r_xi)
    hist.update(0).atomic()
'''

CPP = """\
// A schedule found by hltune. In the schedule() method of a generator:
//     apply_schedule_blur_3x3(get_pipeline(), get_target());
#pragma once

#include "Halide.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

inline void apply_schedule_blur_3x3([[maybe_unused]] ::Halide::Pipeline pipeline,
    [[maybe_unused]] const ::Halide::Target &target) {
    {
        // A name without what Halide counts up: blur$2 is the third blur, and it invents f0 and lambda_0.
        const auto plain = [](const std::string &name) {
            const std::regex counted("^(f|lambda_)[0-9]+(?=(_(intm|global_wrapper)([$][0-9]+)?)*$)|[$][0-9]+");
            std::string text = std::regex_replace(name, counted, "$1");
            std::replace(text.begin(), text.end(), '$', '_');
            return text;
        };
        // What directives rely on: how many dimensions, and the reduction variables of each update.
        const auto shape = [](const ::Halide::Func &func) {
            std::string text = std::to_string(func.dimensions()) + " dimensions";
            for (int update = 0; update < func.num_update_definitions(); update++) {
                text += " with an update over (";
                std::string separator;
                for (const ::Halide::RVar &rvar : func.rvars(update)) {
                    std::string name = rvar.name();
                    for (char &c : name) {
                        c = c == '$' ? '_' : c;
                    }
                    const size_t end = name.find_first_not_of("0123456789", 1);
                    if ((name[0] == 'r' || name[0] == 'p') && end != std::string::npos && name[end] == '_') {
                        name.erase(1, end - 1);
                    }
                    text += separator + name;
                    separator = ", ";
                }
                text += ")";
            }
            return text;
        };
        std::map<std::string, ::Halide::Internal::Function> funcs;
        for (const ::Halide::Func &output : pipeline.outputs()) {
            const auto called = ::Halide::Internal::find_transitive_calls(output.function());
            funcs.insert(called.begin(), called.end());
        }
        using Known = std::pair<std::string, std::string>;
        const auto told = [](const Known &func) {
            return func.second.empty() ? func.first : func.first + " of " + func.second;
        };
        // What is scheduled before, by the file or by a generator that it calls, may be another program than was
        // measured: any stage, where a Func is computed that is inlined here, and where any is stored.
        const std::set<size_t> inlined = {1, 2, 3, 4}, free = {};
        const auto is_scheduled = [&](size_t number, const ::Halide::Internal::Function &of) {
            const auto is_set = [](const ::Halide::LoopLevel &given) {
                ::Halide::LoopLevel level = ::Halide::LoopLevel::inlined();
                level.set(given);
                return !level.lock().is_inlined();
            };
            bool found = inlined.count(number) && is_set(of.schedule().compute_level());
            found = found || is_set(of.schedule().store_level()) || of.definition().schedule().touched();
            for (const ::Halide::Internal::Definition &update : of.updates()) {
                found = found || update.schedule().touched();
            }
            return found;
        };
        const Known nothing = {"nothing", ""};
        const std::vector<Known> expected = {
            {"blur", "3 dimensions"},
            {"hist", "2 dimensions with an update over (r_x, r_y) with an update over (r_x) with an update over ()"},
            {"odd-name", "2 dimensions"},
            {"scalar", "0 dimensions with an update over (r_x, r_y)"},
            {"output", "2 dimensions"},
        };
        for (size_t number = 0; number < expected.size() || number < funcs.size(); number++) {
            Known had = number < expected.size() ? expected[number] : nothing, has = nothing;
            if (number < funcs.size()) {
                const ::Halide::Func func = pipeline.get_func(number);
                has = {func.name(), shape(func)};
            }
            _halide_user_assert(plain(had.first) == plain(has.first) && had.second == has.second)
                << "this schedule was made for another version of this pipeline: it had " << told(had) << " where "
                << told(has) << " is; leave it out, and make it anew with hltune\\n";
            _halide_user_assert(free.count(number) || !is_scheduled(number, pipeline.get_func(number).function()))
                << has.first << " is scheduled before this schedule is applied, by the generator or by one that it "
                << "calls: remove that, for hltune has measured without it\\n";
        }
    }
    ::Halide::Func output = pipeline.get_func(4);
    ::Halide::Func blur = pipeline.get_func(0);
    ::Halide::Func hist = pipeline.get_func(1);
    ::Halide::Func part;

    ::Halide::Var x = output.args()[0];
    ::Halide::Var v0("v0_");
    ::Halide::Var y = output.args()[1];
    ::Halide::Var class_2("class");
    ::Halide::Var xi("xi");
    ::Halide::Var c = blur.args()[2];
    ::Halide::RVar r_x(hist.update(0).get_schedule().rvars()[0].var);
    ::Halide::RVar r_xo("r_xo");
    ::Halide::RVar r_xi("r_xi");
    ::Halide::Var u("u");
    ::Halide::Var _0 = hist.args()[1];

    output.split(x, x, v0, 16, ::Halide::TailStrategy::Auto);
    output.vectorize(v0);
    output.parallel(y);
    output.split(y, class_2, xi, 4, ::Halide::TailStrategy::Auto);
    blur.compute_at(output, xi);
    blur.store_at(output, ::Halide::Var::outermost());
    blur.reorder_storage({c, y});
    blur.store_in(::Halide::MemoryType::Stack);
    hist.update(0).split(r_x, r_xo, r_xi, 8, ::Halide::TailStrategy::GuardWithIf);
    part = hist.update(0).rfactor({{r_xo, u}});
    part.compute_at(hist, _0);
    part.update(0).reorder({u, r_xi});
    hist.update(0).atomic();
}
"""


WIDTH, HEIGHT = 200, 150
"""Of the output of the convolution that is compiled and run; no multiples of its tiles."""
TWO_TARGETS = "target=x86-64-linux-sse41-avx-avx2,x86-64-linux"


def test_python() -> None:
    assert to_python(parse_schedule(SCHEDULE, FUNCS), SPEC) == PYTHON


def test_cpp() -> None:
    assert to_cpp_header(parse_schedule(SCHEDULE, FUNCS), SPEC) == CPP


def test_loops_that_halide_counts_are_called_as_nothing_else() -> None:
    spec = spec_of(FuncInfo(name="output", args=("v0", "v1_")))
    source = to_python(parse_schedule("output.split(v0, v1, v2, 8).split(v1_, v1__, r3, 2);", spec.funcs), spec)
    assert [*re.findall(r"hl\.Var\(.*\)", source)] == [f'hl.Var("{name}")' for name in ("v1___", "v2_", "v1__", "r3_")]


def test_an_empty_schedule_is_valid_source() -> None:
    compile(to_python(Schedule(), SPEC), "schedule.py", "exec")
    assert to_cpp_header(Schedule(), SPEC).endswith("        }\n    }\n}\n")


def test_another_version_of_the_pipeline_is_refused() -> None:
    x = hl.Var("x")
    output = hl.Func("another")
    output[x] = x
    with pytest.raises(ValueError, match="it had blur of 3 dimensions where another of 1 dim"):
        applied(SPEC, hl.Pipeline(output))


def applied(spec: PipelineSpec, pipeline: hl.Pipeline) -> None:
    """Applies an empty schedule that was exported for a pipeline to another one."""
    names: dict[str, Callable[[hl.Pipeline], None]] = {}
    exec(to_python(Schedule(), spec), names)
    names["apply_schedule"](pipeline)


def chain(*names: str | None) -> hl.Pipeline:
    """Funcs that each read the one before; Halide names those without a name."""
    x = hl.Var("x")
    value = hl.i32(x)
    for name in names:
        func = hl.Func() if name is None else hl.Func(name)
        func[x] = value + 1
        value = func[x]
    return hl.Pipeline(func)


def names_of(pipeline: hl.Pipeline) -> list[str]:
    names: list[str] = []
    with contextlib.suppress(hl.HalideError):
        while True:
            names.append(pipeline.get_func(len(names)).name())
    return names


def exported_for(pipeline: hl.Pipeline) -> PipelineSpec:
    return spec_of(*(FuncInfo(name=name, args=("x",)) for name in names_of(pipeline)))


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (("f0", "f1"), ("f0", "f1", "f2"), r"it had nothing where f2\$\d+ of 1 dimensions is"),
        (("f0", "f1", "f2"), ("f0", "f1"), r"it had f2\$\d+ of 1 dimensions where nothing is"),
        (("f0", "f1"), ("f0", "f2"), r"it had f1\$\d+ of 1 dimensions where f2\$\d+ of 1 dimensions is"),
        (
            ("rows", "out"),
            ("rows", "further", "out"),
            r"it had out\S* of 1 dimensions where further\S* of 1 dimensions is",
        ),
        (("blur_1", "out"), ("blur_2", "out"), r"it had blur_1\S* of 1 .* where blur_2\S* of 1 dimensions is"),
        (("blur_1", "out"), ("blur", "out"), r"it had blur_1\S* of 1 dimensions where blur\S* of 1 dimensions is"),
        ((None, None), (None, None, None), r"it had nothing where f\d+ of 1 dimensions is"),
        ((None, "out"), ("f0", "out"), r"it had f\d+ of 1 dimensions where f0\$\d+ of 1 dimensions is"),
    ],
)
def test_other_funcs_are_another_version(
    before: tuple[str | None, ...], after: tuple[str | None, ...], difference: str
) -> None:
    spec, pipeline = exported_for(chain(*before)), chain(*after)
    untouched = hl.serialize_pipeline(pipeline)
    with pytest.raises(ValueError, match=f"made for another version of this pipeline: {difference}"):
        applied(spec, pipeline)
    assert hl.serialize_pipeline(pipeline) == untouched


def test_other_dimensions_are_another_version() -> None:
    spec = spec_of(FuncInfo(name="rows", args=("x", "y")), FuncInfo(name="out", args=("x",)))
    with pytest.raises(ValueError, match=r"it had rows\S* of 2 dimensions where rows\S* of 1 dimensions is"):
        applied(spec, chain("rows", "out"))


SMILE = "gl\u00fc\U0001f600"


@pytest.mark.parametrize(
    "names", [("rows", "out"), ("f0", "f1"), ("blur_1", "a$b"), (None, "2x", None), (SMILE, "out")]
)
def test_what_halide_counts_up_does_not_matter(names: tuple[str | None, ...]) -> None:
    spec = exported_for(chain(*names))
    for _ in range(2):
        applied(spec, chain(*names))


@pytest.mark.parametrize("names", [("rows", "out"), (None, None)])
def test_a_wrapper_of_what_halide_counts_up_is_the_same(names: tuple[str | None, ...]) -> None:
    def wrapped() -> hl.Pipeline:
        return hl.Pipeline(chain(*names).get_func(1).in_())

    spec = exported_for(wrapped())
    assert any("wrapper" in func.name for func in spec.funcs)
    for _ in range(2):
        applied(spec, wrapped())


def test_names_are_written_as_they_are() -> None:
    spec = exported_for(chain(SMILE, "out"))
    for write in (to_python, to_cpp_header):
        assert f'"{SMILE}' in write(Schedule(), spec)


def siblings(make: Callable[[], hl.Func | hl.ImageParam], number: str) -> tuple[hl.Pipeline, str, str]:
    """Two of one shape under an output, with the names of their Funcs; the first one has a number like that."""
    x = hl.Var("x")
    first = make()
    while re.search(rf"[fp$]{number}$", first.name()) is None:
        first = make()
    second, output = make(), hl.Func("output")
    for factor, each in enumerate((first, second)):
        if isinstance(each, hl.Func):
            each[x] = hl.u8(x) * (factor + 3)
    output[x] = first[x] + second[x]
    pipeline = hl.Pipeline(output)
    ends = {each.name(): r"_im(\$\d+)?" if isinstance(each, hl.ImageParam) else "" for each in (first, second)}
    one, other = (
        next(func for func in names_of(pipeline) if re.fullmatch(re.escape(name) + end, func))
        for name, end in ends.items()
    )
    return pipeline, one, other


@pytest.mark.parametrize("make", [hl.Func, lambda: hl.Func("box"), lambda: hl.ImageParam(hl.UInt(8), 1)])
@pytest.mark.parametrize(("before", "after"), [(r"\d*3", "9+"), ("9+", r"\d*3")])
def test_siblings_are_told_apart_when_their_numbers_get_longer(
    make: Callable[[], hl.Func | hl.ImageParam], before: str, after: str
) -> None:
    pipeline, first, second = siblings(make, before)
    spec = exported_for(pipeline)
    schedule = parse_schedule(f"{first.replace('$', '_')}.compute_root();", spec.funcs)
    pipeline, first, second = siblings(make, after)
    assert (first < second) == (after != "9+")
    names: dict[str, Callable[[hl.Pipeline], None]] = {}
    exec(to_python(schedule, spec), names)
    names["apply_schedule"](pipeline)
    plans = read_plans(hl.serialize_pipeline(pipeline), where="siblings")
    assert [name for name, plan in plans.items() if plan.compute != INLINED] == [first]


def test_funcs_of_images_and_borders_do_not_matter_either() -> None:
    def bordered() -> hl.Pipeline:
        x = hl.Var("x")
        output = hl.Func("output")
        image = hl.ImageParam(hl.UInt(8), 1)
        output[x] = hl.BoundaryConditions.repeat_edge(image)[x] + hl.lambda_func(x, hl.u8(x))[x]
        pipeline = hl.Pipeline(output)
        # What this process has read of another one may have the next numbers already.
        again = any("$" in name for name in names_of(pipeline) if re.match(r"lambda_|p\d+_im", name))
        return bordered() if again else pipeline

    before, after = bordered(), bordered()
    names = names_of(before)
    assert {re.sub(r"\d+", "N", name) for name in names} >= {"pN_im", "lambda_N"}
    assert not set(names) & set(names_of(after))
    applied(exported_for(before), after)


def histogram(*domains: str | None) -> hl.Pipeline:
    """A Func with an update for each reduction domain of that name, and Halide's own name for None."""
    x = hl.Var("x")
    hist, output = hl.Func("hist"), hl.Func("output")
    hist[x] = 0
    for name in domains:
        ranges = [hl.Range(0, 16), hl.Range(0, 8)]
        domain = hl.RDom(ranges) if name is None else hl.RDom(ranges[: len(name)], name)
        hist[domain.x % 4] += 1
    output[x] = hist[x]
    return hl.Pipeline(output)


HISTOGRAM = spec_of(
    FuncInfo(name="hist", args=("x",), updates=(("rr_x", "rr_y"),), update_args=((),)),
    FuncInfo(name="output", args=("x",)),
)


@pytest.mark.parametrize(
    ("domains", "difference"),
    [
        (("r",), r"with an update over \(rr_x, rr_y\) where hist\S* of 1 dimensions with an update over \(r_x\) is"),
        (
            ("qq",),
            r"with an update over \(rr_x, rr_y\) where hist\S* of 1 dimensions with an update over \(qq_x, qq_y\)",
        ),
        (
            ("qq", "rr"),
            r"where hist\S* of 1 dimensions with an update over \(qq_x, qq_y\) with an update over \(rr_x, rr_y\)",
        ),
        ((), r"with an update over \(rr_x, rr_y\) where hist\S* of 1 dimensions is"),
    ],
)
def test_other_updates_are_another_version(domains: tuple[str, ...], difference: str) -> None:
    applied(HISTOGRAM, histogram("rr"))
    with pytest.raises(ValueError, match=rf"it had hist of 1 dimensions .*{difference}"):
        applied(HISTOGRAM, histogram(*domains))


def test_the_number_of_a_reduction_domain_does_not_matter() -> None:
    for names in (("r4_x", "r4_y"), ("r17_x", "r17_y")):
        func = replace(HISTOGRAM.funcs[0], updates=(names,))
        applied(replace(HISTOGRAM, funcs=(func, HISTOGRAM.funcs[1])), histogram(None))


PARTS = ("input_im", "mask_im", "total", "output")
VERSIONS = {
    "a func more": (PARTS[:3], 2, "nothing where output of 2 dimensions is"),
    "a func less": ((*PARTS, "sharper"), 2, "sharper of 2 dimensions where nothing is"),
    "another one": (("input_im", "mask_im", "output"), 2, "output of 2 dimensions where total of 2 dimensions"),
    "other digits": (("input_im", "mask_im", "total2"), 2, "total2 of 2 dimensions where total of 2 dimensions"),
    "other dimensions": (PARTS, 3, "input_im of 3 dimensions where input_im of 2 dimensions is"),
}
"""Funcs that the convolution had, the number of their dimensions, and what a header for these says of it."""
UPDATES = {
    "a reduction variable less": ((("r_x",), ()), " with an update over (r_x) with an update over () where"),
    "an update less": ((("r_x", "r_y"),), " with an update over (r_x, r_y) where"),
}
"""The same for updates of total."""
SCHEDULED_BEFORE = {
    "split": ("apply_schedule_own(pipeline, target)", "output"),
    "placed": ("pipeline.get_func(2).compute_root()", "total"),
    "stored": ("pipeline.get_func(2).store_root()", "total"),
    "an update": ("pipeline.get_func(2).update(1).unscheduled()", "total"),
}
"""What the generator does before it applies a header, and the Func whose schedule it then finds."""
DISPATCH = """
#include <cstdlib>
inline void apply_schedule_convolution(::Halide::Pipeline pipeline, const ::Halide::Target &target) {
    const std::string version = std::getenv("VERSION");
"""


def convoluted(name: str, dimensions: int, updates: tuple[tuple[str, ...], ...]) -> FuncInfo:
    """A Func of the convolution; only total has updates."""
    updates = updates if name == "total" else ()
    return FuncInfo(name=name, args=("x", "y", "c")[:dimensions], updates=updates, update_args=((),) * len(updates))


def test_a_generator_of_other_funcs_refuses_the_header(specs: dict[str, PipelineSpec], tmp_path: Path) -> None:
    assert {func.name for func in specs["convolution"].funcs} == set(PARTS)
    headers, dispatch = to_cpp_header(Schedule(), specs["odd_names"]), DISPATCH
    whole = (("r_x", "r_y"), ())
    had = {
        version: ([convoluted(name, of, whole) for name in names], text)
        for version, (names, of, text) in VERSIONS.items()
    }
    for version, (updates, difference) in UPDATES.items():
        funcs = [convoluted(name, 2, updates) for name in PARTS]
        had[version] = funcs, f"total of 2 dimensions{difference} total of 2 dimensions"
    for number, (version, (funcs, _)) in enumerate(had.items()):
        headers += to_cpp_header(Schedule(), spec_of(*funcs, name=f"v{number}"))
        dispatch += f'    if (version == "{version}") apply_schedule_v{number}(pipeline, target);\n'
    convolution = specs["convolution"]
    headers += to_cpp_header(parse_schedule("output.vectorize(x, 8);", convolution.funcs), convolution, name="own")
    for version, (before, _) in SCHEDULED_BEFORE.items():
        dispatch += f'    if (version == "{version}") {{ {before}; apply_schedule_own(pipeline, target); }}\n'
    (tmp_path / "schedules.h").write_text(headers + dispatch + "}\n")
    generator = _build(tmp_path)
    said = {
        version: f"made for another version of this pipeline: it had {difference}"
        for version, (_, difference) in had.items()
    }
    said |= {version: f"{func} is scheduled before" for version, (_, func) in SCHEDULED_BEFORE.items()}
    for version, text in said.items():
        done = subprocess.run(
            [generator, "-g", "convolution", "-f", "f", "-e", "stmt", "-o", tmp_path, "target=host"],
            check=False,
            capture_output=True,
            text=True,
            env={"LD_LIBRARY_PATH": str(library_directory()), "VERSION": version},
        )
        assert done.returncode != 0, version
        assert text in done.stderr
        assert not list(tmp_path.glob("*.stmt"))


ARM, HOST, DSP = "arm-64-linux", "x86-64-linux-avx-avx2-sse41", "hexagon-32-qurt-hvx_128-hvx_v66"
WARNED = "Warning: apply_schedule_odd_names: hltune made this schedule for "


@pytest.mark.parametrize(
    ("made_for", "used_for", "warning"),
    [
        (HOST, HOST, None),
        (HOST, f"{HOST}-f16c-fma", None),
        (HOST, ARM, f"{HOST} with vectors of 32 bytes; it may be slow for {ARM} with vectors of 16 bytes"),
        (HOST, "x86-64-linux-sse41", f"{HOST} with vectors of 32 bytes; it may be slow for x86-64-linux-sse41 with"),
        (ARM, "arm-32-linux", f"{ARM} with vectors of 16 bytes; it may be slow for arm-32-linux with vectors of 16"),
        (DSP, "arm-64-android-hvx_128-hvx_v66", None),
        ("another-halide", ARM, None),
    ],
)
def test_a_header_warns_of_another_target(
    generator_of_targets: Path, made_for: str, used_for: str, warning: str | None, tmp_path: Path
) -> None:
    done = subprocess.run(
        [generator_of_targets, "-g", "odd_names", "-f", "f", "-e", "stmt", "-o", tmp_path, f"target={used_for}"],
        check=True,
        capture_output=True,
        text=True,
        env={"LD_LIBRARY_PATH": str(library_directory()), "MADE_FOR": made_for},
    )
    assert list(tmp_path.glob("*.stmt"))
    if warning is None:
        assert WARNED not in done.stderr
    else:
        assert f"{WARNED}{warning}" in done.stderr


@pytest.fixture(scope="module")
def generator_of_targets(specs: dict[str, PipelineSpec], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator whose schedule was made for what MADE_FOR says."""
    headers = to_cpp_header(Schedule(), specs["convolution"]) + to_cpp_header(
        Schedule(), specs["odd_names"], made_for=ARM
    )
    assert f'made_for = "{ARM}";' in headers
    directory = tmp_path_factory.mktemp("targets")
    (directory / "schedules.h").write_text(
        "#include <cstdlib>\n" + headers.replace(f'made_for = "{ARM}";', 'made_for = std::getenv("MADE_FOR");')
    )
    return _build(directory)


def test_funcs_may_be_called_as_the_arguments_of_the_header() -> None:
    funcs = tuple(FuncInfo(name=name, args=("x",)) for name in ("pipeline", "target"))
    header = to_cpp_header(parse_schedule("target.vectorize(x); pipeline.compute_root();", funcs), spec_of(*funcs))
    assert "Func target_2 = " in header and "Func pipeline_2 = " in header


PERMISSION = "HL_PERMIT_FAILED_UNROLL"


def unrolled(pipeline: hl.Pipeline) -> None:
    """Exports a schedule that computes the first Func at root and unrolls all of the second, and applies it."""
    spec, names = exported_for(pipeline), dict[str, Callable[[hl.Pipeline], None]]()
    first, output = (Stage(func.name) for func in spec.funcs)
    schedule = Schedule((ComputeRoot(first), Unroll(output, spec.funcs[1].args[0])))
    exec(to_python(schedule, spec), names)
    names["apply_schedule"](pipeline)


@pytest.mark.parametrize("name", ["_funcs", "os", "re", "hl", "funcs", "zip_longest", "_"])
def test_funcs_may_be_called_as_what_the_module_uses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PERMISSION, "0")
    pipeline = chain(name, "output")
    unrolled(pipeline)
    plans = read_plans(hl.serialize_pipeline(pipeline), where=name)
    assert INLINED not in [plan.compute for func, plan in plans.items() if func.startswith(name)]


@pytest.mark.parametrize("given", [None, "0"])
def test_the_module_permits_unrolling_what_has_no_constant_length(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PERMISSION, "0")  # so that what the module sets does not stay
    if given is None:
        monkeypatch.delenv(PERMISSION)
    pipeline = chain("first", "output")
    unrolled(pipeline)
    refused = pytest.raises(hl.HalideError, match="only unroll for loops over a constant extent")
    with contextlib.nullcontext() if given is None else refused:
        pipeline.compile_to_callable([], hl.Target("host"))


@pytest.mark.parametrize("write", [to_python, to_cpp_header])
def test_what_the_schedule_relies_on_is_said(write: Callable[..., str]) -> None:
    spec = spec_of(*FUNCS)
    name, var = spec.funcs[-1].name, spec.funcs[-1].args[0]
    counted = parse_schedule(f"{name}.split({var}, {var}, inner, 4).unroll(inner);", spec.funcs)
    whole = parse_schedule(f"{name}.unroll({var});", spec.funcs)
    assert "HL_PERMIT_FAILED_UNROLL" not in write(counted, spec)
    assert "HL_PERMIT_FAILED_UNROLL" in write(whole, spec)
    assert "set_bounds" not in write(counted, spec)
    assert "calls of bound, set_bounds" in write(counted, replace(spec, manual=b"theirs"))


def test_no_identifier_is_a_macro_of_halide(tmp_path: Path) -> None:
    """A loop, or a Func, that is called like any of them."""
    (tmp_path / "all.cpp").write_text(to_cpp_header(Schedule(), SPEC))
    command = ["g++", "-std=c++17", "-dM", "-E", "-I", include_directory(), "all.cpp"]
    defined = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    macros = set(re.findall(r"^#define (\w+)", defined, re.MULTILINE))
    assert {"NAN", "M_PI", "M_PIf", "INT32_MAX", "EDOM", "errno", "offsetof", "_halide_user_warning"} <= macros
    loops = sorted(macros)
    func = FuncInfo(name="INFINITY", args=(*loops, "INT_MAX", "nan"))
    code = to_cpp_header(Schedule((Reorder(Stage("INFINITY"), func.args),)), spec_of(func))
    declared = re.findall(r"^    ::Halide::(?:Func|Var) (\w+) =", code, re.MULTILINE)
    assert len(declared) == 1 + len(func.args) == len(set(declared))
    assert not macros & set(declared)


@pytest.mark.parametrize(
    ("name", "suffix"), [("a-b", "a_b"), ("3x3", "3x3"), ("a__b", "a_b"), ("class", "class"), ("é", "pipeline")]
)
def test_the_name_of_the_function(name: str, suffix: str) -> None:
    spec = spec_of(*FUNCS, name=name)
    assert f"inline void apply_schedule_{suffix}(" in to_cpp_header(Schedule(), spec)
    assert f"inline void apply_schedule_{suffix}(" in to_cpp_header(Schedule(), spec_of(*FUNCS), name=name)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("a-b", "a_b"),
        ("3x3", "f_3x3"),
        ("double", "f_double"),
        ("class", "f_class"),
        ("f_3", "f_3"),
        ("gamma", "f_gamma"),
        ("sqrtf", "f_sqrtf"),
        ("remove", "f_remove"),
        ("features", "f_features"),
        ("halide_blur", "f_halide_blur"),
    ],
)
def test_the_name_of_the_compiled_function(name: str, function: str) -> None:
    assert default_function_name(spec_of(*FUNCS, name=name)) == function


def test_a_generator_with_the_header_lowers_and_runs_the_same(
    worker: Worker, specs: dict[str, PipelineSpec], tmp_path: Path
) -> None:
    """Convolution with a probe of Adams2019, an rfactor and fused loops; odd names with all that names can break."""
    convolution, odd = specs["convolution"], specs["odd_names"]
    probed = worker.run(SearchAndReplay(odd, *probe(3), lower=False)).schedule
    written = parse_schedule(
        """total.compute_at(output, xy).vectorize(x, 8).update(0).split(r_x, r0, r1, 2).reorder(r1, x, r_y);
        total_intm = total.update(0).rfactor({{r0, u}});
        total_intm.compute_root().vectorize(x, 8).update(0).parallel(u).fuse(x, y, y).unroll(r1);
        total.update(1).unscheduled();
        output.tile(x, y, xi, yi, 64, 8).vectorize(xi, 32).fuse(x, y, xy).parallel(xy);""",
        convolution.funcs,
    )
    headers = to_cpp_header(written, convolution) + to_cpp_header(probed, odd)
    (tmp_path / "schedules.h").write_text(headers)
    generator = _build(tmp_path)
    for name, spec, schedule in (("convolution", convolution, written), ("odd_names", odd, probed)):
        subprocess.run(
            [generator, "-g", name, "-f", "f", "-n", name, "-e", "stmt", "-o", tmp_path, "target=host"],
            check=True,
            env={"LD_LIBRARY_PATH": str(library_directory()), "HL_PERMIT_FAILED_UNROLL": "1"},
        )
        theirs = normalised((tmp_path / f"{name}.stmt").read_text())
        assert theirs == worker.run(Lower(spec, schedule))
    # Two targets in one process: Halide counts up the names of the second build.
    subprocess.run(
        [generator, "-g", "convolution", "-f", "f", "-e", "static_library", "-o", tmp_path, TWO_TARGETS],
        check=True,
        env={"LD_LIBRARY_PATH": str(library_directory()), "HL_PERMIT_FAILED_UNROLL": "1"},
    )
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (HEIGHT + 2, WIDTH + 2), dtype=np.uint8)
    mask = rng.integers(-8, 16, (3, 3), dtype=np.int16)
    ours = worker.run(RunSchedule(convolution, written, (image, mask), (HEIGHT, WIDTH)))
    assert len(np.unique(ours)) > 100
    assert _run_compiled(generator, tmp_path, image.tobytes() + mask.tobytes()) == ours.tobytes()


def _run_compiled(generator: Path, directory: Path, stdin: bytes) -> bytes:
    """What the generator's own compiled pipeline makes of the same bytes."""
    environment = {
        "LD_LIBRARY_PATH": str(library_directory()),
        "HL_PERMIT_FAILED_UNROLL": "1",
        "PATH": os.environ["PATH"],
    }
    emit = ["-g", "convolution", "-f", "convolution", "-n", "convolution", "-e", "static_library,c_header"]
    subprocess.run([generator, *emit, "-o", directory, "target=host"], check=True, env=environment)
    program = directory / "run"
    subprocess.run(
        [
            "g++",
            "-std=c++17",
            f"-DWIDTH={WIDTH}",
            f"-DHEIGHT={HEIGHT}",
            "-I",
            include_directory(),
            "-I",
            directory,
            Path(__file__).with_name("run_convolution.cpp"),
            directory / "convolution.a",
            "-lpthread",
            "-ldl",
            "-o",
            program,
        ],
        check=True,
    )
    return subprocess.run([program], input=stdin, check=True, capture_output=True).stdout


def _build(directory: Path) -> Path:
    generator, library = directory / "generator", library_directory()
    flags = ["-std=c++17", "-O0", "-fno-rtti", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run(
        [
            "g++",
            *flags,
            "-isystem",
            include_directory(),
            "-I",
            directory,
            Path(__file__).with_name("generators.cpp"),
            library / "libHalide_GenGen.a",
            library / "libHalide.so",
            f"-Wl,-rpath,{library}",
            "-o",
            generator,
        ],
        check=True,
    )
    return generator


def test_nobody_says_of_what_an_rfactor_has_ordered_that_it_was_not_scheduled() -> None:
    """Halide refuses that where the author's file has called it before."""
    made = next(func for func in FUNCS if func.name == "hist")
    schedule = Schedule((Unscheduled(Stage("hist", 0)),))
    assert ".unscheduled()" in to_python(schedule, spec_of(*FUNCS))
    ordered = spec_of(*FUNCS, replace(made, name="hist_intm", args=(*made.args, "u")))
    assert ordered.rfactored == ("hist_intm",)
    assert ".unscheduled()" not in to_python(schedule, ordered)
