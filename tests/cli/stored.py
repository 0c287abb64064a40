"""Stores with a few measurements, and what `reproduce` makes of them."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hltune.machine.open import identify, resolve
from hltune.machine.options import MeasureOptions
from hltune.pipeline.source import parse_source
from hltune.pipeline.target import TargetInfo
from hltune.runtime.progress import Silent
from hltune.samples.reader import Reader
from hltune.samples.writer import Store
from hltune.schedule.parse import parse_schedule
from hltune.values.cost import Cost, Measurement
from hltune.values.errors import Failure
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.provenance import Named
from hltune.values.sample import PipelineRecord, Sample
from hltune.values.unit import MILLISECONDS
from tests.cache import CACHE
from tests.cli.conftest import PIPELINES, Run
from tests.loading import Unchecked, fresh

BLUR, ODD, LAYOUTS = (PIPELINES / name for name in ("blur_function.py", "reproduced.py", "layouts.py"))
FAILURE = Failure(stage="compile", kind="error", message="as it was")
WORKS = Cost(unit=MILLISECONDS, turns=((1e-3,),))


@functools.cache
def _loaded(pipeline: str) -> tuple[TargetInfo, PipelineSpec]:
    """A file that no test changes, for this computer."""
    target = resolve("host")
    return target, fresh(Unchecked(source=parse_source(pipeline), target=target.name, cache=CACHE))


def store(
    folder: Path,
    pipeline: str,
    text: str | Callable[[tuple[FuncInfo, ...]], str],
    outcome: Measurement = WORKS,
    on: Callable[[MachineId], MachineId] = lambda machine: machine,
) -> str:
    """Adds a schedule that was measured on this computer, or on something like it; returns its id."""
    target, spec = _loaded(pipeline)
    sample = Sample(
        pipeline_hash=spec.content_hash,
        machine=on(identify(target, MeasureOptions(threads=2))),
        schedule=parse_schedule(text if isinstance(text, str) else text(spec.funcs), spec.funcs),
        featurization=None,
        measurement=outcome,
        provenance=Named(name="by hand"),
        measured_at_s=time.time(),
    )
    (folder / ".hltune").mkdir(exist_ok=True)
    with Store(folder / ".hltune/samples.sqlite", progress=Silent(), wait_s=0) as kept:
        kept.add_pipeline(PipelineRecord.of(spec))
        kept.add(sample)
    return sample.schedule_hash


def stored(folder: Path, identifier: str) -> tuple[PipelineSpec, MachineId]:
    """The pipeline of a schedule in a store, and where it was measured last."""
    with Reader(folder / ".hltune/samples.sqlite") as reader:
        found = reader.find(identifier)[0]
        spec = reader.spec(found.pipeline_hash)
    assert spec is not None
    return spec, found.machine


def alone(folder: Path, code: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the script in a folder, or code beside it."""
    command = [sys.executable, *(("-c", code) if code else (str(folder / "reproduce.py"),))]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def reproduced(hltune: Run, folder: Path, identifier: str, *flags: object) -> subprocess.CompletedProcess[str]:
    """Runs what `hltune reproduce` writes, without hltune's environment."""
    result = hltune("reproduce", identifier, "-o", "out", *flags)
    assert result.code == 0, result.err
    return alone(folder / "out")


def image_of(folder: Path) -> np.ndarray:
    """The image that the script in a folder runs on."""
    done = alone(folder, "import numpy as np, reproduce as r; np.save('drawn.npy', r.image(*r.IMAGES[0]))")
    assert done.returncode == 0, done.stderr
    return np.load(folder / "drawn.npy")
