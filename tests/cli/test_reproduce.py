"""What was measured runs without hltune, and in the same way."""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hltune.machine.inputs import random_array
from hltune.machine.open import resolve
from hltune.machine.portable import fill_portably
from hltune.schedule.script import BY_RULE
from hltune.values.errors import Failure
from hltune.values.machine_id import MachineId
from hltune.workspace.lines import add_line
from hltune.workspace.records import Workspace
from hltune.workspace.tunings import TuningCommand
from tests.cli.conftest import Run, running_in
from tests.cli.stored import BLUR, LAYOUTS, ODD, alone, image_of, reproduced, store, stored
from tests.machine.opened import opened

Ran = subprocess.CompletedProcess[str]
Made = tuple[Path, Ran]
Copy = Callable[[str, str], Ran]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Made]:
    """What `hltune reproduce` makes of a schedule that works: the folder of its files, and how they ran."""

    @functools.cache
    def make(pipeline: str, text: str) -> Made:
        folder = tmp_path_factory.mktemp("made")
        return folder / "out", reproduced(running_in(folder), folder, store(folder, pipeline, text))

    return make


@pytest.fixture
def copied(made: Callable[[str, str], Made], tmp_path: Path) -> Copy:
    """Copies these files to `out` and returns how they ran where they were made, which several tests ask for."""

    def copy(pipeline: str, text: str) -> Ran:
        folder, run = made(pipeline, text)
        shutil.copytree(folder, tmp_path / "out")
        return run

    return copy


def edited(folder: Path, old: str, new: str) -> None:
    """Changes the script in a folder."""
    script = folder / "reproduce.py"
    assert old in script.read_text()
    script.write_text(script.read_text().replace(old, new))


def test_the_schedule_of_several_pipelines_is_that_of_the_one_that_is_named(hltune: Run, tmp_path: Path) -> None:
    """The default schedule has the same id in all of them."""
    ids = {store(tmp_path, pipeline, "") for pipeline in (str(BLUR), f"{ODD}:short", f"{ODD}:pair")}
    (default,) = ids
    refused = hltune("reproduce", default, "-o", "out")
    told = " ".join(refused.err.split())
    assert refused.code == 2 and "several pipelines have this schedule" in told and "to do: say which one" in told
    shown = {each["pipeline"]: each["hash"] for each in hltune("samples", "stats", "--json").document["pipelines"]}
    assert all(f"{name} {key[:12]}" in told for name, key in shown.items()) and "--pipeline with" in told
    for flag in ("short", shown["short"][:12]):
        result = hltune("reproduce", default, "--pipeline", flag, "-o", "out", "--json")
        assert result.code == 0, result.err
        assert result.document["pipeline"] == "short"
    unknown = hltune("reproduce", default, "--pipeline", "long", "-o", "out")
    assert unknown.code == 2 and "there are no samples of this schedule of this pipeline" in unknown.err


@pytest.mark.usefixtures("own_processes")
def test_what_works_runs_elsewhere_and_computes_the_same(hltune: Run, tmp_path: Path) -> None:
    works = store(tmp_path, str(BLUR), "output.split(y, y, yi, 8).parallel(y).vectorize(x, 16);")
    (best,) = hltune("samples", "best", "blur_function", "--json").document["schedules"]
    assert best["hash"] == works
    result = hltune("reproduce", best["hash"], "-o", "out", "--json")
    assert result.code == 0, result.err
    assert [Path(name).name for name in result.document["files"]] == ["pipeline.hlpipe", "reproduce.py"]
    # Nothing was measured here, unless another test has run the same pipeline on the same inputs.
    assert all("what was measured of them is not remembered" in each for each in result.document["notes"])
    run = alone(tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert "output 0: 0 of " in run.stdout
    assert run.stdout.index("the schedule: ") < run.stdout.index("every Func at root: ")
    assert "promise" not in (tmp_path / "out/reproduce.py").read_text()


def test_inputs_grow_to_what_is_read(hltune: Run, tmp_path: Path) -> None:
    run = reproduced(hltune, tmp_path, store(tmp_path, f"{ODD}:short", "output.parallel(y);"))
    assert run.returncode == 0, run.stderr
    assert "output 0: 0 of 3072 elements differ" in run.stdout


def test_halide_reads_the_environment_that_it_was_measured_in(hltune: Run, tmp_path: Path) -> None:
    text = "output.split(x, x, xi, 8).vectorize(xi).unroll(x);"
    run = reproduced(hltune, tmp_path, store(tmp_path, str(BLUR), text))
    assert run.returncode == 0, run.stderr
    script = (tmp_path / "out/reproduce.py").read_text()
    assert script.index("'HL_NUM_THREADS': '2'") < script.index("import halide")


def test_code_for_another_processor_is_only_compiled(hltune: Run, tmp_path: Path) -> None:
    target = "hexagon-32-noos-hvx-hvx_128-hvx_v66"
    identifier = store(tmp_path, str(BLUR), "output.parallel(y);", on=lambda machine: replace(machine, target=target))
    result = hltune("reproduce", identifier, "-o", "out")
    told = " ".join(result.out.split())
    assert f"only compiles it, for code for {target} does not run on this computer without hltune" in told
    run = alone(tmp_path / "out")
    assert run.returncode != 0
    assert f"compiled, but code for {target} does not run on this computer" in run.stderr
    assert (tmp_path / "out/reproduce.o").exists()


def test_each_element_of_a_tuple_has_its_own_tolerance(hltune: Run, tmp_path: Path) -> None:
    run = reproduced(hltune, tmp_path, store(tmp_path, f"{ODD}:pair", "output.vectorize(x, 8);"))
    assert run.returncode == 0 and "wrong" not in run.stdout, run.stderr
    assert "output 1: 0 of 3072 elements differ" in run.stdout
    script = (tmp_path / "out/reproduce.py").read_text()
    assert "TOLERANCES = [(((0.0001, (0, 0, 0)),), None), (((0, (0, 0, 0)),), None)]" in script


def test_floats_may_differ_as_little_as_where_they_were_measured(tmp_path: Path, copied: Copy) -> None:
    run = copied(f"{ODD}:floats", "output.vectorize(x, 8);")
    assert run.returncode == 0 and "wrong" not in run.stdout
    edited(tmp_path / "out", "TOLERANCES = [(((0.0001,", "TOLERANCES = [(((-1.0,")
    wrong = alone(tmp_path / "out")
    assert "wrong: 3072 are off by more than -1, and 0 may" in wrong.stdout
    assert wrong.returncode == 1 and "wrong in 5 of 5 runs" in wrong.stderr


def test_what_the_file_promises_of_its_inputs_is_compiled_in(hltune: Run, tmp_path: Path) -> None:
    identifier = store(tmp_path, f"{ODD}:channels", "copy.compute_at(output, x).vectorize(c);")
    run = reproduced(hltune, tmp_path, identifier)
    assert run.returncode == 0, run.stderr
    edited(tmp_path / "out", "    promise(parameters)\n", "")
    assert "Can only vectorize for loops over a constant extent" in alone(tmp_path / "out").stderr


@pytest.mark.parametrize("name", ["pixels", "aligned", "anything", "ranges"])
def test_images_lie_as_the_file_demands(name: str, copied: Copy) -> None:
    run = copied(f"{LAYOUTS}:{name}", "f.compute_root();")
    assert run.returncode == 0, run.stderr
    assert "output 0: 0 of " in run.stdout


OTHER_STRIDE = """
import reproduce as r

def build(schedule, build=r.build):
    r.IMAGES = [("row", "int16", [(-3, 20, 1)])]
    built = build(schedule)
    r.IMAGES = [("row", "int16", [(-3, 20, 2)])]
    return built

r.build = build
r.verdict()
"""
"""Runs the code on an image that is laid out as nobody knew when it was compiled."""


def test_a_stride_that_is_free_stays_free(tmp_path: Path, copied: Copy) -> None:
    assert copied(f"{LAYOUTS}:anything", "f.compute_root();").returncode == 0
    run = alone(tmp_path / "out", OTHER_STRIDE)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("stage", "done", "limit"),
    [("compile", "compiled", "60 s, 3 times as long as others"), ("run", "ran", "its limit of 60 s")],
)
def test_whether_it_takes_too_long_again_is_said(
    stage: str, done: str, limit: str, hltune: Run, tmp_path: Path
) -> None:
    late = Failure(stage=stage, kind="timeout", message=f"took longer than {limit}")
    run = reproduced(hltune, tmp_path, store(tmp_path, str(BLUR), "output.parallel(y);", late))
    assert run.returncode == 0, run.stderr
    assert re.search(rf"^{done} in \S+ s; it was given up after 60 s: not this time$", run.stdout, re.MULTILINE)
    assert f"what was measured did not happen this time: {late}" in run.stdout
    edited(tmp_path / "out", f"GIVEN_UP = ('{stage}', 60.0)", f"GIVEN_UP = ('{stage}', 1e-6)")
    again = alone(tmp_path / "out")
    assert again.returncode == 1 and "it takes too long, as it did when it was measured" in again.stderr
    assert "it was given up after 1e-06 s: too slow" in again.stdout and "did not happen" not in again.stdout


def test_what_differs_as_it_may_is_right(tmp_path: Path, copied: Copy) -> None:
    assert copied(f"{ODD}:floats", "output.vectorize(x, 8);").returncode == 0
    nudge = "function(*arguments); np.asarray(arguments[-1])[5, 7] *= 1.00001"
    run = alone(tmp_path / "out", BROKEN.format(call=nudge))
    assert run.returncode == 0, run.stderr
    assert re.search(
        "output 0: right within its tolerance, though not bit by bit: [1-9][0-9]* of 3072 elements differ", run.stdout
    )


def test_tolerances_that_were_measured_are_remembered(
    hltune: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "cache", tmp_path / "cache")
    identifier = store(tmp_path, f"{ODD}:floats", "output.vectorize(x, 8);")
    result = hltune("reproduce", identifier, "-o", "out", "--json")
    assert result.document["notes"] == [BY_RULE] and BY_RULE in alone(tmp_path / "out").stdout
    assert f"# {BY_RULE}\n" in (tmp_path / "out/reproduce.py").read_text()
    with opened(stored(tmp_path, identifier)[0], resolve("host"), memory=tmp_path / "cache") as session:
        session.ready()
    result = hltune("reproduce", identifier, "-o", "out", "--json")
    assert result.document["notes"] == [] and BY_RULE not in (tmp_path / "out/reproduce.py").read_text()
    assert "TOLERANCES = [(((0.0001, (0, 0, 0)),), None)]" not in (tmp_path / "out/reproduce.py").read_text()
    assert alone(tmp_path / "out").returncode == 0


@pytest.mark.parametrize("flags", [(), ("-i", "least=inf")])
def test_scalars_may_be_infinite(hltune: Run, tmp_path: Path, flags: tuple[str, ...]) -> None:
    identifier = store(tmp_path, f"{ODD}:clamped", "output.vectorize(x, 8);")
    run = reproduced(hltune, tmp_path, identifier, *flags)
    assert run.returncode == 0, run.stderr
    assert "wrong" not in run.stdout


def test_scalars_have_ranges(tmp_path: Path, copied: Copy) -> None:
    assert copied(f"{LAYOUTS}:ranges", "f.compute_root();").returncode == 0
    edited(tmp_path / "out", "('radius', 'int32', 2)", "('radius', 'int32', 9)")
    assert "radius is 9 but must be at most 8" in alone(tmp_path / "out").stderr


def test_promises_that_are_expressions_are_kept(hltune: Run, tmp_path: Path) -> None:
    identifier = store(tmp_path, f"{LAYOUTS}:rows", "f.compute_root();")
    run = reproduced(hltune, tmp_path, identifier)
    assert run.returncode == 0, run.stderr
    script = tmp_path / "out/reproduce.py"
    lines = script.read_text().splitlines(keepends=True)
    script.write_text("".join(s.replace("(0, 8, 64)", "(0, 8, 48)") if s.startswith("IMAGES") else s for s in lines))
    assert "image.stride.1 (48)" in alone(tmp_path / "out").stderr


def test_loops_have_other_names_than_those_that_halide_counts(hltune: Run, tmp_path: Path) -> None:
    identifier = store(
        tmp_path,
        f"{ODD}:unnamed",
        lambda funcs: f"output.vectorize({funcs[-1].args[0]}, 16).unroll({funcs[-1].args[1]}, 2);",
    )
    run = reproduced(hltune, tmp_path, identifier)
    assert run.returncode == 0, run.stderr
    assert "output 0: 0 of 3072 elements differ" in run.stdout


def test_a_schedule_runs_where_every_func_at_root_does_not(hltune: Run, tmp_path: Path) -> None:
    run = reproduced(hltune, tmp_path, store(tmp_path, f"{ODD}:lookup", "output.vectorize(x, 8);"))
    assert run.returncode == 0, run.stderr
    assert "every Func at root: " in run.stdout and "without a schedule: " in run.stdout
    assert "output 0: 0 of 1024 elements differ" in run.stdout


def test_without_anything_to_compare_with_runs_are_compared(hltune: Run, tmp_path: Path) -> None:
    assert reproduced(hltune, tmp_path, store(tmp_path, str(BLUR), "output.parallel(y);")).returncode == 0
    run = alone(tmp_path / "out", "import reproduce as r; r.reference = lambda target: None; r.verdict()")
    assert run.returncode == 0, run.stderr
    assert "nothing to compare with but the first run of the schedule itself" in run.stdout
    assert "output 0: 0 of " in run.stdout


BROKEN = """
import ctypes
import numpy as np
import reproduce as r

class Broken:
    def __init__(self, pipeline):
        self.pipeline = pipeline

    def compile_to_callable(self, *arguments):
        function = self.pipeline.compile_to_callable(*arguments)
        def call(*arguments):
            {call}
        return call

def build(schedule, build=r.build):
    pipeline, arguments = build(schedule)
    return (Broken(pipeline) if schedule is r.apply_schedule else pipeline), arguments

r.build = build
r.verdict()
"""
"""Runs the script as if the code of the schedule were wrong."""


def test_what_nobody_writes_shows(hltune: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "black.npy", np.zeros((48, 64), np.uint8))
    identifier = store(tmp_path, f"{ODD}:padded", "output.parallel(y);")
    run = reproduced(hltune, tmp_path, identifier, "-i", "black.npy")
    assert run.returncode == 0, run.stderr
    assert "output 0: 0 of 3072 elements differ" in run.stdout
    idle = alone(tmp_path / "out", BROKEN.format(call="pass"))
    assert idle.returncode == 1 and "wrong in 5 of 5 runs" in idle.stderr
    assert "output 0: 3072 of 3072 elements differ" in idle.stdout


IN_EACH_PLACE = BROKEN.replace(
    "r.verdict()",
    """
for r.place in (-1, 64, 96 * 48):
    try:
        r.verdict()
    except SystemExit as ended:
        print(ended)
""",
)
"""The same several times."""


def test_what_is_written_around_an_output_shows(tmp_path: Path, copied: Copy) -> None:
    assert copied(f"{ODD}:padded", "output.parallel(y);").returncode == 0
    write = "function(*arguments); ctypes.memset(np.asarray(arguments[-1]).ctypes.data + r.place, 0, 1)"
    run = alone(tmp_path / "out", IN_EACH_PLACE.format(call=write))
    assert run.returncode == 0 and run.stdout.count("wrong in 5 of 5 runs") == 3, run.stderr
    wrong = "output 0: 0 of 3072 elements differ\n  wrong: something was written beyond the ends"
    assert run.stdout.count(wrong) == 3


def test_a_run_that_is_wrong_now_and_then_is_found(tmp_path: Path, copied: Copy) -> None:
    assert copied(f"{ODD}:padded", "output.parallel(y);").returncode == 0
    write = (
        "function(*arguments); r.calls = getattr(r, 'calls', 0) + 1; np.asarray(arguments[-1])[5, 7] ^= r.calls == 3"
    )
    run = alone(tmp_path / "out", BROKEN.format(call=write))
    assert run.returncode == 1 and "wrong in 1 of 5 runs" in run.stderr
    assert "output 0: 1 of 3072 elements differ" in run.stdout and "the first at (5, 7)" in run.stdout


def test_a_schedule_that_takes_its_process_down_is_told(tmp_path: Path, copied: Copy) -> None:
    assert copied(f"{ODD}:padded", "output.parallel(y);").returncode == 0
    edited(
        tmp_path / "out", "def check() -> None:\n", "def check() -> None:\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    run = alone(tmp_path / "out")
    assert run.returncode == 1 and "the process ended with SIGSEGV, otherwise than then: it worked" in run.stderr
    edited(tmp_path / "out", "FAILURE = None\n", "FAILURE = 'run: ended by a signal (SIGSEGV)'\n")
    run = alone(tmp_path / "out")
    assert run.returncode == 1 and "the process ended with SIGSEGV, as it did when it was measured" in run.stderr


def test_it_runs_on_the_data_that_was_measured_with(hltune: Run, tmp_path: Path) -> None:
    identifier = store(tmp_path, str(BLUR), "output.parallel(y);")
    (argument,) = stored(tmp_path, identifier)[0].buffers()
    assert hltune("reproduce", identifier, "-o", "out", "--seed", 3).code == 0
    assert (image_of(tmp_path / "out") == random_array(argument, seed=3)).all()
    given = random_array(argument, seed=7)
    np.save(tmp_path / "given.npy", given)
    assert hltune("reproduce", identifier, "-o", "out", "-i", "given.npy").code == 0
    assert (image_of(tmp_path / "out") == given).all()


def test_what_was_given_counts(hltune: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "row.npy", np.arange(64, dtype=np.uint8))
    digest = hashlib.sha256((tmp_path / "row.npy").read_bytes()).hexdigest()[:8]
    given = f"row={digest}, gain=2.5, --tolerance=0.25"
    identifier = store(tmp_path, f"{LAYOUTS}:ranges", "f.compute_root();", on=lambda machine: machine.with_given(given))
    (note,) = hltune("reproduce", identifier, "-o", "out", "--json").document["notes"]
    assert note == (
        f"it was measured with {given}, and this has gain=2.5, --tolerance=0.25; "
        "give the same images, by the beginning of their SHA-256: -i row=FILE"
    )
    script = (tmp_path / "out/reproduce.py").read_text()
    assert "('gain', 'float32', 2.5)" in script and "TOLERANCES = [(((0.25, (0, 0)),), None)]" in script
    result = hltune("reproduce", identifier, "-o", "out", "-i", "row.npy", "--json")
    assert result.document["notes"] == []
    assert (image_of(tmp_path / "out") == np.arange(64)).all()
    (note,) = hltune("reproduce", identifier, "-o", "out", "-i", "row.npy", "-i", "gain=3.5", "--json").document[
        "notes"
    ]
    assert note == f"it was measured with {given}, and this has {given.replace('2.5', '3.5')}"
    assert "('gain', 'float32', 3.5)" in (tmp_path / "out/reproduce.py").read_text()


def test_the_seed_is_that_of_the_tuning_that_measured_it(hltune: Run, tmp_path: Path) -> None:
    identifier = store(tmp_path, str(BLUR), "output.parallel(y);")
    path = Workspace(tmp_path / ".hltune").tunings(*stored(tmp_path, identifier))
    for seed, after_s in ((5, -100.0), (4, -200.0), (6, 100.0)):
        about = TuningCommand(command="hltune tune", seed=seed, began_s=time.time() + after_s, hltune="0.1.0")
        add_line(path, about)
    assert hltune("reproduce", identifier, "-o", "out").code == 0
    assert "\nSEED = 5\n" in (tmp_path / "out/reproduce.py").read_text()
    assert hltune("reproduce", identifier, "-o", "out", "--seed", 0).code == 0
    assert "\nSEED = 0\n" in (tmp_path / "out/reproduce.py").read_text()


def test_what_a_bundle_measured_has_its_random_data(hltune: Run, tmp_path: Path) -> None:
    def on(machine: MachineId) -> MachineId:
        return replace(machine, conditions="bundle runner 1, cores: 2, C library: glibc")

    identifier = store(tmp_path, str(BLUR), "output.parallel(y);", on=on)
    result = hltune("reproduce", identifier, "-o", "out", "--seed", 3, "--json")
    assert "hltune bundle make" in result.document["notes"][0]
    (argument,) = stored(tmp_path, identifier)[0].buffers()
    expected = np.empty_like(random_array(argument, seed=0))
    fill_portably(expected, name=argument.name, seed=3)
    assert (image_of(tmp_path / "out") == expected).all()
    assert alone(tmp_path / "out").returncode == 0


def test_which_machine_counts_is_said_if_that_is_not_clear(hltune: Run, tmp_path: Path) -> None:
    def single(machine: MachineId) -> MachineId:
        return replace(machine, threads=1)

    identifier = store(tmp_path, str(BLUR), "output.parallel(y);")
    assert store(tmp_path, str(BLUR), "output.parallel(y);", on=single) == identifier
    refused = hltune("reproduce", identifier, "-o", "out")
    assert refused.code == 2 and "which machine is not clear" in refused.err
    newest = stored(tmp_path, identifier)[1]
    for machine in (newest, replace(newest, threads=2)):
        assert hltune("reproduce", identifier, "-o", "out", "--machine", machine.key).code == 0
        assert f"'HL_NUM_THREADS': '{machine.threads}'" in (tmp_path / "out/reproduce.py").read_text()
