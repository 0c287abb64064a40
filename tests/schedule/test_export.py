from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hltune.runtime.worker import Worker
from hltune.schedule.export import CompileJob, with_legal_names
from hltune.schedule.parse import parse_schedule
from hltune.values.errors import HltuneError, InputError, JobFailed
from hltune.values.pipeline import PipelineSpec


@pytest.fixture
def job(specs: dict[str, PipelineSpec], tmp_path: Path) -> CompileJob:
    spec = specs["small"]
    schedule = parse_schedule("second.compute_root().parallel(y);", spec.funcs)
    return CompileJob(
        spec=spec, schedule=schedule, target="host", directory=tmp_path / "new", function_name="small", timeout_s=60
    )


def changed(job: CompileJob, **changes: object) -> CompileJob:
    return replace(job, **changes)  # type: ignore[arg-type]


def test_the_files_are_a_library_for_c(worker: Worker, job: CompileJob) -> None:
    object_file, library, header = paths = worker.run(job)
    assert sorted(job.directory.iterdir()) == sorted(paths)
    assert "int small(" in header.read_text()
    for file in (object_file, library):
        symbols = subprocess.run(["nm", "--defined-only", file], capture_output=True, text=True, check=True).stdout
        assert " T small\n" in symbols


def test_who_waits_no_longer_hears_of_the_flag(worker: Worker, job: CompileJob) -> None:
    with pytest.raises(JobFailed, match=r"took longer than its limit of 0.01 s \(--compile-timeout\)"):
        worker.run(changed(job, timeout_s=0.01))
    assert not job.directory.exists() or not [*job.directory.iterdir()]


def test_parameters_have_names_that_c_takes(tmp_path: Path) -> None:
    buffer = "struct halide_buffer_t *"
    names = ("_class_buffer", "1st___stage_buffer", "_a_buffer", "_a_buffer", "_1st___stage_buffer")
    declared = f"int names({', '.join(buffer + name for name in names)}, bool _Bool, int32_t _x);\n"
    header = f"#include <stdbool.h>\n#include <stdint.h>\nstruct halide_buffer_t;\n{declared}int names_argv(void **);\n"
    legal = with_legal_names(header, "names")
    assert f"{buffer}_1st___stage_buffer, {buffer}_a_buffer, {buffer}_a_buffer_2" in legal and "_x);" in legal
    (tmp_path / "names.c").write_text(legal)
    subprocess.run(["cc", "-fsyntax-only", "-Werror", tmp_path / "names.c"], check=True)
    assert with_legal_names(header, "other") == header


@pytest.mark.parametrize("language", ["c", "c++"])
def test_a_header_knows_what_a_bool_is(
    worker: Worker, specs: dict[str, PipelineSpec], tmp_path: Path, language: str
) -> None:
    """That is no type of C before C23."""
    spec = specs["truth"]
    schedule = parse_schedule("output.compute_root();", spec.funcs)
    job = CompileJob(
        spec=spec, schedule=schedule, target="host", directory=tmp_path, function_name="truth", timeout_s=60
    )
    header = worker.run(job)[2]
    assert "(bool _flag" in header.read_text()
    standard = {"c": "-std=c11", "c++": "-std=c++17"}[language]
    main = f'#include "{header.name}"\nint call(struct halide_buffer_t *o) {{ return truth(1, o); }}\n'
    command = ["cc", "-x", language, standard, "-fsyntax-only", "-Werror", "-I", tmp_path, "-"]
    subprocess.run(command, input=main, text=True, check=True)


def test_compiling_again_replaces_the_files(worker: Worker, job: CompileJob) -> None:
    header = worker.run(job)[2]
    header.write_text("old")
    assert worker.run(job)[2].read_text() != "old"


def test_another_operating_system(worker: Worker, job: CompileJob) -> None:
    paths = worker.run(changed(job, target="x86-64-windows"))
    assert [path.name for path in paths] == ["small.obj", "small.lib", "small.h"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "abacus"}, "Halide does not know this target\n  expected: for example host\n  found: abacus"),
        ({"directory": Path("/proc/none")}, "/proc/none: cannot write the compiled files"),
    ],
)
def test_what_cannot_be_done_is_said(worker: Worker, job: CompileJob, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        worker.run(changed(job, **changes))
    assert message in str(caught.value)
    assert not list(job.directory.glob("*"))


@pytest.mark.parametrize(
    "changes",
    [*({"function_name": name} for name in ("2small", "a b", "double", "restrict")), {"directory": Path("out")}],
)
def test_a_job_that_makes_no_sense_cannot_exist(job: CompileJob, changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        changed(job, **changes)


def test_what_halide_cannot_compile(worker: Worker, job: CompileJob) -> None:
    schedule = parse_schedule("first.compute_at(second, x);", job.spec.funcs)  # second itself is inlined
    with pytest.raises(HltuneError) as caught:
        worker.run(changed(job, schedule=schedule))
    assert str(caught.value).startswith('small for host: Halide cannot compile this\n  found: Error: Func "first')
    assert not list(job.directory.iterdir())


def handed_over(worker: Worker, job: CompileJob, text: str) -> int:
    """How often the processor has the DSP do something."""
    schedule = parse_schedule(text, job.spec.funcs)
    whole = replace(job, schedule=schedule, target="arm-64-android-hvx", offload=True)
    listed = subprocess.run(["readelf", "-rW", worker.run(whole)[0]], capture_output=True, text=True, check=True).stdout
    return sum("R_AARCH64_CALL26" in line and "halide_hexagon_run" in line for line in listed.splitlines())


def test_all_that_runs_outside_of_other_loops_is_handed_to_the_dsp(worker: Worker, job: CompileJob) -> None:
    inside = handed_over(worker, job, "second.compute_at(output, y);")
    assert inside > 0
    assert handed_over(worker, job, "second.compute_root();") > inside


@pytest.mark.long
def test_so_is_what_the_schedule_makes_by_whatever_name(
    worker: Worker, specs: dict[str, PipelineSpec], job: CompileJob
) -> None:
    whole = replace(job, spec=specs["histogram"])
    text = "total.compute_root().update(0).split(all_x, ao, ai, 8); part = total.update(0).rfactor({{ao, v}});"
    inside = handed_over(worker, whole, text + "part.compute_at(total, ao);")
    assert inside > 0
    assert handed_over(worker, whole, text + "part.compute_root();") > inside
