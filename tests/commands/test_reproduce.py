"""What `hltune reproduce` finds out beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Self

import halide as hl
import pytest

from hltune.commands import reproduce
from hltune.commands.example import Example, Repetition, repetition
from hltune.machine.bounds import CoverJob
from hltune.machine.inputs import Inputs
from hltune.machine.open import open_machine, resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.reference import References
from hltune.machine.sensitivity import every_func_at_root
from hltune.pipeline.build import spec_of
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.values.directives import Schedule
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import BufferArgument, PipelineSpec
from hltune.values.sample import PipelineRecord
from hltune.workspace.records import Workspace
from tests.machine.opened import compiled_modules, load, needs_hexagon
from tests.samples.values import MACHINE, SPEC, sample


def chain(stages: int) -> PipelineSpec:
    """Each stage adds neighbours of the one before."""
    x, image = hl.Var("x"), hl.ImageParam(hl.UInt(8), 1, "image")
    last: hl.Func | hl.ImageParam = image
    for number in range(stages):
        func = hl.Func(f"stage{number}")
        func[x] = last[x] + last[x + 1] + last[x + 2]
        last = func
    assert isinstance(last, hl.Func)
    inputs = (BufferArgument(name="image", dtype="uint8", estimate=((0, 128),)),)
    return spec_of("chain", hl.serialize_pipeline(hl.Pipeline(last)), inputs, [((0, 64),)])


@pytest.mark.parametrize(
    ("name", "number", "tolerance"), [("program-7", 0, 1e-2), ("program-7", 1, None), ("blur", 0, None)]
)
def test_random_programs_are_judged_as_pre_training_does(
    tmp_path: Path, name: str, number: int, tolerance: float | None
) -> None:
    """Not somebody's pipeline of such a name, which was tuned."""
    workspace, spec = Workspace(tmp_path), replace(SPEC, name=name)
    with Store(workspace.samples, progress=Silent(), wait_s=0) as store:
        store.add_pipeline(PipelineRecord.of(spec))
        store.add(replace(sample(1, pipeline=PipelineRecord.of(spec)), round=number))
    example = Example(
        spec=spec, schedule_hash="0" * 64, schedule=Schedule(), machine=MACHINE, outcome=1.0, measured_at_s=0.0
    )
    again = repetition(example, workspace, lambda seed: Inputs(seed=seed), MeasureOptions(threads=2))
    assert again.options.tolerance == tolerance and not again.notes


@pytest.mark.parametrize(("stages", "inlined"), [(1, True), (16, False)])
def test_what_inlining_multiplies_is_not_inlined_to_see_what_it_reads(
    stages: int, inlined: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, tried = chain(stages), list[Schedule]()

    class Fake:
        def __init__(self, environment: object) -> None:
            pass

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def run(self, job: CoverJob) -> PipelineSpec:
            tried.append(job.task.schedule)
            return spec

    monkeypatch.setattr(reproduce, "Worker", Fake)
    monkeypatch.setattr(reproduce, "runs_here", lambda _: True)
    example = Example(
        spec=spec,
        schedule_hash="",
        schedule=Schedule(),
        machine=MachineId(cpu="a processor", target="host", threads=1, halide="21.0.0"),
        outcome=1.0,
        measured_at_s=0.0,
    )
    assert reproduce.with_inputs_covered(example, Inputs()) == example
    assert tried == [Schedule() if inlined else every_func_at_root(spec)]


@needs_hexagon
def test_tolerances_that_were_measured_for_the_dsp_are_found(tmp_path: Path) -> None:
    """What is expected of it is computed on this computer, for another target than its own."""
    target, options, workspace = resolve("hexagon"), MeasureOptions(threads=1), Workspace(tmp_path)
    spec = load("scaled", target)
    with Store(workspace.samples, progress=Silent(), wait_s=0):
        pass
    with (
        compiled_modules(),
        open_machine(target, options, workers=1) as machine,
        machine.session(spec, Inputs(), References(memory=workspace.cache)) as session,
    ):
        outputs, identity = session.verification.outputs, machine.identity
    example = Example(
        spec=spec, schedule_hash="", schedule=Schedule(), machine=identity, outcome=1.0, measured_at_s=0.0
    )
    again = Repetition(inputs=Inputs(), options=options)
    assert reproduce.allowed_on(workspace, example, example, again) == (again, reproduce.measured(outputs))
