"""`hltune run`: which outputs it writes, in which layout it runs, and what a pipeline answers to its inputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from hltune.commands.run import Ran, run
from hltune.machine import run_image
from hltune.machine.inputs import Inputs
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.run_image import RunImageJob, check_format, image_part, write_all
from hltune.machine.task import Compiled, Task, compile_task
from hltune.pipeline.images import read_array
from hltune.runtime.progress import Silent
from hltune.runtime.worker import Process, Worker
from hltune.schedule.parse import parse_schedule
from hltune.values import schedule_codec
from hltune.values.directives import Schedule, Split
from hltune.values.errors import InputError
from hltune.values.pipeline import Number
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions
from tests.machine.opened import load

TESTS = Path(__file__).parents[1]
COUNTED = "machine/pipelines.py:counted"
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 100), dtype=np.uint8)

Apply = Callable[..., Ran]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture
def apply(tmp_path: Path, place: Workspace) -> Apply:
    """Runs a pipeline of the tests with the default schedule."""
    schedule = tmp_path / "default.schedule.json"
    schedule.write_text(json.dumps(schedule_codec.to_json(Schedule())))

    def apply(
        pipeline: str,
        *outputs: tuple[str | None, Path],
        pixels: np.ndarray = PIXELS,
        scalars: tuple[tuple[str, Number], ...] = (),
        target: str = "host",
    ) -> Ran:
        iio.imwrite(tmp_path / "in.png", pixels)
        return run(
            SubjectOptions(pipeline=str(TESTS / pipeline), target=target),
            schedule=str(schedule),
            outputs=outputs,
            output_sizes=(),
            workspace=place,
            measure=MeasureOptions(threads=2),
            inputs=Inputs(images=((None, tmp_path / "in.png"),), scalars=scalars),
            progress=Silent(),
        )

    return apply


def test_a_scalar_is_given_to_the_run_and_not_to_the_pipeline(place: Workspace, tmp_path: Path) -> None:
    """To the pipeline it would be another estimate, for which nobody has found a schedule."""
    with pytest.raises(InputError) as caught:
        run(
            SubjectOptions(pipeline=str(TESTS / COUNTED), target="host", parameters=(("divisor", "3"),)),
            schedule=None,
            outputs=((None, tmp_path / "hist.npy"),),
            output_sizes=(),
            workspace=place,
            measure=MeasureOptions(threads=2),
            inputs=Inputs(images=((None, tmp_path / "in.png"),)),
            progress=Silent(),
        )
    assert caught.value.where == "-p divisor=3" and "give -i divisor=3" in str(caught.value)


def test_an_output_is_written_by_its_name(apply: Apply, tmp_path: Path) -> None:
    file = tmp_path / "hist.npy"
    ran = apply(COUNTED, ("histogram", file), scalars=(("divisor", 3),))
    assert (ran.files, ran.sizes) == ((file,), ("256",))
    np.testing.assert_array_equal(np.load(file), np.bincount(PIXELS.ravel() // 3, minlength=256))
    assert list(tmp_path.glob("*.npy")) == [file]


@pytest.mark.parametrize(
    ("output", "scalars", "expected"),
    [
        ("hist", (), "no output 'hist'\n  expected: one file for each of: darker, histogram"),
        (None, (), "outputs without a file: histogram"),
        ("histogram", (("divisor", 0),), "the divisor is zero"),
        ("histogram", (("divisor", 10),), "scalar divisor is out of its range\n  expected: a value of -9 to 9"),
    ],
)
def test_what_does_not_fit_is_said(
    apply: Apply, tmp_path: Path, output: str | None, scalars: tuple[tuple[str, Number], ...], expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        apply(COUNTED, (output, tmp_path / "out.npy"), scalars=scalars)
    assert expected in str(caught.value)
    assert not (tmp_path / "out.npy").exists()


def test_two_outputs_need_two_files(apply: Apply, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two outputs in one file"):
        apply(COUNTED, (None, tmp_path / "out.npy"), ("histogram", tmp_path / "." / "out.npy"))
    assert not (tmp_path / "out.npy").exists()


def test_interleaved_images_are_run_in_their_layout(apply: Apply, tmp_path: Path) -> None:
    """Halide's code refuses any other; the size is not that of the estimates."""
    pixels = np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    apply("pipelines/layouts.py:pixels", (None, tmp_path / "out.png"), pixels=pixels)
    np.testing.assert_array_equal(iio.imread(tmp_path / "out.png"), 255 - pixels)


@pytest.mark.parametrize("target", ["host", "host-no_asserts"])
def test_what_no_image_has_needs_another_pipeline(apply: Apply, tmp_path: Path, target: str) -> None:
    """No schedule helps, so none is advised; code that does not say so is not run."""
    with pytest.raises(
        InputError, match=r"whatever its schedule(.|\n)*image from -1 to 100 in dimension 0(.|\n)*boundary condition"
    ):
        apply("machine/pipelines.py:before_its_image", (None, tmp_path / "out.npy"), target=target)


@dataclass(frozen=True)
class RefusingJob:
    """Runs a schedule on images where Halide compiles no split that is shifted inwards."""

    job: RunImageJob

    def run(self, process: Process) -> tuple[str, ...]:
        import halide as hl

        def refuse(process: Process, task: Task, *rest: Any) -> Compiled:
            if any(isinstance(each, Split) and each.tail == "ShiftInwards" for each in task.schedule.directives):
                raise hl.HalideError("not like this")
            return compile_task(process, task, *rest)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run_image, "compile_task", refuse)
            return self.job.run(process)


@pytest.fixture(scope="module")
def line_job(tmp_path_factory: pytest.TempPathFactory) -> RunImageJob:
    folder, host = tmp_path_factory.mktemp("line"), resolve("host")
    np.save(folder / "in.npy", np.arange(1000, dtype=np.uint8))
    return RunImageJob(
        spec=load("line", host),
        schedule=Schedule(),
        target=host.name,
        inputs=Inputs(images=((None, folder / "in.npy"),)),
        outputs=(folder / "out.npy",),
        parts=(folder / "part.npy",),
        output_sizes=(),
        options=MeasureOptions(threads=2),
    )


def write_one(path: Path, array: np.ndarray) -> None:
    write_all([path], [array], [image_part(path)])


def scheduled(job: RunImageJob, text: str) -> RunImageJob:
    return replace(job, schedule=parse_schedule(text, job.spec.funcs))


def test_a_repair_that_does_not_compile_is_not_the_last(line_job: RunImageJob) -> None:
    job = scheduled(line_job, "out.split(x, x, xi, 512, TailStrategy::RoundUp);")
    with Worker(preload=("halide", "pytest")) as worker:
        assert worker.run(RefusingJob(job)) == ("970",)
    np.testing.assert_array_equal(np.load(job.outputs[0] or ""), np.arange(970, dtype=np.uint8) ^ 1)


def test_a_schedule_that_does_not_compile_is_said_to_be_one(line_job: RunImageJob) -> None:
    with (
        Worker() as worker,
        pytest.raises(InputError, match=r"the schedule does not compile\n  found: .*only vectorize"),
    ):
        worker.run(scheduled(line_job, "out.vectorize(x);"))


def test_without_a_file_to_write_nothing_is_run(apply: Apply) -> None:
    with pytest.raises(InputError, match=r"outputs without a file: darker, histogram(.|\n)*-o darker=FILE"):
        apply(COUNTED)


@pytest.mark.parametrize("ending", ["png", "tif", "TIFF"])
def test_what_is_true_is_white(tmp_path: Path, ending: str) -> None:
    array = np.random.default_rng(0).integers(0, 2, (5, 17)).astype(bool)
    write_one(tmp_path / f"out.{ending}", array)
    np.testing.assert_array_equal(iio.imread(tmp_path / f"out.{ending}", plugin="pillow") > 0, array)


@pytest.mark.parametrize("name", ["out.npy", "out.NPY"])
def test_an_array_has_the_name_that_was_asked_for(tmp_path: Path, name: str) -> None:
    check_format(tmp_path / name)
    write_one(tmp_path / name, PIXELS)
    assert list(tmp_path.iterdir()) == [tmp_path / name]
    np.testing.assert_array_equal(np.load(tmp_path / name), PIXELS)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(30, 17), (2, 30, 17), (3, 30, 17), (4, 30, 17), (5, 30, 17), (2, 2, 30, 17)])
def test_what_is_written_comes_back_or_is_refused(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(-(2**40), 2**40, shape)
    array = (values > 0) if dtype == "bool" else values.astype(dtype)
    for ending in ("png", "tif", "bmp", "ppm", "pgm"):
        file = tmp_path / f"out.{ending}"
        try:
            write_one(file, array)
        except InputError as error:
            assert "out.npy, which holds all" in str(error) and not file.exists()
            continue
        back = read_array(file, dtype="uint8", where="")
        assert back.shape == array.shape and np.array_equal(back / back.max(), array / array.max())
        assert back.dtype == array.dtype or dtype == "bool" or ending in ("ppm", "pgm")


@pytest.mark.parametrize(
    ("ending", "dtype", "shape"),
    [
        ("png", "uint16", (30, 17)),
        ("tif", "uint16", (30, 17)),
        ("tif", "float32", (30, 17)),
        ("jpg", "uint8", (3, 30, 17)),
        ("webp", "uint8", (4, 30, 17)),
        ("webp", "bool", (30, 17)),
    ],
)
def test_what_a_format_holds_is_written(tmp_path: Path, ending: str, dtype: str, shape: tuple[int, ...]) -> None:
    write_one(tmp_path / f"out.{ending}", np.ones(shape, dtype))
    assert read_array(tmp_path / f"out.{ending}", dtype="uint8", where="").shape[-2:] == shape[-2:]


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("shape", [(), (7,), (5, 30, 17), (1, 30, 17), (2, 2, 30, 17)])
def test_what_is_no_image_is_refused(tmp_path: Path, ending: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=rf"\.{ending} holds .*uint8(.|\n)*npy"):
        write_one(tmp_path / f"out.{ending}", np.zeros(shape, np.uint8))
    assert not list(tmp_path.iterdir())
