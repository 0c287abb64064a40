"""Features of many schedules: what dies loses nothing but itself, and limits are kept."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hltune.lowered import job
from hltune.lowered.job import FeaturesJob, Lowered, Lowering
from hltune.lowered.many import features_of_each
from hltune.runtime.worker import Process, Worker
from hltune.schedule.parse import parse_schedule
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.program_features import ProgramFeatures
from hltune.workspace.subject import Subject
from tests.tuning.conftest import load

DEADLY = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlyJob(FeaturesJob):
    """Dies of one schedule, as Halide may."""

    def run(self, process: Process) -> tuple[ProgramFeatures | Failure, ...]:
        process.enter("lower", timeout_s=60)
        if any(getattr(each, "factor", 0) == DEADLY for schedule in self.schedules for each in schedule.directives):
            os.kill(os.getpid(), signal.SIGSEGV)
        return super(DeadlyJob, self).run(process)


@pytest.fixture(scope="module")
def blur() -> Subject:
    return load("blur")


@pytest.fixture(scope="module")
def workers() -> Iterator[list[Worker]]:
    with Worker(preload=("halide",)) as one, Worker(preload=("halide",)) as other:
        yield [one, other]


def split(blur: Subject, factor: int) -> Schedule:
    return parse_schedule(f"blurred.split(y, y, yi, {factor});", blur.spec.funcs)


def test_what_dies_takes_no_other_with_it(
    blur: Subject, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hltune.lowered.many.FeaturesJob", DeadlyJob)
    lowering = Lowering(spec=blur.spec, target=blur.target, cores=2)
    schedules = {str(factor): split(blur, factor) for factor in range(2, 40)}
    found = dict(features_of_each(lowering, schedules, workers))
    assert found.keys() == schedules.keys()
    failed = {key: each for key, each in found.items() if isinstance(each, Failure)}
    assert list(failed) == [str(DEADLY)] and failed[str(DEADLY)].stage == "read"


def test_nothing_begins_after_the_end(blur: Subject, workers: list[Worker]) -> None:
    lowering = Lowering(spec=blur.spec, target=blur.target, cores=2)
    assert not dict(features_of_each(lowering, {"8": split(blur, 8)}, workers, end_s=0.0))


def test_what_dies_alone_is_known_even_where_there_is_no_time_for_more(
    blur: Subject, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hltune.lowered.many.FeaturesJob", DeadlyJob)
    lowering = Lowering(spec=blur.spec, target=blur.target, cores=2)
    found = features_of_each(lowering, {"7": split(blur, DEADLY)}, workers, end_s=time.monotonic() + 0.05)
    ((key, outcome),) = found
    assert key == "7" and isinstance(outcome, Failure) and outcome.kind == "crash"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepJob(FeaturesJob):
    """Reads a text of a depth that nobody has thought of."""

    def run(self, process: Process) -> tuple[ProgramFeatures | Failure, ...]:
        deep = "(" * 20_000 + "x" + ")" * 20_000
        job.lower = lambda *_: Lowered(f"let t = {deep}\n", {})  # the process is thrown away
        return super(DeepJob, self).run(process)


def test_a_program_that_cannot_be_read_has_no_features(blur: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hltune.lowered.many.FeaturesJob", DeepJob)
    lowering = Lowering(spec=blur.spec, target=blur.target, cores=2)
    with Worker(preload=("halide",)) as worker:
        ((_, outcome),) = features_of_each(lowering, {"8": split(blur, 8)}, [worker])
    assert isinstance(outcome, Failure) and outcome.stage == "read" and "RecursionError" in outcome.message


def test_unrolling_that_halide_cannot_do_is_left_out_as_where_it_is_measured(
    blur: Subject, workers: list[Worker]
) -> None:
    lowering = Lowering(spec=blur.spec, target=blur.target, cores=2)
    schedules = {
        text: parse_schedule(text, blur.spec.funcs) for text in ("blurred.unroll(y);", "blurred.vectorize(y);")
    }
    unrolled, vectorized = dict(sorted(features_of_each(lowering, schedules, workers))).values()
    assert isinstance(unrolled, ProgramFeatures)
    assert isinstance(vectorized, Failure) and "constant extent" in vectorized.message
