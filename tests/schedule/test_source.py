from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import halide as hl
import numpy as np
import pytest

from hltune.runtime.halide_wheel import include_directory, library_directory
from hltune.runtime.worker import Worker
from hltune.schedule.parse import parse_schedule
from hltune.schedule.source import to_cpp_header, to_python
from hltune.values.directives import Schedule
from hltune.values.pipeline import FuncInfo, PipelineSpec
from tests.schedule.plugin import Lower, RunSchedule, SearchAndReplay, normalised, probe
from tests.schedule.strategies import FUNCS

SPEC = PipelineSpec(name="blur-3x3", hlpipe=b"", inputs=(), outputs=(), funcs=FUNCS)
SCHEDULE = """
    output.vectorize(x, 16).parallel(y).split(y, class, xi, 4);
    blur.compute_at(output, xi).store_at(output, __outermost).reorder_storage(c, y).store_in(MemoryType::Stack);
    hist.update(0).split(r_x, r_xo, r_xi, 8, TailStrategy::GuardWithIf);
    part = hist.update(0).rfactor({{r_xo, u}});
    part.compute_at(hist, _0).update(0).reorder(u, r_xi);
    hist.update(0).atomic();
"""

PYTHON = '''\
"""A schedule found by hltune; call `apply_schedule` before compiling the pipeline."""

import halide as hl


def apply_schedule(pipeline: hl.Pipeline) -> None:
    """Schedules the pipeline blur_3x3."""
    for number, name in enumerate(["blur", "hist", "odd-name", "scalar", "output"]):
        found = pipeline.get_func(number).name()
        if name.rstrip("0123456789_$") != found.rstrip("0123456789_$"):  # Halide counts up names that are used twice
            text = f"it had {name} where {found} is; make it anew with hltune"
            raise ValueError(f"this schedule was made for another version of this pipeline: {text}")
    output = pipeline.get_func(4)
    blur = pipeline.get_func(0)
    hist = pipeline.get_func(1)

    x = output.args()[0]
    v0 = hl.Var()
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

#include <string>

inline void apply_schedule_blur_3x3([[maybe_unused]] ::Halide::Pipeline pipeline, const ::Halide::Target & /*target*/) {
    {
        size_t number = 0;
        for (const std::string name : {"blur", "hist", "odd-name", "scalar", "output"}) {
            const std::string found = pipeline.get_func(number++).name(), counted = "0123456789_$";
            // Halide counts up names that are used twice.
            const size_t ours = name.find_last_not_of(counted), theirs = found.find_last_not_of(counted);
            _halide_user_assert(name.substr(0, ours + 1) == found.substr(0, theirs + 1))
                << "this schedule was made for another version of this pipeline: it had " << name << " where " << found
                << " is; make it anew with hltune\\n";
        }
    }
    ::Halide::Func output = pipeline.get_func(4);
    ::Halide::Func blur = pipeline.get_func(0);
    ::Halide::Func hist = pipeline.get_func(1);
    ::Halide::Func part;

    ::Halide::Var x = output.args()[0];
    ::Halide::Var v0;
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


def test_python() -> None:
    assert to_python(parse_schedule(SCHEDULE, FUNCS), SPEC) == PYTHON


def test_cpp() -> None:
    assert to_cpp_header(parse_schedule(SCHEDULE, FUNCS), SPEC) == CPP


def test_an_empty_schedule_is_valid_source() -> None:
    compile(to_python(Schedule(), SPEC), "schedule.py", "exec")
    assert to_cpp_header(Schedule(), SPEC).endswith("        }\n    }\n}\n")


def test_another_version_of_the_pipeline_is_refused() -> None:
    names: dict[str, object] = {}
    exec(to_python(Schedule(), SPEC), names)
    x = hl.Var("x")
    output = hl.Func("another")
    output[x] = x
    with pytest.raises(ValueError, match="made for another version of this pipeline: it had blur where another is"):
        names["apply_schedule"](hl.Pipeline(output))  # pyright: ignore[reportCallIssue]


def test_a_func_more_is_another_version() -> None:
    before = PipelineSpec(
        name="p", hlpipe=b"", inputs=(), outputs=(), funcs=tuple(FuncInfo(name=n, args=("x",)) for n in ("rows", "out"))
    )
    names: dict[str, object] = {}
    exec(to_python(Schedule(), before), names)
    x = hl.Var("x")
    rows, further, out = hl.Func("rows"), hl.Func("further"), hl.Func("out")
    rows[x] = x
    out[x] = rows[x] + 1
    names["apply_schedule"](hl.Pipeline(out))  # pyright: ignore[reportCallIssue]
    further[x] = rows[x] + 1
    changed = hl.Func("out")
    changed[x] = further[x]
    with pytest.raises(ValueError, match="made for another version of this pipeline: it had out where further is"):
        names["apply_schedule"](hl.Pipeline(changed))  # pyright: ignore[reportCallIssue]


def test_a_generator_with_a_func_more_refuses_the_header(specs: dict[str, PipelineSpec], tmp_path: Path) -> None:
    convolution, odd = specs["convolution"], specs["odd_names"]
    before = replace(convolution, funcs=tuple(func for func in convolution.funcs if func.name != "total"))
    assert len(before.funcs) == len(convolution.funcs) - 1
    schedule = parse_schedule("output.vectorize(x, 16).parallel(y);", before.funcs)
    (tmp_path / "schedules.h").write_text(to_cpp_header(schedule, before) + to_cpp_header(Schedule(), odd))
    done = subprocess.run(
        [_build(tmp_path), "-g", "convolution", "-f", "f", "-e", "stmt", "-o", tmp_path, "target=host"],
        check=False,
        capture_output=True,
        text=True,
        env={"LD_LIBRARY_PATH": str(library_directory())},
    )
    assert done.returncode != 0
    assert "made for another version of this pipeline: it had output where total is" in done.stderr


@pytest.mark.parametrize(
    ("name", "suffix"), [("a-b", "a_b"), ("3x3", "3x3"), ("a__b", "a_b"), ("class", "class"), ("é", "pipeline")]
)
def test_the_name_of_the_function(name: str, suffix: str) -> None:
    spec = PipelineSpec(name=name, hlpipe=b"", inputs=(), outputs=(), funcs=FUNCS)
    assert f"inline void apply_schedule_{suffix}(" in to_cpp_header(Schedule(), spec)


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
