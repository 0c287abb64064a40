"""What every machine has to do alike: the same tests on this machine and on the emulated DSP."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from hltune.machine.inputs import Inputs, random_array
from hltune.machine.open import identify, resolve
from hltune.machine.protocol import Session
from hltune.machine.verify import output_path
from hltune.pipeline.target import HOST, TargetInfo
from hltune.schedule.parse import parse_schedule
from hltune.values.cost import Cost
from hltune.values.directives import ComputeRoot, Schedule, Split, Stage
from hltune.values.errors import Failure, HltuneError, InputError
from hltune.values.pipeline import Constraint, PipelineSpec
from tests.machine.opened import (
    OPTIONS,
    Opened,
    compiled_modules,
    fast,
    load,
    needs_hexagon,
    reference,
    sharing,
    strips,
)


@pytest.fixture(scope="module", params=["host", pytest.param("hexagon", marks=needs_hexagon)])
def target(request: pytest.FixtureRequest) -> TargetInfo:
    return resolve(request.param)


@pytest.fixture(scope="module")
def blur(target: TargetInfo) -> PipelineSpec:
    return load("blur", target)


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    """Machines stay open from test to test."""
    with compiled_modules(), sharing() as opened:
        yield opened


@pytest.fixture
def expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """Files with the expected outputs of the one session that the test opens."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def file(number: int) -> Path:
        (directory,) = {found.parent for found in tmp_path.glob("*/output*.npy")}
        return output_path(directory, number)

    return file


@pytest.fixture
def session(opened: Opened, blur: PipelineSpec, target: TargetInfo) -> Iterator[Session]:
    with opened(blur, target, numpy_reference=reference("blur_reference")) as session:
        yield session


def test_schedules_are_measured_side_by_side(session: Session, blur: PipelineSpec, target: TargetInfo) -> None:
    measured, copy = session.measure_with_bound({"default": Schedule(), "fast": fast(blur), "copy": fast(blur)})
    assert list(measured) == ["default", "fast", "copy"]
    for cost in (copy, *measured.values()):
        assert isinstance(cost, Cost)
        assert cost.unit == identify(target, OPTIONS).unit and cost.value > 0


def test_default_is_checked_against_numpy(opened: Opened, blur: PipelineSpec, target: TargetInfo) -> None:
    with (
        opened(blur, target, numpy_reference=reference("wrong_reference")) as session,
        pytest.raises(HltuneError, match="disagrees with the NumPy reference"),
    ):
        session.measure({"default": Schedule()})


def test_a_wrong_output_is_a_failure_and_no_time(
    opened: Opened, blur: PipelineSpec, target: TargetInfo, expected: Callable[[int], Path]
) -> None:
    with opened(blur, target) as session:
        session.ready()
        image = np.load(expected(0))
        image[5, 7] ^= 1
        np.save(expected(0), image)
        outcome = session.measure({"fast": fast(blur)})["fast"]
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.kind) == ("verify", "wrong output")
    assert "1 of 32768 values differ, the first at (7, 5)" in outcome.message


def test_limits_that_the_user_gave_hide_no_wrong_values(
    opened: Opened, target: TargetInfo, expected: Callable[[int], Path]
) -> None:
    """Neither small ones beside a large one, nor truths, between which nothing lies."""
    options = replace(OPTIONS, tolerance=1e-4, integer_tolerance=1)
    with opened(load("uneven", target), target, options=options) as session:
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)
        values, above = (np.load(expected(number)) for number in range(2))
        for number, wrong in enumerate((np.where(values < 1e6, np.float32(0), values), ~above)):
            np.save(expected(number), wrong)
            outcome = session.measure({"default": Schedule()})["default"]
            assert isinstance(outcome, Failure) and outcome.kind == "wrong output"
            np.save(expected(number), (values, above)[number])


def test_a_schedule_that_does_not_compile_leaves_the_others_alone(session: Session, blur: PipelineSpec) -> None:
    bad = parse_schedule("blurred.vectorize(x);", blur.funcs)
    measured = session.measure({"bad": bad, "fast": fast(blur)})
    assert isinstance(measured["fast"], Cost)
    failure = measured["bad"]
    assert isinstance(failure, Failure)
    assert failure.stage == "compile"
    assert "blurred" in failure.message


def test_a_schedule_of_another_pipeline_leaves_the_others_alone(session: Session, blur: PipelineSpec) -> None:
    misfit = Schedule((ComputeRoot(Stage("another")),))
    measured = session.measure({"misfit": misfit, "fast": fast(blur)})
    assert isinstance(measured["fast"], Cost)
    failure = measured["misfit"]
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.kind) == ("compile", "error")
    assert "another" in failure.message


def test_a_schedule_that_halide_refuses_leaves_the_others_alone(opened: Opened, target: TargetInfo) -> None:
    spec = load("summed", target)
    refused = parse_schedule("total.update(0).parallel(r_x);", spec.funcs)
    with opened(spec, target) as session:
        measured = session.measure({"refused": refused, "default": Schedule()})
    failure = measured["refused"]
    assert isinstance(failure, Failure)
    assert "Halide refuses a directive" in failure.message
    assert isinstance(measured["default"], Cost)


def test_a_compile_limit_is_kept(opened: Opened, blur: PipelineSpec, target: TargetInfo) -> None:
    hasty = replace(OPTIONS, compile_timeout_s=5.0)
    # Unrolling without end keeps the compiler busy for minutes.
    endless = parse_schedule("blurred.unroll(x, 256).unroll(y, 128);", blur.funcs)
    with opened(blur, target, options=hasty) as session:
        measured = session.measure({"endless": endless, "fast": fast(blur)})
    failure = measured["endless"]
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.kind) == ("compile", "timeout")
    assert isinstance(measured["fast"], Cost)


def test_scalars_tuples_and_minima(opened: Opened, target: TargetInfo, expected: Callable[[int], Path]) -> None:
    with opened(load("scaled", target), target) as session:
        assert [each.output for each in session.verification.outputs] == ["pair_0", "pair_1"]
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)
        image, number = (np.load(expected(k)) for k in range(2))
    assert image.max() > 2.5
    assert list(number) == list(range(10, 60))


def test_inputs_grow_to_what_is_read(opened: Opened, target: TargetInfo, expected: Callable[[int], Path]) -> None:
    spec = load("out_of_bounds", target)
    with opened(spec, target) as session:
        assert "image from 50 to 51" in " ".join(session.verification.notes)
        cost = session.measure({"default": Schedule()})["default"]
        assert isinstance(cost, Cost)
        image = random_array(replace(next(spec.buffers()), estimate=((0, 51),)), seed=0)
        assert np.array_equal(np.load(expected(0)), image[1:])


def test_an_image_cannot_grow(opened: Opened, target: TargetInfo, tmp_path: Path) -> None:
    """It is as large as its estimate says; what is advised lets it be used."""
    spec = load("reaching", target)
    np.save(tmp_path / "image.npy", np.ones((16, 32), np.uint8))
    inputs = Inputs(images=((None, tmp_path / "image.npy"),))
    with pytest.raises(InputError) as caught, opened(spec, target, inputs=inputs) as session:
        session.ready()
    assert "image from 32x16 to 36x20" in str(caught.value.found) and "--example" not in str(caught.value)
    assert str(caught.value.todo).endswith("--estimate image=28x12 --estimate shifted=28x12")
    less = ((0, 28), (0, 12))
    (image,), (output,) = spec.buffers(), spec.outputs
    smaller = replace(spec, inputs=(replace(image, estimate=less),), outputs=(replace(output, estimate=less),))
    with opened(smaller, target, inputs=inputs) as session:
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)


def test_inputs_do_not_grow_without_end(opened: Opened, target: TargetInfo) -> None:
    found = load("always_beyond", target)
    with (
        pytest.raises(InputError, match="cannot run on these inputs, whatever") as caught,
        opened(found, target) as opens,
    ):
        opens.ready()
    assert "estimates of inputs and outputs" in str(caught.value)


def test_the_layout_of_the_users_code(opened: Opened, target: TargetInfo) -> None:
    spec = load("luma", target)
    colours = replace(next(spec.buffers()), constraints=tuple(map(_stride, (3, None, 1))))
    grey = replace(spec.outputs[0], constraints=tuple(map(_stride, (1, 256))))
    own = replace(spec, inputs=(colours,), outputs=(grey,))
    fast = parse_schedule("grey.vectorize(x, 16).parallel(y);", spec.funcs)
    with opened(own, target, numpy_reference=reference("luma_reference")) as session:
        measured = session.measure({"fast": fast})
    assert isinstance(measured["fast"], Cost)
    planar = replace(own, inputs=tuple(spec.inputs))
    assert planar.content_hash != own.content_hash


def test_the_alignment_of_an_output(opened: Opened, target: TargetInfo) -> None:
    with opened(load("aligned", target), target) as session:
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)


def test_who_leaves_the_input_is_repaired(opened: Opened, target: TargetInfo) -> None:
    spec = load("two_steps", target)
    text = "sums.compute_root().split(x, x, xi, 32, {tail}).vectorize(xi);"
    rounded, shifted = (parse_schedule(text.format(tail=f"TailStrategy::{t}"), spec.funcs) for t in _TAILS)
    too_long = parse_schedule(text.replace("32", "128").format(tail="TailStrategy::ShiftInwards"), spec.funcs)
    with opened(spec, target, numpy_reference=reference("two_steps_reference")) as session:
        measured = session.measure({"rounded": rounded, "shifted": shifted, "long": too_long})
        each = dict(session.measure_each([("rounded", rounded)], best=None))
    for cost in (*measured.values(), *each.values()):
        assert isinstance(cost, Cost)
    repairs = {name: cost.repair for name, cost in measured.items() if isinstance(cost, Cost)}
    assert repairs["rounded"] == shifted and repairs["shifted"] is None
    assert repairs["long"] == replace(
        too_long,
        directives=tuple(replace(d, tail="GuardWithIf") if isinstance(d, Split) else d for d in too_long.directives),
    )


def test_who_leaves_one_of_several_outputs_is_repaired(opened: Opened, target: TargetInfo) -> None:
    spec = load("counted", target)
    text = "darker.split(x, x, xi, 32, TailStrategy::{}).vectorize(xi);"
    rounded, shifted = (parse_schedule(text.format(tail), spec.funcs) for tail in _TAILS)
    with opened(spec, target, numpy_reference=reference("counted_reference")) as session:
        measured = session.measure({"rounded": rounded})["rounded"]
    assert isinstance(measured, Cost) and measured.repair == shifted


_TAILS = ("RoundUp", "ShiftInwards")


def _stride(stride: int | None) -> Constraint:
    return Constraint(stride=stride)


def test_images_are_cropped_or_too_small(
    opened: Opened, blur: PipelineSpec, target: TargetInfo, tmp_path: Path, expected: Callable[[int], Path]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300), dtype=np.uint8)
    for name, image in (("large", pixels), ("small", pixels[:127])):
        iio.imwrite(tmp_path / f"{name}.png", image)
    large = Inputs(images=((None, tmp_path / "large.png"),))
    with opened(blur, target, inputs=large) as session:
        session.ready()
        found = np.load(expected(0))
    from tests.machine.pipelines import blur_reference

    assert np.array_equal(found, blur_reference({"image": pixels[:128, :256]})[0])
    small = Inputs(images=((None, tmp_path / "small.png"),))
    with (
        opened(blur, target, inputs=small) as session,
        pytest.raises(InputError, match="too small for input image") as caught,
    ):
        session.ready()
    assert caught.value.found == "300x127"
    changed = Inputs(images=((None, tmp_path / "large.png"),), digests=((tmp_path / "large.png", "00000000"),))
    with opened(blur, target, inputs=changed) as session, pytest.raises(InputError, match="has changed since"):
        session.measure({"default": Schedule()})


def test_schedules_are_asked_for_when_there_is_time_for_them(
    opened: Opened, blur: PipelineSpec, target: TargetInfo
) -> None:
    asked: list[str] = []

    def ask() -> Iterator[tuple[str, Schedule]]:
        for key, schedule in strips(blur, 20):
            asked.append(key)
            yield key, schedule

    with opened(blur, target, workers=2) as session:
        measurements = session.measure_each(ask(), best=None)
        done = [next(measurements)[0] for _ in range(3)]
        # Each of the two processes has so many under way at most.
        assert len(asked) <= len(done) + 2 * (OPTIONS.short_turns if target.machine == HOST else 1)
        measurements.close()  # in the middle of compiling
        assert len(dict(session.measure_each(strips(blur, 2), best=None))) == 2


ALONE = [pytest.param("host", marks=pytest.mark.alone), pytest.param("hexagon", marks=needs_hexagon)]
"""Which schedule is how much slower than others is a matter of time on this computer."""


@pytest.mark.parametrize("target", ALONE, indirect=True, scope="module")
def test_many_schedules_side_by_side(opened: Opened, blur: PipelineSpec, target: TargetInfo) -> None:
    bad = parse_schedule("blurred.vectorize(x);", blur.funcs)
    schedules = [*strips(blur, 5), ("bad", bad), ("default", Schedule())]
    with opened(blur, target, workers=2, numpy_reference=reference("blur_reference")) as session:
        measured = dict(session.measure_each(iter(schedules), best=None))
    assert measured.keys() == dict(schedules).keys()
    failure = measured.pop("bad")
    assert isinstance(failure, Failure) and failure.stage == "compile"
    assert all(isinstance(cost, Cost) for cost in measured.values())
    # What is much slower than the others has a single turn.
    turns = max(len(cost.turns) for cost in measured.values() if isinstance(cost, Cost))
    assert turns == (OPTIONS.short_turns if target.machine == HOST else 1)
