from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from hltune.errors import Failure, HltuneError, InputError
from hltune.machine.host import HostSession
from hltune.machine.inputs import Inputs
from hltune.machine.jobs import NumPyReference, output_path
from hltune.machine.lane import Lane
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Cost
from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import Source
from hltune.pipeline.spec import PipelineSpec
from hltune.pipeline.target import TargetInfo, TargetJob
from hltune.schedule.directives import ComputeRoot, Schedule
from hltune.schedule.parse import parse_schedule
from hltune.schedule.roles import Stage
from hltune.worker import Worker

MODULE = "tests.machine.pipelines"
OPTIONS = MeasureOptions(threads=2, rounds=2, turn_s=0.005)
FAST = "blurred.split(y, y, yi, 16).vectorize(x, 16).parallel(y); rows.compute_at(blurred, y).vectorize(x, 16);"


@pytest.fixture(scope="module")
def host() -> TargetInfo:
    with Worker() as worker:
        return worker.run(TargetJob("host"))


def load(entry: str, host: TargetInfo) -> PipelineSpec:
    source = Source(kind="module", location=MODULE, entry=entry)
    with Worker() as worker:
        return worker.run(LoadJob(source=source, target=host.name, cache=Path("unused")))


@pytest.fixture(scope="module")
def blur(host: TargetInfo) -> PipelineSpec:
    return load("blur", host)


def reference(name: str) -> NumPyReference:
    return NumPyReference(module=MODULE, function=name)


@pytest.fixture
def session(blur: PipelineSpec, host: TargetInfo) -> Iterator[HostSession]:
    with HostSession(
        blur, target=host, options=OPTIONS, inputs=Inputs(), numpy_reference=reference("blur_reference")
    ) as session:
        yield session


def fast(spec: PipelineSpec) -> Schedule:
    return parse_schedule(FAST, spec.funcs)


def test_schedules_are_measured_side_by_side(session: HostSession, blur: PipelineSpec) -> None:
    measured, copy = session.measure_with_copy({"default": Schedule(), "fast": fast(blur), "copy": fast(blur)})
    assert list(measured) == ["default", "fast", "copy"]
    assert all(isinstance(c, Cost) and c.unit == "s" and c.value > 0 for c in (copy, *measured.values()))


def test_default_is_checked_against_numpy(blur: PipelineSpec, host: TargetInfo) -> None:
    with (
        HostSession(
            blur, target=host, options=OPTIONS, inputs=Inputs(), numpy_reference=reference("wrong_reference")
        ) as session,
        pytest.raises(HltuneError, match="disagrees with the NumPy reference"),
    ):
        session.measure({"default": Schedule()})


def test_a_wrong_output_is_a_failure_and_no_time(session: HostSession, blur: PipelineSpec) -> None:
    session.ready()
    stored = output_path(session._reference, 0)
    expected = np.load(stored)
    expected[5, 7] ^= 1
    np.save(stored, expected)
    outcome = session.measure({"fast": fast(blur)})["fast"]
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.kind) == ("verify", "wrong output")
    assert "1 of 32768 values differ, the first at (7, 5)" in outcome.message


def test_a_schedule_that_does_not_compile_leaves_the_others_alone(session: HostSession, blur: PipelineSpec) -> None:
    bad = parse_schedule("blurred.vectorize(x);", blur.funcs)
    measured = session.measure({"bad": bad, "fast": fast(blur)})
    assert isinstance(measured["fast"], Cost)
    failure = measured["bad"]
    assert isinstance(failure, Failure)
    assert failure.stage == "compile"
    assert "blurred" in failure.message


def test_a_schedule_of_another_pipeline_leaves_the_others_alone(session: HostSession, blur: PipelineSpec) -> None:
    misfit = Schedule((ComputeRoot(Stage("another")),))
    measured = session.measure({"misfit": misfit, "fast": fast(blur)})
    assert isinstance(measured["fast"], Cost)
    failure = measured["misfit"]
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.kind) == ("compile", "error")
    assert "another" in failure.message


def test_a_schedule_that_halide_refuses_leaves_the_others_alone(host: TargetInfo) -> None:
    spec = load("summed", host)
    refused = parse_schedule("total.update(0).parallel(r_x);", spec.funcs)
    with HostSession(spec, target=host, options=OPTIONS, inputs=Inputs()) as session:
        measured = session.measure({"refused": refused, "default": Schedule()})
    failure = measured["refused"]
    assert isinstance(failure, Failure)
    assert "Halide refuses a directive" in failure.message
    assert isinstance(measured["default"], Cost)


def test_a_slow_pipeline_is_not_called_bad_input(host: TargetInfo) -> None:
    hasty = replace(OPTIONS, run_timeout_s=0.3)
    with (
        HostSession(load("slow", host), target=host, options=hasty, inputs=Inputs()) as session,
        pytest.raises(HltuneError, match="does not finish within its limits") as caught,
    ):
        session.ready()
    assert not isinstance(caught.value, InputError)


def test_a_compile_limit_is_kept(blur: PipelineSpec, host: TargetInfo) -> None:
    hasty = replace(OPTIONS, compile_timeout_s=4.0)
    # Unrolling without end keeps the compiler busy for minutes.
    endless = parse_schedule("blurred.unroll(x, 256).unroll(y, 128);", blur.funcs)
    with HostSession(blur, target=host, options=hasty, inputs=Inputs()) as session:
        measured = session.measure({"endless": endless, "fast": fast(blur)})
    failure = measured["endless"]
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.kind) == ("compile", "timeout")
    assert isinstance(measured["fast"], Cost)


def test_hopeless_schedules_leave_early(blur: PipelineSpec, host: TargetInfo) -> None:
    options = replace(OPTIONS, rounds=6, turn_s=1e-6, hopeless_ratio=1.5)
    with HostSession(blur, target=host, options=options, inputs=Inputs()) as session:
        measured = session.measure({"default": Schedule(), "fast": fast(blur)})
    slow, quick = measured["default"], measured["fast"]
    assert isinstance(slow, Cost) and isinstance(quick, Cost)
    assert slow.stopped_early and not quick.stopped_early
    assert slow.value > quick.value


def test_scalars_tuples_and_minima(host: TargetInfo) -> None:
    with HostSession(load("scaled", host), target=host, options=OPTIONS, inputs=Inputs()) as session:
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)
        image, number = (np.load(output_path(session._reference, k)) for k in range(2))
    assert image.max() > 2.5
    assert list(number) == list(range(10, 60))


def test_wrong_estimates_are_reported(host: TargetInfo) -> None:
    with (
        HostSession(load("out_of_bounds", host), target=host, options=OPTIONS, inputs=Inputs()) as session,
        pytest.raises(InputError, match="whatever its schedule") as caught,
    ):
        session.ready()
    assert "beyond the max" in str(caught.value)


def test_images_are_cropped_or_too_small(blur: PipelineSpec, host: TargetInfo, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300), dtype=np.uint8)
    for name, image in (("large", pixels), ("small", pixels[:127])):
        iio.imwrite(tmp_path / f"{name}.png", image)
    large = Inputs(images=((None, tmp_path / "large.png"),))
    with HostSession(blur, target=host, options=OPTIONS, inputs=large) as session:
        session.ready()
        found = np.load(output_path(session._reference, 0))
    from tests.machine.pipelines import blur_reference

    assert np.array_equal(found, blur_reference({"image": pixels[:128, :256]})[0])
    small = Inputs(images=((None, tmp_path / "small.png"),))
    with (
        HostSession(blur, target=host, options=OPTIONS, inputs=small) as session,
        pytest.raises(InputError, match="too small for input image") as caught,
    ):
        session.ready()
    assert caught.value.found == "300x127"


@pytest.fixture
def lanes() -> Iterator[list[Lane]]:
    lanes = [Lane(OPTIONS), Lane(OPTIONS)]
    yield lanes
    for lane in lanes:
        lane.worker.close()


def strips(spec: PipelineSpec, count: int) -> list[tuple[str, Schedule]]:
    """Different schedules that all work."""
    return [
        (str(rows), parse_schedule(f"blurred.split(y, y, yi, {rows}).vectorize(x, 16).parallel(y);", spec.funcs))
        for rows in range(2, 2 + count)
    ]


def test_many_schedules_on_several_lanes(blur: PipelineSpec, host: TargetInfo, lanes: list[Lane]) -> None:
    bad = parse_schedule("blurred.vectorize(x);", blur.funcs)
    schedules = [*strips(blur, 5), ("bad", bad), ("default", Schedule())]
    with HostSession(
        blur, target=host, options=OPTIONS, inputs=Inputs(), lanes=lanes, numpy_reference=reference("blur_reference")
    ) as session:
        measured = dict(session.measure_each(iter(schedules), best=None))
        assert measured.keys() == dict(schedules).keys()
        failure = measured.pop("bad")
        assert isinstance(failure, Failure) and failure.stage == "compile"
        assert all(isinstance(cost, Cost) and len(cost.turns) == 1 for cost in measured.values())
        # Far slower than the best: measured once, or not to the end.
        (_, hopeless), *_ = session.measure_each([("default", Schedule())], best=1e-9)
        assert isinstance(hopeless, Cost) and hopeless.stopped_early and len(hopeless.repeats) == 1
    assert all(lane.worker.run(TargetJob("host")) for lane in lanes)  # they outlive the session


def test_schedules_are_asked_for_when_there_is_time_for_them(
    blur: PipelineSpec, host: TargetInfo, lanes: list[Lane]
) -> None:
    asked: list[str] = []

    def ask() -> Iterator[tuple[str, Schedule]]:
        for key, schedule in strips(blur, 20):
            asked.append(key)
            yield key, schedule

    with HostSession(blur, target=host, options=OPTIONS, inputs=Inputs(), lanes=lanes) as session:
        measurements = session.measure_each(ask(), best=None)
        done = [next(measurements)[0] for _ in range(3)]
        assert len(asked) <= len(done) + len(lanes)
        measurements.close()  # in the middle of compiling
        assert len(dict(session.measure_each(strips(blur, 2), best=None))) == 2


def test_a_schedule_far_behind_the_best_fails(host: TargetInfo, lanes: list[Lane]) -> None:
    options = replace(OPTIONS, least_run_timeout_s=0.2)
    with HostSession(load("summed", host), target=host, options=options, inputs=Inputs(), lanes=lanes) as session:
        session.ready()
    spec = load("slow", host)
    with HostSession(spec, target=host, options=options, inputs=Inputs(), lanes=lanes) as session:
        session._pending = None  # the reference of this one takes as long as everything else about it
        lanes[0].worker.recycle()
        ((_, outcome),) = session.measure_each([("default", Schedule())], best=1e-6)
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.kind) == ("run", "timeout")
