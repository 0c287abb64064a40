"""What noise hides shows on smooth inputs, if it is known what is right on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from hltune.machine.inputs import Inputs, file_digest, input_arrays
from hltune.machine.task import RUN_SMOOTH, SMOOTH, Task, compile_code, with_buffers
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Process, Worker
from hltune.values.cost import Cost
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import PipelineSpec
from tests.machine.opened import OPTIONS, load, opened


@dataclass(frozen=True, kw_only=True)
class OtherCodeJob:
    """Runs the code of another algorithm as if it were that of the task's."""

    task: Task
    other: PipelineSpec

    def run(self, process: Process) -> Failure | None:
        code = compile_code(process, replace(self.task, spec=self.other), OPTIONS)
        arrays = input_arrays(process, self.task.spec, self.task.inputs)
        return with_buffers(process, self.task, code, arrays).run_and_verify(process, OPTIONS)


def test_a_stage_that_noise_hides_is_verified(host: TargetInfo) -> None:
    right, wrong = load("denoised", host), load("not_denoised", host)
    with opened(right, host) as session, Worker(preload=("halide",)) as worker:
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)
        assert not any("smooth" in note for note in session.verification.notes)
        task = session.task_of(Schedule())
        assert task.smooth_inputs is not None
        assert worker.run(OtherCodeJob(task=task, other=right)) is None
        on_noise = replace(task, smooth_inputs=None)
        assert worker.run(OtherCodeJob(task=on_noise, other=wrong)) is None  # which is why
        failure = worker.run(OtherCodeJob(task=task, other=wrong))
    assert failure is not None
    assert (failure.stage, failure.kind) == (SMOOTH, "wrong output")


def test_code_that_fails_on_smooth_inputs_alone_says_so(host: TargetInfo) -> None:
    with opened(load("denoised", host), host) as session, Worker(preload=("halide",)) as worker:
        session.ready()
        failure = worker.run(OtherCodeJob(task=session.task_of(Schedule()), other=load("for_noise", host)))
    assert failure is not None
    assert (failure.stage, failure.kind) == (RUN_SMOOTH, "error")
    assert "Requirement Failed" in failure.message


def test_a_pipeline_that_refuses_smooth_inputs_is_verified_without(host: TargetInfo) -> None:
    with opened(load("for_noise", host), host) as session:
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)
        (note,) = [each for each in session.verification.notes if "smooth" in each]
        assert "Requirement Failed" in note
        assert session.task_of(Schedule()).smooth_inputs is None


def test_what_only_negative_values_show_is_verified(host: TargetInfo) -> None:
    right, wrong = load("rectified", host), load("not_rectified", host)
    with opened(right, host) as session, Worker(preload=("halide",)) as worker:
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)
        task = session.task_of(Schedule())
        assert task.smooth_inputs is not None and task.smooth_inputs.signed
        on_noise = replace(task, smooth_inputs=None)
        assert worker.run(OtherCodeJob(task=on_noise, other=wrong)) is None
        failure = worker.run(OtherCodeJob(task=task, other=wrong))
    assert failure is not None and (failure.stage, failure.kind) == (SMOOTH, "wrong output")


@pytest.mark.parametrize("name", ["rooted", "as_bytes"])
def test_what_takes_nothing_negative_is_verified_on_smooth_inputs_without_signs(name: str, host: TargetInfo) -> None:
    with opened(load(name, host), host) as session:
        session.ready()
        task = session.task_of(Schedule())
        assert task.smooth_inputs is not None and not task.smooth_inputs.signed
        assert not session.verification.notes


@pytest.mark.parametrize("given", [True, False])
def test_images_of_the_user_are_all_that_counts(given: bool, host: TargetInfo, tmp_path: Path) -> None:
    spec, file = load("not_denoised", host), tmp_path / "a.npy"
    np.save(file, np.zeros((48, 64), np.float32))
    inputs = Inputs(images=((None, file),), digests=((file, file_digest(file)),)) if given else Inputs()
    with opened(spec, host, inputs=inputs) as session:
        session.ready()
        assert (session.task_of(Schedule()).smooth_inputs is None) == given
