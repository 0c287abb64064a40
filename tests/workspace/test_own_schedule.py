"""A pipeline that its author scheduled: the algorithm to search, and the schedule to beat."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import halide as hl
import pytest

from hltune.pipeline.build import build
from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import parse_estimate, parse_parameter
from hltune.runtime.worker import Worker
from hltune.schedule.recover import RecoverJob
from hltune.values.directives import Bound, ComputeAt, ComputeRoot, HoistStorage, Parallel, Partition, Vectorize
from hltune.values.errors import Failure, InputError, JobFailed
from hltune.values.roles import Stage
from hltune.workspace.records import Workspace
from hltune.workspace.subject import MANUAL, MANUAL_PART, Subject, SubjectOptions, load_subject

PIPELINES = Path(__file__).parents[1] / "pipelines"

pytestmark = pytest.mark.usefixtures("own_processes")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


def load(name: str | Path, place: Workspace, *estimates: str, p: tuple[str, ...] = ()) -> Subject:
    options = SubjectOptions(
        pipeline=str(PIPELINES / name),
        target="host",
        estimates=tuple(map(parse_estimate, estimates)),
        parameters=tuple(map(parse_parameter, p)),
    )
    return load_subject(options, place)


@pytest.mark.parametrize(("kind", "said"), [("timeout", True), ("crash", False)])
def test_who_loads_too_long_hears_what_helps(
    place: Workspace, monkeypatch: pytest.MonkeyPatch, kind: Any, said: bool
) -> None:
    """The limit is fixed: no flag of the command line raises it."""

    class Failing(Worker):
        def run(self, job: Any) -> Any:
            if isinstance(job, LoadJob):
                raise JobFailed(Failure(stage="load", kind=kind, message="took longer than its limit of 120 s"))
            return super().run(job)

    monkeypatch.setattr("hltune.workspace.subject.Worker", Failing)
    with pytest.raises(InputError, match="loading failed in step load") as raised:
        load("blur_function.py", place)
    assert ("try again" in str(raised.value) and ".hlpipe" in str(raised.value)) == said


def test_wherever_the_schedule_stands_the_algorithm_is_the_same(place: Workspace) -> None:
    plain = load("by_hand.py:unscheduled", place)
    assert plain.spec.manual is None and not plain.hand_written
    for name in ("guarded", "unguarded"):
        found = load(f"by_hand.py:{name}", place)
        assert found.spec.manual is not None
        assert found.spec.notes == ()
        assert found.spec.funcs == plain.spec.funcs
        schedule = found.hand_written[MANUAL]
        assert schedule.base is None
        assert Parallel(Stage("output"), "y") in schedule.directives
        assert ComputeAt(Stage("across"), "output", "x") in schedule.directives
    assert load("by_hand.py:guarded", place).spec.content_hash == plain.spec.content_hash


def test_functions_and_files_keep_their_schedule(place: Workspace, tmp_path: Path) -> None:
    found = load("by_hand.py:function", place)
    assert any(isinstance(each, Vectorize) for each in found.hand_written[MANUAL].directives)
    file = tmp_path / "moved.hlpipe"
    assert found.spec.manual is not None
    file.write_bytes(found.spec.manual)
    moved = load(file, place, "image=128x64", "output=128x64")
    assert moved.hand_written == found.hand_written
    assert moved.spec.content_hash == found.spec.content_hash


def test_a_schedule_that_does_not_fit_is_left_out_with_a_note(place: Workspace) -> None:
    for name, words in (("broken", "fails"), ("interleaved", "a stride of 3 in dimension 0")):
        found = load(f"by_hand.py:{name}", place)
        assert found.spec.manual is None, name
        assert len(found.notes) == 1, name
        assert words in found.notes[0], found.notes


@pytest.mark.parametrize("name", ["fragment", "silent"])
def test_what_is_said_without_an_autoscheduler_is_the_whole_schedule(place: Workspace, name: str) -> None:
    found = load(f"by_hand.py:{name}", place)
    assert found.spec.notes == ()
    assert Parallel(Stage("output"), "y") in found.hand_written[MANUAL].directives


def test_what_is_said_with_an_autoscheduler_stands_in_for_what_fails(place: Workspace) -> None:
    found = load("by_hand.py:fragment", place, p=("worse=true",))
    assert found.hand_written[MANUAL].directives == (ComputeRoot(Stage("across")),)
    (note,) = found.notes
    assert "the hand-written schedule is left out: without an autoscheduler the generator fails" in note
    assert note.endswith("your own schedule is what it says with one")


def test_a_schedule_for_interleaved_images_is_kept_with_their_layout(place: Workspace) -> None:
    found = load("by_hand.py:channels", place)
    assert found.spec.notes == found.notes == ()
    schedule = found.hand_written[MANUAL]
    assert schedule.base is None
    assert {Bound(Stage("output"), "c", 0, 3), Parallel(Stage("output"), "y")} <= set(schedule.directives)
    for image in (*found.spec.buffers(), *found.spec.outputs):
        assert [constraint.stride for constraint in image.constraints] == [3, None, 1], image.name


def test_what_only_the_own_schedule_promises_is_said(place: Workspace) -> None:
    """All schedules are compiled for the same promises, and without this one it may be slower."""
    found = load("by_hand.py:promising", place)
    (note,) = found.spec.notes
    assert "measured without what it alone promises of image (strides, bounds or alignment)" in note
    assert found.spec.content_hash == load("by_hand.py:unscheduled", place).spec.content_hash


def test_what_directives_cannot_say_stays_whole(place: Workspace) -> None:
    found = load("by_hand.py:prefetched", place)
    assert found.hand_written[MANUAL].base == found.spec.manual_hash
    assert found.hand_written[MANUAL_PART].directives
    assert found.notes == ("manual-part is your own schedule without prefetch (output)",)
    found = load("by_hand.py:renamed", place)
    assert list(found.hand_written) == [MANUAL]
    assert "the factor of a split is no constant" in found.notes[0]


def test_rare_calls_are_recovered_too(place: Workspace) -> None:
    found = load("by_hand.py:detailed", place)
    assert found.spec.content_hash == load("by_hand.py:unscheduled", place).spec.content_hash
    assert list(found.hand_written) == [MANUAL] and not found.notes
    directives = found.hand_written[MANUAL].directives
    output = Stage("output")
    expected = {
        Partition(output, "x", "Never"),
        Bound(output, "x", 0, 128),
        HoistStorage(Stage("across"), "output", "y"),
    }
    assert expected <= set(directives)


@pytest.mark.parametrize("guarded", ["true", "false"])
def test_cpp_generators_keep_their_schedule(place: Workspace, guarded: str) -> None:
    estimates = () if guarded == "true" else ("input=64x34", "output=64x32")
    found = load("by_hand.cpp", place, *estimates, p=(f"guarded={guarded}",))
    assert ComputeAt(Stage("wide"), "output", "y") in found.hand_written[MANUAL].directives
    assert found.spec.name == "rows"  # as it is registered, whatever its file is called


@pytest.mark.parametrize("guarded", ["true", "false"])
def test_cpp_generators_that_prefetch_their_input_do_so(place: Workspace, guarded: str, tmp_path: Path) -> None:
    estimates = () if guarded == "true" else ("input=64x34", "output=64x32")
    found = load("by_hand.cpp", place, *estimates, p=(f"guarded={guarded}", "prefetched=true"))
    assert found.spec.manual is not None and not any("could not be compared" in note for note in found.spec.notes)
    built, text = build(found.spec, found.hand_written[MANUAL].base), tmp_path / "lowered.txt"
    outputs = {hl.OutputFileType.conceptual_stmt: str(text)}
    built.pipeline.compile_to(outputs, built.arguments, "rows", hl.Target(found.target.name))
    assert "prefetch(" in text.read_text()
    assert not any("without prefetches" in note for note in found.notes)


RACE = """
import halide as hl


def counted():
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    counts = hl.Func("counts")
    counts[x] = hl.u32(0)
    r = hl.RDom([(0, 64), (0, 64)], "r")
    counts[hl.i32(image[r.x, r.y])] += hl.u32(1)
    counts.compute_root().update(0).allow_race_conditions().parallel(r.y)
    image.set_estimates([(0, 64), (0, 64)])
    counts.set_estimates([(0, 256)])
    return counts
"""


@pytest.mark.parametrize("condition", ["", ".specialize(image.width() >= 32)"])
def test_a_schedule_that_allows_races_is_left_out(place: Workspace, tmp_path: Path, condition: str) -> None:
    """What comes out right by chance must not be called verified."""
    (tmp_path / "race.py").write_text(RACE.replace(".update(0)", f".update(0){condition}"))
    found = load(tmp_path / "race.py", place)
    assert found.spec.manual is None and not found.hand_written
    assert any("allows race conditions (counts)" in note for note in found.notes)


MEMO = """
import halide as hl


def curve():
    x, y = hl.vars("x y")
    image, gain = hl.ImageParam(hl.UInt(8), 2, "image"), hl.Param(hl.Int(32), "gain", 3)
    table, out = hl.Func("table"), hl.Func("out")
    table[x] = hl.sqrt(hl.f32(x * gain))
    out[x, y] = table[hl.i32(image[x, y])]
    table.compute_root().memoize()
    out.vectorize(x, 8)
    image.set_estimates([hl.Range(0, 64), hl.Range(0, 64)])
    out.set_estimates([hl.Range(0, 64), hl.Range(0, 64)])
    return out
"""
MEMO_CPP = """
#include <Halide.h>

class Curve : public Halide::Generator<Curve> {
public:
    Input<Buffer<uint8_t, 2>> image{"image"};
    Input<int> gain{"gain", 3};
    Output<Buffer<float, 2>> out{"out"};

    void generate() {
        Halide::Var x{"x"}, y{"y"};
        Halide::Func table{"table"};
        table(x) = Halide::sqrt(Halide::cast<float>(x * gain));
        out(x, y) = table(Halide::cast<int>(image(x, y)));
        table.compute_root().memoize();
        out.vectorize(x, 8);
        image.set_estimates({{0, 64}, {0, 64}});
        gain.set_estimate(3);
        out.set_estimates({{0, 64}, {0, 64}});
    }
};

HALIDE_REGISTER_GENERATOR(Curve, curve)
"""


@pytest.mark.parametrize(("name", "text"), [("memo.py", MEMO), ("memo.cpp", MEMO_CPP)])
def test_a_schedule_that_memoizes_is_left_out(place: Workspace, tmp_path: Path, name: str, text: str) -> None:
    """From the second call on, all that is timed finds what the first one has computed."""
    (tmp_path / name).write_text(text)
    found = load(tmp_path / name, place)
    assert found.spec.manual is None and not found.hand_written
    (note,) = found.notes
    assert "left out: it memoizes (table)" in note and "without memoize() in the file" in note


ONE = """
import halide as hl


@hl.generator(name="registered")
class Any:
    image = hl.InputBuffer(hl.UInt(8), 1)
    output = hl.OutputBuffer(hl.UInt(8), 1)

    def generate(self):
        x = hl.Var("x")
        self.output[x] = self.image[x] + 1
        self.image.set_estimates([(0, 64)])
        self.output.set_estimates([(0, 64)])
"""


def test_a_generator_is_called_by_its_registered_name(place: Workspace, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(ONE)
    without, named = (load(tmp_path / name, place).spec for name in ("one.py", "one.py:registered"))
    assert without.name == named.name == "registered"
    place.directory(without).mkdir()
    assert place.directory(replace(named, name="renamed")) == place.directory(without)


def test_whatever_goes_wrong_when_a_schedule_is_recovered_it_is_measured(
    place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Worker.run

    def fails(self: Worker, job: Any) -> Any:
        if isinstance(job, RecoverJob):
            raise JobFailed(Failure(stage="recover the hand-written schedule", kind="timeout", message="took too long"))
        return run(self, job)

    monkeypatch.setattr(Worker, "run", fails)
    found = load("by_hand.py:guarded", place)
    assert found.hand_written[MANUAL].base == found.spec.manual_hash
    assert "your own schedule is measured, but cannot be changed: recover the hand-written" in found.notes[-1]
