"""Where floats take part, right schedules pass and wrong outputs do not, whatever the tolerance that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hltune.machine.inputs import Inputs, input_arrays
from hltune.machine.open import open_machine, resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Task, compile_task
from hltune.machine.verify import differences, read_tolerances
from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import Source
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Process, Worker
from hltune.values.directives import (
    ComputeAt,
    ComputeRoot,
    Directive,
    Parallel,
    Schedule,
    Split,
    Stage,
    Unroll,
    Vectorize,
)
from hltune.values.errors import JobFailed
from hltune.values.pipeline import FuncInfo, PipelineSpec
from tests.cache import CACHE
from tests.machine.floats.programs import FAULTS, PROGRAMS

pytestmark = pytest.mark.long

REFUSED = "not a schedule"
MODULE = "tests.machine.floats.programs"
RIGHT = 50
OPTIONS = MeasureOptions(threads=2)
QUICK = MeasureOptions(threads=2, compile_timeout_s=5)
"""What takes longer to compile says no more of a tolerance than what does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckJob:
    """Runs a schedule of the right program, or another program, and says how its output differs."""

    task: Task
    directory: Path

    def run(self, process: Process) -> str | None:

        import halide as hl

        arrays = input_arrays(process, self.task.spec, self.task.inputs)
        expected = [np.load(path) for path in sorted(self.directory.glob("output*.npy"))]
        try:
            compiled = compile_task(process, self.task, arrays, QUICK)
        except hl.HalideError:
            return REFUSED
        compiled.run(process, QUICK)
        return differences(compiled.outputs, expected, read_tolerances(self.directory))


@pytest.fixture(scope="module")
def host() -> TargetInfo:
    return resolve("host")


@pytest.mark.parametrize("name", [each.__name__ for each in PROGRAMS])
def test_wrong_outputs_are_caught_and_right_ones_pass(name: str, host: TargetInfo) -> None:
    spec = _program(name, "", host)
    rng = np.random.default_rng(list(name.encode()))
    with (
        open_machine(host, OPTIONS, workers=1) as machine,
        machine.session(spec, Inputs()) as session,
        Worker() as worker,
    ):
        found = session.verification
        assert found.confirmed_by and not found.notes
        assert all(not each.chaotic and each.reason.startswith("floats take part") for each in found.outputs)
        directory = session._directory

        def check(spec: PipelineSpec, schedule: Schedule) -> str | None:
            task = Task(spec=spec, schedule=schedule, target=host.name, inputs=Inputs())
            try:
                return worker.run(CheckJob(task=task, directory=directory))
            except JobFailed as failed:
                if (failed.failure.stage, failed.failure.kind) == ("compile", "timeout"):
                    return REFUSED
                raise

        missed = [fault for fault in FAULTS if check(_program(name, fault, host), Schedule()) is None]
        right: set[Schedule] = set()
        failed: dict[Schedule, str] = {}
        while len(right) + len(failed) < RIGHT:
            schedule = _schedule(spec, rng)
            if schedule in right or (text := check(spec, schedule)) == REFUSED:
                continue
            if text is None:
                right.add(schedule)
            else:
                failed[schedule] = text
    assert not missed, f"{missed} within {found.outputs}"
    assert not failed, f"{failed} beyond {found.outputs}"


def _program(name: str, wrong: str, target: TargetInfo) -> PipelineSpec:
    parameters = (("name", name), ("wrong", wrong))
    source = Source(kind="module", location=MODULE, entry="program", parameters=parameters)
    with Worker() as worker:
        return worker.run(LoadJob(source=source, target=target.name, cache=CACHE))


def _schedule(spec: PipelineSpec, rng: np.random.Generator) -> Schedule:
    """Tiles, vectors and levels at random, all of them right."""
    output = spec.outputs[0].name
    directives: list[Directive] = []
    for func in reversed(spec.funcs):
        stage = Stage(func.name)
        if func.name != output:
            level = rng.integers(4)
            if level == 0 or not func.args or func.name.startswith(("repeat_edge", "image_im")):
                continue
            directives.append(ComputeRoot(stage) if level == 1 else ComputeAt(stage, output, "y"))
        directives += _loops(func, rng, is_output=func.name == output)
    return Schedule(tuple(directives))


def _loops(func: FuncInfo, rng: np.random.Generator, *, is_output: bool) -> list[Directive]:
    stage, inner = Stage(func.name), func.args[0]
    found: list[Directive] = []
    if rng.random() < 0.8:
        found += [
            Split(stage, inner, inner, f"{inner}v", int(rng.choice([4, 8, 16])), "GuardWithIf"),
            Vectorize(stage, f"{inner}v"),
        ]
    if rng.random() < 0.4:
        found += [
            Split(stage, inner, inner, f"{inner}u", int(rng.choice([2, 3])), "GuardWithIf"),
            Unroll(stage, f"{inner}u"),
        ]
    if is_output and len(func.args) > 1 and rng.random() < 0.5:
        found.append(Parallel(stage, func.args[-1]))
    return found
