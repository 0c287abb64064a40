"""Which schedules are explained, and what they are called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hltune.commands.choice import (
    choose,
    choose_one,
    other_names,
    other_schedules,
    read_for,
    reference,
    unknown_schedules,
)
from hltune.commands.example import Wanted, find
from hltune.runtime.progress import Remembered, Silent
from hltune.samples.writer import Store
from hltune.values import schedule_codec
from hltune.values.directives import Parallel, Rfactor, Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.provenance import Named
from hltune.values.roles import Stage
from hltune.values.sample import PipelineRecord
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.lines import add_line
from hltune.workspace.record import Record
from hltune.workspace.records import Workspace
from hltune.workspace.refuted import Refuted
from hltune.workspace.subject import SubjectOptions, load_subject
from tests.commands.files import written
from tests.report.values import CRASH, HOST, SCHEDULE, SPEC, SUBJECT, cost
from tests.samples.values import PIPELINE, sample

SILENT = Silent()
OTHER = Schedule((Parallel(Stage("out"), "y"),))
OUTER = Schedule((Parallel(Stage("out"), "x"),))
MINE = replace(SUBJECT, hand_written={"expert": OTHER})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / ".hltune")


def test_two_files_of_one_name_are_two_schedules(workspace: Workspace, tmp_path: Path) -> None:
    one, other = (written(tmp_path / name / "x.schedule.json", each) for name, each in (("a", SCHEDULE), ("b", OTHER)))
    assert choose(SUBJECT, [one, other], workspace, HOST, SILENT) == {one: SCHEDULE, other: OTHER}
    assert choose(SUBJECT, [other], workspace, HOST, SILENT) == {"x": OTHER}


def test_a_file_that_is_called_as_a_known_schedule_is_another_one(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "expert.schedule.json", SCHEDULE)
    assert choose(MINE, ["expert", file], workspace, HOST, SILENT) == {"expert": OTHER, file: SCHEDULE}
    assert "expert" in other_schedules(MINE, workspace, HOST, choose(MINE, [file], workspace, HOST, SILENT))


def test_the_same_schedule_twice_is_refused(workspace: Workspace) -> None:
    workspace.keep(Record(name="tuned", schedule=SCHEDULE, cost=1e-3, provenance=Named(name="tuned")), SPEC, HOST)
    with pytest.raises(InputError, match="twice"):
        choose(SUBJECT, [None, "tuned"], workspace, HOST, SILENT)
    assert list(choose(SUBJECT, [None, "default"], workspace, HOST, SILENT)) == ["tuned", "default"]


def test_what_tuning_left_may_be_the_expert_s(workspace: Workspace) -> None:
    for name in ("tuned", "expert", "adams2019"):
        workspace.keep(Record(name=name, schedule=OTHER, cost=1e-3, provenance=Named(name=name)), SPEC, HOST)
    assert other_names(MINE, workspace, HOST, "tuned", OTHER) == ("expert", "adams2019")
    assert other_names(MINE, workspace, HOST, "expert", OTHER) == ("adams2019", "tuned")
    assert other_names(MINE, workspace, HOST, "tuned", SCHEDULE) == ()


BLUR = PipelineRecord(hash=SPEC.content_hash, name=SPEC.name, spec=SPEC)
FAILED = Failure(stage="verify", kind="wrong output", message="some are off")
MEASURED = [sample(number, pipeline=BLUR) for number in range(3)]


@pytest.fixture
def measured(workspace: Workspace) -> Workspace:
    """Schedules of the pipeline in the store, and one of another pipeline."""
    with Store(workspace.samples, progress=Silent(), wait_s=0) as store:
        store.add_pipeline(BLUR)
        store.add_pipeline(PIPELINE)
        for each in (*MEASURED, sample(3)):
            store.add(each)
    return workspace


def test_what_was_measured_is_asked_for_by_its_id(measured: Workspace) -> None:
    """As `hltune samples best` shows it, by its first digits, or as the final table of tuning names it."""
    one, other, third = MEASURED
    asked = one.schedule_hash[:12], other.schedule_hash[:6], f"tuned-{third.schedule_hash[:8]}"
    for name, each in zip(asked, MEASURED, strict=True):
        assert choose(SUBJECT, [name], measured, HOST, SILENT) == {name: each.schedule}
    assert choose(SUBJECT, asked[:2], measured, HOST, SILENT) == {asked[0]: one.schedule, asked[1]: other.schedule}


def test_what_was_ever_wrong_is_for_nobody_who_does_not_verify_it(measured: Workspace, tmp_path: Path) -> None:
    """By its id, in a file, or by name; in the store, or as commands have seen that do not write there."""
    right, wrong, other = MEASURED
    with Store(measured.samples, progress=Silent(), wait_s=0) as store:
        store.add(replace(right, machine=HOST, measurement=cost(2e-3)))
        store.add(replace(right, machine=replace(HOST, cpu="another"), measurement=FAILED))
        given = replace(HOST, conditions="given --tolerance=0.1")
        assert "tolerance" in given.given
        store.add(replace(right, machine=given, measurement=FAILED))
        store.add(replace(wrong, machine=HOST, measurement=cost(1e-3)))
        store.add(replace(wrong, machine=replace(HOST, threads=1), measurement=FAILED))
    add_line(measured.refuted(SPEC, replace(HOST, threads=1)), Refuted.of(other.schedule, FAILED, HOST.cpu))
    for name in ("tuned", "adams2019"):
        measured.keep(Record(name=name, schedule=wrong.schedule, cost=1e-3, provenance=Named(name=name)), SPEC, HOST)
    for asked in (wrong.schedule_hash[:12], "adams2019", None, written(tmp_path / "o.json", other.schedule)):
        with pytest.raises(InputError, match=r"computes wrong outputs(.|\n)*some are off") as raised:
            choose_one(SUBJECT, asked, measured, HOST, SILENT)
        assert ("leave --schedule out" in str(raised.value)) == (asked is not None)
    chosen = choose_one(SUBJECT, right.schedule_hash[:12], measured, HOST, SILENT)
    assert (chosen.schedule, chosen.cost) == (right.schedule, 2e-3)
    measured.samples.write_bytes(b"no store")
    file = written(tmp_path / "r.json", right.schedule)
    heard = Remembered(SILENT)
    assert choose_one(SUBJECT, file, measured, HOST, heard).cost is None
    (note,) = heard.notes
    assert "which schedules were wrong in earlier measurements is not known" in note


def test_a_comparison_takes_ids_and_files_and_has_what_has_a_name_anyway(measured: Workspace, tmp_path: Path) -> None:
    one, other, _ = MEASURED
    record = Record(name="tuned", schedule=SCHEDULE, cost=1e-3, provenance=Named(name="tuned"))
    measured.keep(record, SPEC, HOST)
    asked = ["default", "tuned", record.label, one.schedule_hash[:12], written(tmp_path / "mine.json", other.schedule)]
    asked += [schedule_hash(SCHEDULE)[:12]]  # which has a name
    found = unknown_schedules(SUBJECT, asked, measured, HOST)
    assert found == {one.schedule_hash[:12]: one.schedule, "mine": other.schedule}
    with pytest.raises(InputError, match="no such schedule"):
        unknown_schedules(SUBJECT, ["none.json"], measured, HOST)


def test_a_stored_schedule_goes_by_a_name_that_ends_with_its_id(measured: Workspace) -> None:
    """As the final table of tuning has it, and `run` and `export` take it."""
    first, *_ = MEASURED
    for start in (first.schedule_hash[:8], f"tuned-{first.schedule_hash[:8]}"):
        wanted = Wanted(start=start, pipeline=SPEC.content_hash)
        assert find(measured.samples, wanted).schedule == first.schedule
    for unknown in ("tuned-", "tuned", "tuned-00000000"):
        with pytest.raises(InputError, match="no schedule in the store has this id"):
            find(measured.samples, Wanted(start=unknown))


def test_what_has_a_name_has_an_id_as_well(workspace: Workspace) -> None:
    record = Record(name="tuned", schedule=SCHEDULE, cost=1e-3, provenance=Named(name="tuned"))
    workspace.keep(record, SPEC, HOST)
    assert choose(SUBJECT, [record.label], workspace, HOST, SILENT) == {record.label: SCHEDULE}


def test_digits_that_several_ids_begin_with_are_answered_with_all_of_them(workspace: Workspace) -> None:
    one, other = sample(7756, pipeline=BLUR), sample(8897, pipeline=BLUR)
    both = [each.schedule_hash for each in (one, other)]
    with Store(workspace.samples, progress=Silent(), wait_s=0) as store:
        store.add_pipeline(BLUR)
        store.add(one)
        store.add(other)
    with pytest.raises(InputError, match=r"several schedules have ids that begin so") as raised:
        choose(SUBJECT, [both[0][:6]], workspace, HOST, SILENT)
    assert both[0][:6] == both[1][:6] and all(each[:12] in str(raised.value) for each in both)
    assert choose(SUBJECT, [both[1][:12]], workspace, HOST, SILENT) == {both[1][:12]: other.schedule}


def test_a_file_goes_before_an_id(measured: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = MEASURED[0].schedule_hash[:8]
    written(tmp_path / file, OTHER)
    assert choose(SUBJECT, [file], measured, HOST, SILENT) == {file: OTHER}


@pytest.mark.parametrize(
    "asked", [sample(3).schedule_hash[:12], MEASURED[0].schedule_hash[:5], "0" * 12, "tuned-00000000", "facade"]
)
def test_what_is_no_id_of_this_pipeline_is_answered_with_where_ids_are(measured: Workspace, asked: str) -> None:
    """Of another pipeline, too short, or unknown."""
    told = r"no such schedule(.|\n)*`hltune compare` with the same(.|\n)*hltune samples best blur"
    with pytest.raises(InputError, match=told):
        choose(SUBJECT, [asked], measured, HOST, SILENT)


def test_the_fastest_on_record_is_the_reference(workspace: Workspace) -> None:
    found = [("tuned", SCHEDULE, 1e-3), ("adams2019", OTHER, 2e-3), ("mullapudi2016", OUTER, 9e-3)]
    for name, schedule, seconds in found:
        workspace.keep(Record(name=name, schedule=schedule, cost=seconds, provenance=Named(name=name)), SPEC, HOST)
    others = other_schedules(SUBJECT, workspace, HOST, choose(SUBJECT, [None], workspace, HOST, SILENT))
    assert list(others) == ["default", "adams2019", "mullapudi2016"]
    assert reference(others, {}) == "adams2019"
    assert reference(others, {"adams2019": CRASH, "mullapudi2016": cost(9e-3)}) == "mullapudi2016"


def test_the_author_s_schedule_is_the_reference_if_it_works() -> None:
    others = {"default": Schedule(), "manual": SCHEDULE, "adams2019": OTHER}
    measured = {"default": cost(3e-3), "manual": cost(9e-3), "adams2019": cost(2e-3)}
    assert reference(others, measured) == "manual"
    assert reference(others, {**measured, "manual": CRASH}) == "adams2019"
    assert reference(others, dict.fromkeys(others, CRASH)) is None


def test_a_file_of_another_pipeline_is_refused_at_once(workspace: Workspace, tmp_path: Path) -> None:
    stranger = Schedule((Parallel(Stage("sharpened"), "y"),))
    file = Path(written(tmp_path / "stranger.schedule.json", stranger))
    document = {**json.loads(file.read_text()), "about": {"pipeline": "lutpipe", "hash": "0" * 64}}
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"of another pipeline than blur(.|\n)*sharpened, in a schedule of lutpipe"):
        choose(SUBJECT, [str(file)], workspace, HOST, SILENT)
    renamed = {**schedule_codec.to_json(OTHER), "about": document["about"]}
    file.write_text(json.dumps(renamed))  # the pipeline may only have been called otherwise
    assert choose(SUBJECT, [str(file)], workspace, HOST, SILENT) == {"stranger": OTHER}


def test_a_file_may_name_funcs_that_it_makes(tmp_path: Path) -> None:
    subject = load_subject(SubjectOptions(pipeline="hist", target="host", size=(128, 128)), Workspace(tmp_path))
    expert = subject.known_by_name()["expert"].schedule
    assert any(isinstance(each, Rfactor) for each in expert.directives)
    file = Path(written(tmp_path / "mine.schedule.json", expert))
    assert read_for(file, subject.spec).schedule == expert


def test_what_is_no_file_of_a_schedule_says_what_it_is(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is a folder"):
        choose(SUBJECT, [str(tmp_path)], workspace, HOST, SILENT)
    (tmp_path / "empty.json").touch()
    with pytest.raises(InputError, match="the file is empty"):
        choose(SUBJECT, [str(tmp_path / "empty.json")], workspace, HOST, SILENT)
