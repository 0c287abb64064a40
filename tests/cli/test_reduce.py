"""What failed is found again, made smaller, and runs without hltune."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hltune.machine.open import TargetJob, identify
from hltune.machine.options import MeasureOptions
from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import parse_source
from hltune.runtime.progress import Silent
from hltune.runtime.worker import Worker
from hltune.samples.writer import Store
from hltune.schedule.parse import parse_schedule
from hltune.values.errors import Failure
from hltune.values.provenance import Named
from hltune.values.sample import PipelineRecord, Sample
from tests.cache import CACHE
from tests.cli.conftest import PIPELINES, Run

BLUR = PIPELINES / "blur_function.py"
REFUSED = "output.split(y, y, yi, 8).parallel(y).unroll(yi).vectorize(x);"
"""Halide vectorises no loop whose extent is no constant."""


@pytest.fixture
def stored(tmp_path: Path) -> str:
    """A store with a schedule that fails; its id."""
    with Worker(preload=("halide",)) as worker:
        target = worker.run(TargetJob("host"))
        spec = worker.run(LoadJob(source=parse_source(str(BLUR)), target=target.name, cache=CACHE))
    schedule = parse_schedule(REFUSED, spec.funcs)
    sample = Sample(
        pipeline_hash=spec.content_hash,
        machine=identify(target, MeasureOptions(threads=2)),
        schedule=schedule,
        featurization=None,
        measurement=Failure(stage="compile", kind="error", message="as it was"),
        provenance=Named(name="by hand"),
        measured_at_s=time.time(),
    )
    (tmp_path / ".hltune").mkdir()
    with Store(tmp_path / ".hltune/samples.sqlite", progress=Silent(), wait_s=0) as store:
        store.add_pipeline(PipelineRecord.of(spec))
        store.add(sample)
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
    assert hltune("tune", BLUR, "--samples", 6, "--beam-size", 1, "--max-parallelism", 2).code == 0
    (best, *_) = hltune("samples", "best", "blur_function", "--json").document["schedules"]
    result = hltune("reproduce", best["hash"], "-o", "out", "--json")
    assert result.code == 0, result.err
    assert [Path(name).name for name in result.document["files"]] == ["pipeline.hlpipe", "reproduce.py"]
    run = alone(tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert "output 0: 0 of " in run.stdout
    refused = hltune("reduce", best["hash"])
    assert refused.code == 2 and "this schedule works" in refused.err


def test_unknown_ids_are_answered(hltune: Run, stored: str) -> None:
    assert stored
    result = hltune("reduce", "ffffffffffffffff", "--json")
    assert result.code == 2
    assert "no schedule in the store has this id" in json.loads(result.out)["error"]["what"]
