"""What failed is found again, made smaller, and runs without hltune."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hltune.machine.inputs import random_array
from hltune.machine.open import TargetJob, identify
from hltune.machine.options import MeasureOptions
from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import parse_source
from hltune.runtime.progress import Silent
from hltune.runtime.worker import Worker
from hltune.samples.reader import Reader
from hltune.samples.writer import Store
from hltune.schedule.parse import parse_schedule
from hltune.values.cost import Cost, Measurement
from hltune.values.errors import Failure
from hltune.values.provenance import Named
from hltune.values.sample import PipelineRecord, Sample
from hltune.values.unit import MILLISECONDS
from tests.cache import CACHE
from tests.cli.conftest import PIPELINES, Run

BLUR, ODD = PIPELINES / "blur_function.py", PIPELINES / "reproduced.py"
REFUSED = "output.split(y, y, yi, 8).parallel(y).unroll(yi).vectorize(x);"
"""Halide vectorises no loop whose extent is no constant."""


FAILURE = Failure(stage="compile", kind="error", message="as it was")
WORKS = Cost(unit=MILLISECONDS, turns=((1e-3,),))


@pytest.fixture
def stored(tmp_path: Path) -> str:
    """A store with a schedule that fails; its id."""
    return store(tmp_path, str(BLUR), REFUSED, FAILURE)


def store(tmp_path: Path, pipeline: str, text: str, outcome: Measurement, target_name: str | None = None) -> str:
    """Adds a schedule that was measured on this computer, or for another target; returns its id."""
    with Worker(preload=("halide",)) as worker:
        target = worker.run(TargetJob("host"))
        spec = worker.run(LoadJob(source=parse_source(pipeline), target=target.name, cache=CACHE))
    schedule = parse_schedule(text, spec.funcs)
    machine = identify(target, MeasureOptions(threads=2))
    sample = Sample(
        pipeline_hash=spec.content_hash,
        machine=replace(machine, target=target_name or machine.target),
        schedule=schedule,
        featurization=None,
        measurement=outcome,
        provenance=Named(name="by hand"),
        measured_at_s=time.time(),
    )
    (tmp_path / ".hltune").mkdir()
    with Store(tmp_path / ".hltune/samples.sqlite", progress=Silent(), wait_s=0) as kept:
        kept.add_pipeline(PipelineRecord.of(spec))
        kept.add(sample)
    return sample.schedule_hash


def alone(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "reproduce.py")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_failure_is_reduced_to_what_it_needs(hltune: Run, stored: str, tmp_path: Path) -> None:
    listed = hltune("samples", "failures", "blur_function", "--json").document["failures"]
    assert [each["hash"] for each in listed] == [stored]
    result = hltune("reduce", stored[:10], "-o", "left", "--json")
    assert result.code == 0, result.err
    document = result.document
    assert document["complete"] and document["directives_before"] == 4
    assert document["directives"] == 1
    assert document["failure"]["stage"] == "compile"
    run = alone(tmp_path / "left")
    assert run.returncode != 0 and "HalideError" in run.stderr


def test_what_works_runs_elsewhere_and_computes_the_same(hltune: Run, tmp_path: Path) -> None:
    works = store(tmp_path, str(BLUR), "output.split(y, y, yi, 8).parallel(y).vectorize(x, 16);", WORKS)
    (best,) = hltune("samples", "best", "blur_function", "--json").document["schedules"]
    assert best["hash"] == works
    result = hltune("reproduce", best["hash"], "-o", "out", "--json")
    assert result.code == 0, result.err
    assert [Path(name).name for name in result.document["files"]] == ["pipeline.hlpipe", "reproduce.py"]
    run = alone(tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert "output 0: 0 of " in run.stdout
    refused = hltune("reduce", best["hash"])
    assert refused.code == 2 and "this schedule works" in refused.err


def reproduced(hltune: Run, tmp_path: Path, identifier: str, *flags: object) -> subprocess.CompletedProcess[str]:
    """Runs what `hltune reproduce` writes, without hltune's environment."""
    result = hltune("reproduce", identifier, "-o", "out", *flags)
    assert result.code == 0, result.err
    return alone(tmp_path / "out")


def test_inputs_grow_to_what_is_read(hltune: Run, tmp_path: Path) -> None:
    run = reproduced(hltune, tmp_path, store(tmp_path, f"{ODD}:short", "output.parallel(y);", WORKS))
    assert run.returncode == 0, run.stderr
    assert "output 0: 0 of 3072 elements differ" in run.stdout


def test_halide_reads_the_environment_that_it_was_measured_in(hltune: Run, tmp_path: Path) -> None:
    text = "output.split(x, x, xi, 8).vectorize(xi).unroll(x);"
    run = reproduced(hltune, tmp_path, store(tmp_path, str(BLUR), text, WORKS))
    assert run.returncode == 0, run.stderr
    script = (tmp_path / "out/reproduce.py").read_text()
    assert script.index("'HL_NUM_THREADS': '2'") < script.index("import halide")


def test_code_for_another_processor_is_only_compiled(hltune: Run, tmp_path: Path) -> None:
    target = "hexagon-32-noos-hvx-hvx_128-hvx_v66"
    identifier = store(tmp_path, str(BLUR), "output.parallel(y);", WORKS, target)
    result = hltune("reproduce", identifier, "-o", "out")
    told = " ".join(result.out.split())
    assert f"only compiles it, for code for {target} does not run on this computer without hltune" in told
    run = alone(tmp_path / "out")
    assert run.returncode != 0
    assert f"compiled, but code for {target} does not run on this computer" in run.stderr
    assert (tmp_path / "out/reproduce.o").exists()


def test_each_element_of_a_tuple_has_its_own_tolerance(hltune: Run, tmp_path: Path) -> None:
    run = reproduced(hltune, tmp_path, store(tmp_path, f"{ODD}:pair", "output.vectorize(x, 8);", WORKS))
    assert run.returncode == 0 and "wrong" not in run.stdout, run.stderr
    assert "output 1: 0 of 3072 elements differ" in run.stdout
    script = (tmp_path / "out/reproduce.py").read_text()
    assert "TOLERANCES = [(((0.0001, (0, 0, 0)),), None), (((0, (0, 0, 0)),), None)]" in script


def test_floats_may_differ_as_little_as_where_they_were_measured(hltune: Run, tmp_path: Path) -> None:
    run = reproduced(hltune, tmp_path, store(tmp_path, f"{ODD}:floats", "output.vectorize(x, 8);", WORKS))
    assert run.returncode == 0 and "wrong" not in run.stdout
    script = tmp_path / "out/reproduce.py"
    script.write_text(script.read_text().replace("TOLERANCES = [(((0.0001,", "TOLERANCES = [(((-1.0,"))
    assert "wrong: 3072 are off by more than -1, and 0 may" in alone(tmp_path / "out").stdout


def test_it_runs_on_the_data_that_was_measured_with(hltune: Run, tmp_path: Path) -> None:
    identifier = store(tmp_path, str(BLUR), "output.parallel(y);", WORKS)
    with Reader(tmp_path / ".hltune/samples.sqlite") as reader:
        spec = reader.spec(reader.find(identifier)[0].pipeline_hash)
    assert spec is not None
    (argument,) = spec.buffers()
    assert reproduced(hltune, tmp_path, identifier, "--seed", 3).returncode == 0
    assert (image_of(tmp_path / "out") == random_array(argument, seed=3)).all()
    given = random_array(argument, seed=7)
    np.save(tmp_path / "given.npy", given)
    assert reproduced(hltune, tmp_path, identifier, "-i", "given.npy").returncode == 0
    assert (image_of(tmp_path / "out") == given).all()


def image_of(folder: Path) -> np.ndarray:
    """The image that the script in a folder runs on."""
    code = "import numpy as np, reproduce as r; np.save('drawn.npy', r.image(*r.IMAGES[0]))"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    return np.load(folder / "drawn.npy")


def test_a_failure_is_reduced_on_the_users_images(hltune: Run, stored: str, tmp_path: Path) -> None:
    np.save(tmp_path / "tiny.npy", np.zeros((2, 2), np.uint8))
    refused = hltune("reduce", stored, "-i", "tiny.npy")
    assert refused.code == 2 and "the image is too small for input" in refused.err
    np.save(tmp_path / "large.npy", np.full((2000, 2000), 7, np.uint8))
    result = hltune("reduce", stored, "-i", "large.npy", "-o", "left", "--json")
    assert result.code == 0, result.err
    assert (image_of(tmp_path / "left") == 7).all()


def test_unknown_ids_are_answered(hltune: Run, stored: str) -> None:
    assert stored
    result = hltune("reduce", "ffffffffffffffff", "--json")
    assert result.code == 2
    assert "no schedule in the store has this id" in json.loads(result.out)["error"]["what"]
