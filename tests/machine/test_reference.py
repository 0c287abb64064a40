"""What people are told if no schedule can be run at all, and what a small computer does without."""

from __future__ import annotations

import copy
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from hltune.machine import sensitivity
from hltune.machine.inputs import Inputs, input_arrays
from hltune.machine.open import resolve
from hltune.machine.reference import _doubt, _nothing_runs
from hltune.machine.reference_job import AT_ROOT, INLINED, ReferenceJob, Undecided
from hltune.machine.runs import Folders, Ran
from hltune.machine.sensitivity import Variant, every_func_at_root, vectorised
from hltune.machine.task import Task
from hltune.machine.verify import Verification, output_path, usual
from hltune.runtime.worker import Process, Worker
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError, JobFailed, NothingRuns, Refused
from tests.machine.opened import OPTIONS, load

LATE = "took longer than its limit of 20 s"


@pytest.mark.parametrize(
    ("stages", "advice"),
    [
        (("run", "run"), "raise --run-timeout, or schedule for a smaller size"),
        (("compile", "compile"), "raise --compile-timeout, or schedule for a smaller size"),
        (("run", "compile"), "raise --compile-timeout and --run-timeout, or schedule for a smaller size"),
    ],
)
def test_the_limit_that_was_reached_names_its_flag(stages: tuple[str, ...], advice: str) -> None:
    failures = tuple((f"schedule {n}", Failure(stage=s, kind="timeout", message=LATE)) for n, s in enumerate(stages))
    error = _nothing_runs("p", Undecided(failures))
    assert isinstance(error, NothingRuns)
    assert error.todo == advice and LATE in str(error.found)


def test_what_one_thread_said_is_the_reason_for_all() -> None:
    said, crash = (
        Failure(stage="run", kind="error", message="no"),
        Failure(stage="run", kind="crash", message="SIGSEGV"),
    )
    for failures in ((said, crash), (crash, said)):
        error = _nothing_runs("p", Undecided(tuple(("any", each) for each in failures)))
        assert isinstance(error, InputError) and error.found == "no"
    late = Failure(stage="run", kind="timeout", message=LATE)
    assert not isinstance(_nothing_runs("p", Undecided((("any", said), ("other", late)))), InputError)


def test_a_crash_is_no_limit() -> None:
    crashes = tuple((name, Failure(stage="run", kind="crash", message="SIGSEGV")) for name in ("any", "other"))
    error = _nothing_runs("p", Undecided(crashes))
    assert isinstance(error, InputError) and "crashes on these inputs" in str(error)
    late = ("third", Failure(stage="run", kind="timeout", message=LATE))
    assert "within its limits" in str(_nothing_runs("p", Undecided((*crashes, late))))


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("Requirement Failed: (false) 0 the divisor is zero", "give other images or scalars with -i"),
        ("Input buffer im is accessed at 640, which is beyond the max (639) in dimension 0", "check that the"),
    ],
)
def test_the_pipelines_own_words_come_first(message: str, advice: str) -> None:
    error = _nothing_runs("p", Undecided((("any", Failure(stage="run", kind="error", message=message)),)))
    assert isinstance(error, InputError)
    assert error.found == message and str(error.todo).startswith(advice)


@dataclass(frozen=True)
class NoRoom:
    """Runs a job on a computer without room for variants whose inputs move."""

    job: ReferenceJob
    where: str

    def run(self, process: Process) -> tuple[Verification | Undecided, bool, list[str]]:
        before = copy.deepcopy(input_arrays(process, self.job.task.spec, self.job.task.inputs))
        with pytest.MonkeyPatch.context() as patch:
            if self.where == "memory":
                patch.setattr(sensitivity, "_move", self._move)
            else:
                save = Folders.save
                patch.setattr(Folders, "save", lambda its, ran: self._save(save, its, ran, patch))
            found = self.job.run(process)
        after = input_arrays(process, self.job.task.spec, self.job.task.inputs)
        left = sorted(each.name for each in self.job.directory.rglob("*.npy"))
        return found, all(map(np.array_equal, before, after)), left

    def _move(self, array: np.ndarray, *_: object) -> None:
        array.flat[0] += 1
        raise MemoryError("no memory")

    def _save(self, save: Callable[[Folders, Ran], None], its: Folders, ran: Ran, patch: pytest.MonkeyPatch) -> None:
        if ran.variant.moved or self.where == "none":
            patch.setattr(np, "save", self._no_room)  # from now on
        save(its, ran)

    def _no_room(self, *_: object) -> None:
        if self.where == "time":
            os._exit(1)
        raise OSError(errno.ENOSPC, "no room")


@pytest.fixture
def job(tmp_path: Path) -> ReferenceJob:
    host = resolve("host")
    spec = load("scaled", host)
    return ReferenceJob(
        task=Task(spec=spec, schedule=Schedule(), target=host.name, inputs=Inputs()),
        options=OPTIONS,
        directory=tmp_path,
        numpy_reference=None,
        schedules=((INLINED, Schedule()), (AT_ROOT, every_func_at_root(spec))),
        single=False,
        last=True,
        strict=False,
        memory=tmp_path / "memory",
    )


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_small_computer_does_without_what_it_has_no_room_for(job: ReferenceJob, tmp_path: Path, where: str) -> None:
    with Worker(preload=("halide", "numpy", "pytest")) as worker:
        found, unmoved, left = worker.run(NoRoom(job, where))
    assert isinstance(found, Verification) and found.confirmed_by == AT_ROOT and unmoved
    assert left == [output_path(tmp_path, number).name for number in range(len(found.outputs))]
    assert not list((tmp_path / "memory").rglob("*"))  # another run may have room


def test_without_room_for_what_is_expected_people_are_told_where_there_is_none(job: ReferenceJob) -> None:
    with Worker(preload=("halide", "numpy", "pytest")) as worker, pytest.raises(Refused, match="TMPDIR") as caught:
        worker.run(NoRoom(job, "none"))
    assert caught.value.where == str(job.directory.parent)


@pytest.mark.parametrize("chaotic", [False, True])
def test_what_is_chaotic_on_smooth_inputs_is_not_compared_there(chaotic: bool) -> None:
    array = np.arange(12)
    tolerance = replace(usual("o", array), chaotic=chaotic, reason="of everything")
    reason = _doubt(Verification(reference="r", confirmed_by="c", outputs=(tolerance,)), single=False)
    assert reason == ("output o is chaotic on them: of everything" if chaotic else None)


def test_integers_in_doubt_on_smooth_inputs_are_not_compared_there() -> None:
    tolerance = replace(usual("o", np.arange(12)), advice="they overflow")
    reason = _doubt(Verification(reference="r", confirmed_by="c", outputs=(tolerance,)), single=False)
    assert reason == "output o: they overflow"


def test_long_sums_are_computed_in_another_order(job: ReferenceJob) -> None:
    spec = load("mean", resolve("host"))
    schedules = ((AT_ROOT, every_func_at_root(spec)), ("other", vectorised(spec)))
    task = replace(job.task, spec=spec)
    with Worker(preload=("halide", "numpy", "pytest")) as worker:
        done = worker.run(Timed(replace(job, task=task, schedules=schedules, memory=None), 0.5))
    assert "reductions in another order" in dict(done)


def test_what_ends_a_process_that_keeps_an_output_is_known(job: ReferenceJob, tmp_path: Path) -> None:
    with Worker(preload=("halide", "numpy", "pytest")) as worker, pytest.raises(JobFailed):
        worker.run(NoRoom(job, "time"))
    assert (Folders(tmp_path).running() or "").startswith("inputs moved")


@dataclass(frozen=True)
class Timed:
    """Runs a job on a computer where running takes so long, but with the vectorised schedule no time."""

    job: ReferenceJob
    run_s: float

    def run(self, process: Process) -> list[tuple[str, Schedule]]:
        done: list[Variant] = []
        save = Folders.save

        def timed(its: Folders, ran: Ran) -> None:
            done.append(ran.variant)
            run_s = 0.0 if ran.variant.schedule == vectorised(self.job.task.spec) else self.run_s
            save(its, replace(ran, run_s=run_s, compile_s=1.0))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Folders, "save", timed)
            self.job.run(process)
        return [(each.name, each.schedule) for each in done[2:]]


def test_where_running_takes_long_the_fast_variant_comes_first_and_others_run_as_fast(job: ReferenceJob) -> None:
    fast, name = vectorised(job.task.spec), "a vectorised schedule"
    (elsewhere := job.directory / "quick").mkdir()
    with Worker(preload=("halide", "numpy", "pytest")) as worker:
        slow = worker.run(Timed(job, 9.0))
        quick = worker.run(Timed(replace(job, memory=None, directory=elsewhere), 0.5))
    assert slow[0] == (name, fast) and len(slow) > 3 and {schedule for _, schedule in slow} == {fast}
    assert quick[-1] == (name, fast) and sorted(dict(slow)) == sorted(dict(quick))
    assert all(schedule != fast for _, schedule in quick[:-1])


def test_a_bound_that_no_schedule_keeps_is_named() -> None:
    said = "Bounds given for across in x (from 0 to 31) do not cover required region (from -1 to 130)"
    failed = Failure(stage="run", kind="error", message=said)
    error = _nothing_runs("blur", Undecided((("at root", failed), ("inlined", failed))))
    assert "the bound of across in x is part of the algorithm" in str(error) and "estimates" not in str(error)


@pytest.mark.parametrize(
    ("scalars", "advice"),
    [
        ((("radius", 3), ("pitch", 512)), "give -p pitch=512 in place of -i"),
        ((("pit", 512),), "check that the estimates"),
    ],
)
def test_a_scalar_that_is_a_stride_is_no_input(scalars: tuple[tuple[str, int], ...], advice: str) -> None:
    said = "Error: Constraint violated: out.stride.1 (512) == (pitch*2) (1024)"
    failed = Failure(stage="run", kind="error", message=said)
    error = _nothing_runs("blur", Undecided((("at root", failed), ("inlined", failed))), scalars)
    assert advice in str(error.todo)
