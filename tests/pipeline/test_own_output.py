"""The spec computes what the user's process computes: tables, demands, and the check that looks at both."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hltune.pipeline.cpp_check import check_same, once
from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import parse_source
from hltune.runtime.worker import Process, Worker
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, PipelineSpec, ScalarArgument
from tests.loading import fresh
from tests.pipeline.conftest import PIPELINES, Load
from tests.pipelines import embedded

GAMMA = ((np.arange(2000) * 7 % 1999).astype(np.uint16)[500:756]).tobytes()


@dataclass(frozen=True)
class Run:
    """Runs a spec on inputs in their order; returns the bytes of its outputs, or what it complains of."""

    spec: PipelineSpec
    inputs: tuple[np.ndarray | float, ...] = ()

    def run(self, process: Process) -> tuple[bytes, ...] | str:
        import halide as hl

        from hltune.pipeline.build import buffer_of, build

        process.enter("run", timeout_s=60)
        built, outputs = build(self.spec), self.spec.outputs
        function = built.pipeline.compile_to_callable(built.arguments, hl.Target("host"))
        arrays = [np.zeros([extent for _, extent in reversed(each.estimate)], each.dtypes[0]) for each in outputs]
        regions = [[minimum for minimum, _ in each.estimate] for each in outputs]
        inputs = [hl.Buffer(value) if isinstance(value, np.ndarray) else value for value in self.inputs]
        try:
            function(*inputs, *map(buffer_of, arrays, regions))
        except hl.HalideError as error:
            return str(error)
        return tuple(array.tobytes() for array in arrays)


@dataclass(frozen=True)
class Compare:
    """Compares the function ``gamma`` with a spec."""

    spec: PipelineSpec

    def run(self, process: Process) -> str | None:
        import halide as hl

        from hltune.pipeline.own_output import Own, check_own_output
        from hltune.pipeline.user_code import kept_buffers

        process.enter("compare", timeout_s=60)
        with kept_buffers():
            pipeline = hl.Pipeline(embedded.gamma())
            inputs = list(hl.serialize_pipeline(pipeline, get_params=True)[1].values())
            return check_own_output(Own(pipeline, inputs), self.spec, scheduled=False, where="gamma")


@dataclass(frozen=True)
class CompareWithoutMemory(Compare):
    """The same where there is no memory for the images."""

    def run(self, process: Process) -> str | None:
        from hltune.pipeline import own_output

        def fail(*_: object) -> None:
            raise MemoryError("Unable to allocate 1.00 GiB")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(own_output, "_random_image", fail)
            return super().run(process)


@dataclass(frozen=True)
class Draw:
    """Makes a random image of 1000 x 1000 elements; returns the bytes that this takes at most, per element."""

    dtype: str

    def run(self, process: Process) -> float:
        from hltune.pipeline.own_output import _random_image

        process.enter("draw", timeout_s=60)
        argument = BufferArgument(name="image", dtype=self.dtype, estimate=((0, 1000), (0, 1000)))
        tracemalloc.start()
        _random_image(argument, 0, 1)
        return tracemalloc.get_traced_memory()[1] / 1e6


def run(job: Run | Compare) -> tuple[bytes, ...] | str | None:
    return fresh(job)


def test_tables_of_every_layout_keep_their_contents(load: Load) -> None:
    spec = load("embedded.py:tables")
    assert spec.notes == ()
    found = run(Run(spec))
    assert isinstance(found, tuple), found
    contents = dict(zip(embedded.LAYOUTS, found, strict=True))
    assert contents == {layout: (table * 2).tobytes() for layout, table in embedded.LAYOUTS.items()}


@pytest.mark.long
@pytest.mark.parametrize("layout", embedded.LAYOUTS)
def test_a_table_alone_keeps_its_contents(load: Load, layout: str) -> None:
    spec = load("embedded.py:table", p=(f"layout={layout}",))
    assert spec.notes == ()
    assert run(Run(spec)) == ((embedded.LAYOUTS[layout] * 2).tobytes(),)


def test_a_table_that_runs_backwards_is_refused(load: Load) -> None:
    with pytest.raises(InputError, match="runs backwards in memory"):
        load("embedded.py:mirrored")


@pytest.mark.parametrize("name", ["gamma", "gammas"])
def test_tables_live_as_long_as_they_are_needed(load: Load, name: str) -> None:
    first, second = load(f"embedded.py:{name}"), load(f"embedded.py:{name}")
    assert first.content_hash == second.content_hash
    assert first.notes == ()
    assert run(Run(first, (np.arange(256, dtype=np.uint8),))) == (GAMMA,)


def test_another_table_is_found_out(load: Load) -> None:
    spec = load("embedded.py:gamma")
    entry = (1200 * 7 % 1999).to_bytes(2, "little") + (1201 * 7 % 1999).to_bytes(2, "little")
    everywhere = (np.arange(2000) * 7 % 1999).astype(np.uint16).tobytes()
    assert everywhere in spec.hlpipe and entry in everywhere
    assert run(Compare(spec)) is None
    wrong = replace(spec, hlpipe=spec.hlpipe.replace(everywhere, everywhere[::-1]))
    with pytest.raises(InputError, match="computes something else after it was serialized"):
        run(Compare(wrong))


def test_what_there_is_no_memory_for_is_not_checked(load: Load) -> None:
    note = run(CompareWithoutMemory(load("embedded.py:gamma")))
    assert isinstance(note, str) and note.startswith("not checked against the pipeline in the process of its file: ")
    assert "not enough memory" in note and note.endswith("1.00 GiB")


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint64", "float16", "float32", "float64"])
def test_random_images_take_little_more_memory_than_they_have(dtype: str) -> None:
    assert fresh(Draw(dtype)) < np.dtype(dtype).itemsize + 2


UNWRITTEN = """
import halide as hl


def unwritten(written: int = 64):
    x, y = hl.Var("x"), hl.Var("y")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    part, out = hl.Func("part"), hl.Func("out")
    r = hl.RDom([hl.Range(0, written), hl.Range(0, 64)], "r")
    part[x, y] = hl.undef(hl.UInt(16))
    part[r.x, r.y] = hl.u16(image[r.x, r.y])
    out[x, y] = part[x, y] + hl.u16(1)
    image.set_estimates([(0, 64), (0, 64)])
    out.set_estimates([(0, 64), (0, 64)])
    return out
"""


def test_reading_what_nobody_wrote_is_called_so(load: Load, tmp_path: Path) -> None:
    (tmp_path / "unwritten.py").write_text(UNWRITTEN)
    with pytest.raises(InputError, match="reads values that nobody wrote") as caught:
        load(tmp_path / "unwritten.py", p=("written=32",))
    assert "in place of hl.undef" in str(caught.value.todo)
    assert load(tmp_path / "unwritten.py").notes == ()


def test_what_does_not_run_is_said(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "outside.py"
    text = (PIPELINES / "embedded.py").read_text()
    file.write_text(text.replace("hl.i32(image[x]) + 500", "hl.i32(image[x]) + 1990"))
    (note,) = load(f"{file}:gamma").notes
    said = "on random images it fails both in that process and as it was serialized: "
    assert note.startswith(f"not checked against the pipeline in the process of its file: {said}")


def test_updates_outside_of_a_part_are_checked_with_the_whole(load: Load) -> None:
    assert load(f"{PIPELINES / 'embedded.py'}:diagonal").notes == ()


@pytest.mark.parametrize(
    ("name", "p"), [("dense", ()), ("dense", ("padding=32",)), ("pitched", ("pitch=64",)), ("pitched", ("pitch=192",))]
)
def test_rows_that_the_file_wants_to_be_dense_are_checked(load: Load, name: str, p: tuple[str, ...]) -> None:
    assert load(f"embedded.py:{name}", p=p).notes == ()


def test_a_generator_whose_rows_are_dense_is_checked(load: Load, tmp_path: Path) -> None:
    spec = load("embedded.py:dense")
    said = {"error": "Constraint violated: f.stride.1 (128) == f.extent.0 (64)", "running": "own"}

    def run(sizes: Path, _: str) -> dict[str, Any]:
        lines = [line.split() for line in sizes.read_text().splitlines()]
        return {"different": []} if ["output", "2", "0", "64", "1", "0", "64", "64"] in lines else said

    assert check_same(run, spec, where="here", rooted=True, directory=tmp_path) is None


@pytest.mark.parametrize("file", ["atomic_sums.py", "atomic_sums.cpp"])
def test_sums_in_an_order_of_their_own_are_no_difference(load: Load, file: str) -> None:
    """The author's schedule adds floats on all threads; on one thread, which adds them in order, nothing differs."""
    spec = load(file)
    assert spec.notes == ()
    assert spec.manual is not None


@dataclass(frozen=True)
class Beside:
    """Two processes that do one thing; what came of them, or why that is not known."""

    busy: bool
    patience_s: float = 60.0

    def run(self, process: Process) -> list[Any] | str:
        from hltune.pipeline.own_output import outcomes_of

        def work() -> list[bytes]:
            while self.busy:
                pass
            time.sleep(1.5)
            return []

        process.enter("run", timeout_s=120)
        return outcomes_of([lambda: work] * 2, cpu_s=1, patience_s=self.patience_s)


def test_the_processors_time_is_limited_and_not_that_of_a_busy_computer() -> None:
    with Worker() as worker:
        assert worker.run(Beside(busy=True)) == "running both takes more than 1 s of processor time"
        assert worker.run(Beside(busy=False)) == [[], []]
        assert "takes more than 0.1 s, for the machine is busy" in worker.run(Beside(busy=False, patience_s=0.1))


def test_what_would_be_said_again_is_remembered(tmp_path: Path) -> None:
    notes = iter(["by chance", "for ever"])

    def said(name: str) -> str | None:
        return once(tmp_path / name, lambda: next(notes), is_lasting=lambda note: note == "for ever")

    assert [said("one"), said("one"), said("one")] == ["by chance", "for ever", "for ever"]
    assert once(tmp_path / "two", lambda: None) is once(tmp_path / "two", lambda: "late") is None


def test_what_was_checked_is_not_checked_again(tmp_path: Path) -> None:
    source = parse_source(str(PIPELINES / "embedded.py:gamma"))
    job = LoadJob(source=source, target="host", cache=tmp_path)
    fresh(job)
    (mark,) = tmp_path.iterdir()
    assert mark.name.startswith("same-")


@pytest.mark.parametrize(
    ("width", "divisor", "complaint"),
    [(64, 2.0, None), (64, 0.0, "Requirement Failed"), (12, 2.0, "image is too narrow: 12")],
)
def test_requirements_survive(load: Load, width: int, divisor: float, complaint: str | None) -> None:
    spec = load("promises.py:demanding", p=("divisor=2", "large=18446744073709551615"))
    spec = replace(spec, outputs=tuple(replace(output, estimate=((0, width),)) for output in spec.outputs))
    image = np.arange(width, dtype=np.float32) * 6
    found = run(Run(spec, (image, divisor, 2**64 - 1)))
    if complaint is None:
        assert found == ((~np.arange(0, 3 * width, 3, dtype=np.uint64)).tobytes(),)
    else:
        assert isinstance(found, str) and complaint in found


WIDE = """
import halide as hl


def wide():
    x = hl.Var("x")
    row = hl.ImageParam(hl.Int(64), 1, "row")
    factor, mask = hl.Param(hl.Int(64), "factor"), hl.Param(hl.UInt(64), "mask")
    f = hl.Func("f")
    f[x] = hl.u64(row[x] * factor) ^ mask
    row.set_estimates([(0, 64)])
    f.set_estimates([(0, 64)])
    return f
"""


def test_scalars_of_64_bits_keep_their_values(load: Load, tmp_path: Path) -> None:
    (tmp_path / "wide.py").write_text(WIDE)
    row, factor, mask = np.arange(-32, 32), -5_000_000_000, 2**64 - 3
    spec = load(tmp_path / "wide.py", p=(f"factor={factor}", f"mask={mask}"))
    assert spec.notes == ()
    scalars = {i.name: i.estimate for i in spec.inputs if isinstance(i, ScalarArgument)}
    assert scalars == {"factor": factor, "mask": mask}
    values = {"row": row, **scalars}
    found = run(Run(spec, tuple(values[each.name] for each in spec.inputs)))
    assert found == (((row * factor).astype(np.uint64) ^ np.uint64(mask)).tobytes(),)


@pytest.mark.parametrize(
    ("entry", "begins"),
    [("traced", "f is traced"), ("dumped", "f is written to a file"), ("printed", "values are printed")],
)
def test_what_was_left_in_from_debugging_is_warned_of(load: Load, entry: str, begins: str) -> None:
    (note,) = load(f"promises.py:{entry}").notes
    assert note.startswith(begins) and note.endswith("leave it out")


@pytest.mark.parametrize(
    ("entry", "options", "expected"),
    [
        ("external", {}, "stage filtered is extern: the C function low_pass computes it"),
        ("external", {}, "stages that Halide compiles, for the others cannot run here"),
        ("half", {"p": ("gain=1.5",)}, "scalar gain is of type float16"),
        ("half", {"p": ("gain=1.5",)}, "make gain a float32 and cast it in the file"),
        ("half_generator", {"p": ("gain=1.5",)}, "scalar gain is of type float16"),
        ("pointer", {}, "input user: this element type is not supported"),
        ("sharpen", {}, "function sharpen takes its input as an argument: image (Func)"),
        ("sharpen", {}, "return sharpen(hl.BoundaryConditions.repeat_edge(image)); then name that one"),
        ("smooth", {}, "if image is a Func or an image, write a function without these arguments"),
    ],
)
def test_what_cannot_be_taken_says_why(
    load: Load, entry: str, options: dict[str, tuple[str, ...]], expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(f"bad/refused.py:{entry}", **options)
    assert expected in str(caught.value)
