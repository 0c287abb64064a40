"""`hltune export`: what was found for a target, and code that keeps what the pipeline demands of its images."""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import halide as hl
import numpy as np
import pytest

from hltune.commands.choice import choose_one
from hltune.commands.export import Exported, ExportForm, export, parse_forms
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.pipeline.build import build
from hltune.runtime.halide_wheel import include_directory
from hltune.runtime.progress import Silent
from hltune.schedule.apply import apply_schedule
from hltune.schedule.parse import parse_schedule
from hltune.values import schedule_codec
from hltune.values.directives import Parallel, Schedule
from hltune.values.errors import InputError
from hltune.values.provenance import Named
from hltune.values.roles import Stage
from hltune.values.schedule_codec import read_schedule_file, schedule_hash
from hltune.workspace.record import TUNED, Record
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions, load_subject

LAYOUTS = Path(__file__).parents[1] / "pipelines" / "layouts.py"
MEASURE = MeasureOptions(threads=2)

SCALED = """
import halide as hl

def scaled():
    image, output, x = hl.ImageParam(hl.UInt(8), 1, "image"), hl.Func("output"), hl.Var("x")
    output[x] = image[x] // 2
    output.set_estimates([(0, 64)])
    image.set_estimates([(0, 64)])
    return hl.Pipeline(output)
"""


ON_ARM = """
import halide as hl

@hl.generator(name="narrow")
class Narrow:
    image = hl.InputBuffer(hl.UInt(8), 1)
    output = hl.OutputBuffer(hl.UInt(8), 1)

    def generate(self):
        x, half = hl.Var("x"), hl.Func("on_arm" if self.target().arch == hl.TargetArch.ARM else "elsewhere")
        half[x] = self.image[x] // 2
        self.output[x] = half[x] + 1
        self.image.set_estimates([(0, 64)])
        self.output.set_estimates([(0, 64)])

if __name__ == "__main__":
    hl.main()
"""


class Heard(Silent):
    """Keeps notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_what_does_not_run_on_its_own_sizes_says_so(tmp_path: Path) -> None:
    (tmp_path / "scaled.py").write_text(SCALED)
    options = SubjectOptions(pipeline=f"{tmp_path / 'scaled.py'}:scaled", target="host")
    spec = load_subject(options, Workspace(tmp_path)).spec
    for factor, said in ((16, False), (48, True)):
        text = f"output.split(x, x, xi, {factor}, TailStrategy::RoundUp).vectorize(xi);"
        file = tmp_path / f"{factor}.json"
        file.write_text(json.dumps(schedule_codec.to_json(parse_schedule(text, spec.funcs))))
        heard = Heard()
        for forms in (("json",), ("object",)):
            result = export(
                options,
                forms=forms,
                directory=tmp_path / "out",
                function_name=None,
                schedule=str(file),
                workspace=Workspace(tmp_path),
                measure=MEASURE,
                progress=heard,
            )
            assert bool(result.notes) == said
        told = "scaled: this schedule does not run on the sizes that it is written for, output 64. It does not run on"
        assert sum(told in note for note in heard.notes) == 2 * said


SUMMED = """
import halide as hl

def summed():
    image, rows, output, x = hl.ImageParam(hl.UInt(8), 1, "image"), hl.Func("rows"), hl.Func("output"), hl.Var("x")
    rows[x] = image[x] // 2
    output[x] = rows[x] + rows[x + 1]
    output.set_estimates([(0, 63)])
    image.set_estimates([(0, 64)])
    return hl.Pipeline(output)
"""


def test_what_may_read_more_than_there_is_says_so(tmp_path: Path) -> None:
    """Its tiles divide the sizes that it is for, and no others."""
    file, schedule = tmp_path / "summed.py", tmp_path / "rounded.json"
    file.write_text(SUMMED)
    options = SubjectOptions(pipeline=f"{file}:summed", target="host")
    spec = load_subject(options, Workspace(tmp_path / "ws")).spec
    for tail, said in (("RoundUp", True), ("GuardWithIf", False)):
        text = f"rows.compute_root().split(x, x, xi, 32, TailStrategy::{tail}).vectorize(xi);"
        schedule.write_text(json.dumps(schedule_codec.to_json(parse_schedule(text, spec.funcs))))
        python, _, _, header = exported(options, tmp_path, "python", "object", schedule=schedule).files
        for written in (python, header):
            text = written.read_text()
            assert (
                "it may read more than the algorithm does, of image 31 elements or more, and refuses" in text
            ) == said
            assert f"version {spec.content_hash[:12]}" in text and "It does not run on smaller outputs than" in text


def exported(
    options: SubjectOptions, directory: Path, *forms: ExportForm, schedule: Path | str | None = None
) -> Exported:
    return export(
        options,
        forms=forms,
        directory=directory / "out",
        function_name=None,
        schedule=None if schedule is None else str(schedule),
        workspace=Workspace(directory / "ws"),
        measure=MEASURE,
        progress=Silent(),
    )


def test_a_file_that_was_written_for_other_sizes_says_so(tmp_path: Path) -> None:
    small = SubjectOptions(pipeline="dilate3x3", target="host", size=(128, 96))
    file = tmp_path / "here.json"
    file.write_text(json.dumps(schedule_codec.to_json(Schedule())))
    (written,) = exported(small, tmp_path, "json", schedule=file).files
    workspace = Workspace(tmp_path / "ws")
    for options, count in ((small, 0), (replace(small, size=(256, 96)), 1)):
        heard, subject = Heard(), load_subject(options, workspace)
        machine = identify(subject.target, MEASURE)
        assert choose_one(subject, str(written), workspace, machine, heard).schedule == Schedule()
        assert len(heard.notes) == count
        assert all(str(written) in note and "hltune compare --schedule" in note for note in heard.notes)


def test_what_was_tuned_for_a_target_is_exported_for_it(tmp_path: Path) -> None:
    options = SubjectOptions(pipeline="dilate3x3", target="host-strict_float", size=(128, 96))
    workspace = Workspace(tmp_path / "ws")
    subject = load_subject(options, workspace)
    schedule = Schedule((Parallel(Stage(subject.spec.outputs[0].name), "y"),))
    record = Record(name=TUNED, schedule=schedule, cost=1e-3, provenance=Named(name="by hand"))
    workspace.replace(record, subject.spec, identify(subject.target, MEASURE))
    found = exported(options, tmp_path, "json")
    assert found.schedule == TUNED
    assert read_schedule_file(found.files[0]) == schedule
    with pytest.raises(InputError, match="no schedule is known"):
        exported(replace(options, target="host"), tmp_path, "json")


def test_a_schedule_is_named_or_has_an_id(tmp_path: Path) -> None:
    """Also for a target that nothing was measured on: what is known here is known for it."""
    host = SubjectOptions(pipeline="dilate3x3", target="host", size=(128, 96))
    workspace = Workspace(tmp_path / "ws")
    subject = load_subject(host, workspace)
    expert = subject.known_by_name()["expert"].schedule
    record = Record(name=TUNED, schedule=Schedule(), cost=1e-3, provenance=Named(name="by hand"))
    workspace.replace(record, subject.spec, identify(subject.target, MEASURE))
    for asked in ("expert", schedule_hash(expert)[:8]):
        found = exported(host, tmp_path, "json", schedule=asked)
        assert found.schedule == asked
        assert read_schedule_file(found.files[0]) == expert
    arm = exported(replace(host, target="arm-64-android"), tmp_path, "json", schedule=TUNED)
    assert read_schedule_file(arm.files[0]) == Schedule()
    with pytest.raises(InputError, match=r"no such schedule(.|\n)*default(.|\n)*expert(.|\n)*tuned") as raised:
        exported(host, tmp_path, "json", schedule="exprt")
    assert "did you mean" in str(raised.value)


def test_code_is_that_of_the_algorithm_for_its_target(tmp_path: Path) -> None:
    file = tmp_path / "narrow.py"
    file.write_text(ON_ARM)
    host = SubjectOptions(pipeline=str(file), target="host")
    arm = replace(host, target="arm-64-android")
    workspace = Workspace(tmp_path / "ws")
    subjects = [load_subject(options, workspace) for options in (host, arm)]
    assert [subject.spec.funcs[-2].name for subject in subjects] == ["elsewhere", "on_arm"]
    schedule = tmp_path / "arm.json"
    schedule.write_text(
        json.dumps(schedule_codec.to_json(parse_schedule("on_arm.compute_root();", subjects[1].spec.funcs)))
    )
    written, compiled, *_ = exported(arm, tmp_path, "json", "object", schedule=schedule).files
    assert json.loads(written.read_text())["about"]["hash"] == subjects[1].spec.content_hash
    assert compiled.read_bytes()[:4] == b"\x7fELF"
    with pytest.raises(InputError, match=r"another pipeline than narrow(.|\n)*found: on_arm"):
        exported(host, tmp_path, "object", schedule=schedule)


THEIRS = "#ifndef HALIDE__mine_h\nstruct mine;\n"
"""So the header of a build of the user's own begins."""


def test_a_form_that_is_given_twice_is_refused() -> None:
    assert parse_forms("json,cpp") == ("json", "cpp")
    with pytest.raises(InputError, match="a form is given twice"):
        parse_forms("json,cpp,json")


def test_versions_of_a_pipeline_go_side_by_side(tmp_path: Path) -> None:
    file, schedule = tmp_path / "mine.py", tmp_path / "default.json"
    file.write_text(SCALED)
    schedule.write_text(json.dumps(schedule_codec.to_json(Schedule())))

    def exported_as(name: str | None, size: int) -> tuple[set[str], list[str]]:
        heard = Heard()
        result = export(
            SubjectOptions(pipeline=str(file), target="host", estimates=(("output", (size,)),)),
            forms=("json", "python", "cpp"),
            directory=tmp_path / "out",
            function_name=name,
            schedule=str(schedule),
            workspace=Workspace(tmp_path / "ws"),
            measure=MEASURE,
            progress=heard,
        )
        return {each.name for each in result.files}, [each for each in heard.notes if "will be replaced" in each]

    assert exported_as(None, 64) == ({"mine.schedule.json", "mine_schedule.py", "mine_schedule.h"}, [])
    named, replaced = exported_as("large", 128)
    assert named == {"large.schedule.json", "large_schedule.py", "large_schedule.h"} and not replaced
    assert "inline void apply_schedule_large(" in (tmp_path / "out" / "large_schedule.h").read_text()
    _, again = exported_as(None, 64)
    assert not again
    _, (replaced,) = exported_as("large", 64)
    assert "large.schedule.json, large_schedule.py, large_schedule.h" in replaced and "--function-name" in replaced


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("object", "mine.h"),
        pytest.param("cpp", "mine_schedule.h", marks=pytest.mark.long),
        ("json", "mine.schedule.json"),
    ],
)
def test_files_of_other_people_stay(form: ExportForm, name: str, tmp_path: Path) -> None:
    file, other = tmp_path / "mine.py", tmp_path / "out" / name
    file.write_text(SCALED)
    schedule = tmp_path / "default.json"
    schedule.write_text(json.dumps(schedule_codec.to_json(Schedule())))
    options = SubjectOptions(pipeline=str(file), target="host")
    other.parent.mkdir()
    other.write_text(THEIRS)
    with pytest.raises(InputError, match="file of yours"):
        exported(options, tmp_path, form, schedule=schedule)
    assert list(other.parent.iterdir()) == [other] and other.read_text() == THEIRS
    other.unlink()
    first = exported(options, tmp_path, form, schedule=schedule)
    assert other in first.files
    assert exported(options, tmp_path, form, schedule=schedule).files == first.files  # what hltune wrote, it replaces


def test_the_pipeline_itself_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "out" / "mine_schedule.py"  # what a pipeline "mine" would be exported to
    file.parent.mkdir()
    file.write_text('"""A schedule found by hltune; and more."""' + SCALED.replace("scaled", "mine"))
    schedule = tmp_path / "default.json"
    schedule.write_text(json.dumps(schedule_codec.to_json(Schedule())))
    with pytest.raises(InputError, match="file of yours"):
        exported(SubjectOptions(pipeline=f"{file}:mine", target="host"), tmp_path, "python", schedule=schedule)


@pytest.mark.parametrize(
    "name", ["3x3", *(pytest.param(each, marks=pytest.mark.long) for each in ("double", "gamma", "abs"))]
)
def test_a_file_whose_name_is_none_in_c(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.py"
    file.write_text(SCALED)
    schedule = tmp_path / "default.json"
    schedule.write_text(json.dumps(schedule_codec.to_json(Schedule())))
    options = SubjectOptions(pipeline=str(file), target="host")
    (written,) = exported(options, tmp_path, "json", schedule=schedule).files
    assert written.name == f"{name}.schedule.json"
    header = exported(options, tmp_path, "object", schedule=schedule).files[2]
    assert header.name == f"f_{name}.h"
    for language in ("c", "c++"):
        subprocess.run(["g++", "-fsyntax-only", "-include", header, "-x", language, "/dev/null"], check=True)


def test_source_is_written_as_a_person_would(tmp_path: Path) -> None:
    options = SubjectOptions(pipeline="dilate3x3", target="host", size=(128, 96))
    subject = load_subject(options, Workspace(tmp_path / "ws"))
    text = "output.split(x, x, xi, 32).vectorize(xi).split(y, y, yi, 8).reorder(xi, x).parallel(y);"
    schedule = parse_schedule(text, subject.spec.funcs)
    written = tmp_path / "mine.json"
    written.write_text(json.dumps(schedule_codec.to_json(schedule)))
    again, python, cpp = exported(options, tmp_path, "python", "cpp", "json", schedule=written).files
    for found, name, comment in ((python, "dilate3x3_schedule.py", "#"), (cpp, "dilate3x3_schedule.h", "//")):
        assert found.name == name
        lines = [line.strip() for line in found.read_text().splitlines()]
        at = lines.index(f"{comment} output: y in 12, y_in in 8, x in 4, x_vec in 32")
        assert lines[at + 1].startswith("output.split(x, x, x_vec, 32")
        assert not any("reorder" in line for line in lines[at:])  # the loops are in this order anyway
    assert read_schedule_file(again) == schedule  # by whose names the store knows it


@pytest.mark.usefixtures("own_processes")
def test_exports_say_what_they_are_for_and_which_sizes_outputs_may_have(tmp_path: Path) -> None:
    options = SubjectOptions(pipeline="dilate3x3", target="host", size=(128, 96))
    workspace = Workspace(tmp_path / "ws")
    subject = load_subject(options, workspace)
    text = "output.split(x, x, xi, 32, TailStrategy::RoundUp).vectorize(xi).split(y, y, yi, 8);"
    schedule = parse_schedule(text, subject.spec.funcs)
    machine = identify(subject.target, MEASURE)
    record = Record(name=TUNED, schedule=schedule, cost=1.25e-3, provenance=Named(name="by hand"))
    workspace.replace(record, subject.spec, machine)
    found, *sources = exported(options, tmp_path, "json", "python", "cpp").files
    about = json.loads(found.read_text())["about"]
    assert read_schedule_file(found) == schedule
    assert about["hash"] == subject.spec.content_hash
    assert about["outputs"] == {"output": [128, 96]} and about["least_outputs"] == {"output": [32, 8]}
    assert about["steps_of_outputs"] == {"output": [32, 1]}
    assert about["machine"] == machine.document() and (about["cost"], about["unit"]) == (1.25, "ms")
    assert [each.suffix for each in sources] == [".py", ".h"]
    for source in sources:
        text = source.read_text()
        for words in (
            f"For dilate3x3, version {subject.spec.content_hash[:12]}, of these sizes: ",
            "output 32x8, ",
            "multiples of output 32x1.",
            "1.25",
        ):
            assert words in text, (source, words)
    assert f'made_for = "{machine.target}";' in sources[1].read_text()
    # Halide agrees: the smallest size runs, and larger ones in these steps.
    built = build(subject.spec, None)
    apply_schedule(built, subject.spec, schedule)
    code = built.pipeline.compile_to_callable(built.arguments, hl.Target("host"))
    for width, height, runs in ((32, 8, True), (31, 8, False), (32, 7, False), (64, 9, True), (61, 9, False)):
        image, output = (hl.Buffer(np.zeros((height, width), np.uint8)) for _ in range(2))
        refused = pytest.raises(hl.HalideError, match="output")
        with contextlib.nullcontext() if runs else refused:
            code(image, output)


@pytest.mark.usefixtures("own_processes")
def test_exported_code_keeps_constraints(tmp_path: Path) -> None:
    """Interleaved in and out, with three channels: as the file says, and nothing else."""
    schedule = tmp_path / "default.schedule.json"
    schedule.write_text(json.dumps(schedule_codec.to_json(Schedule())))
    exported(SubjectOptions(pipeline=f"{LAYOUTS}:pixels", target="host"), tmp_path, "object", schedule=schedule)
    include = ["-I", include_directory(), "-I", tmp_path / "out"]
    source, program = Path(__file__).with_name("call_pixels.cpp"), tmp_path / "program"
    libraries = [tmp_path / "out" / "pixels.a", "-lpthread", "-ldl"]
    subprocess.run(["g++", "-std=c++17", *include, source, *libraries, "-o", program], check=True)
    answers = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    expected = [
        "252",
        "image.extent.2 (4) == 3 (3)",
        "image.stride.0 (4) == 3 (3)",
        "image.stride.0 (1) == 3 (3)",
        "f.stride.0 (1) == 3 (3)",
    ]
    assert len(answers) == len(expected)
    assert all(text in answer for text, answer in zip(expected, answers, strict=True)), answers
