"""What was verified or timed under other conditions is not handed out without a word."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from hltune.commands.compare import compare
from hltune.commands.explain import explain
from hltune.commands.export import export
from hltune.commands.on_record import drop_refuted
from hltune.commands.report import report
from hltune.commands.run import run
from hltune.commands.schedule import Scheduled, schedule
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.machine.task import WROTE_BETWEEN
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.search.autoschedulers import BUILTIN, Adams2019Options, Mullapudi2016Options
from hltune.values import schedule_codec
from hltune.values.candidate import Candidate
from hltune.values.errors import Failure, HltuneError
from hltune.values.provenance import Named
from hltune.values.sample import PipelineRecord
from hltune.workspace.record import TUNED, Record
from hltune.workspace.records import Workspace
from hltune.workspace.searches import Searches
from hltune.workspace.subject import SubjectOptions, load_subject
from tests.commands.files import written
from tests.report.explained import FOUND, explanation
from tests.report.values import HOST, SPEC
from tests.samples.values import sample

COLUMNS = SubjectOptions(pipeline=str(Path(__file__).parents[1] / "pipelines" / "columns.py"), target="host")
EXACTLY = MeasureOptions(threads=2, turns=2, tolerance=0.0)
PARTS = schedule_codec.from_json(
    {
        "format": "hltune schedule",
        "version": 1,
        "directives": [
            {"op": "split", "func": "out", "update": 0, "old": "r_x", "outer": "r_x", "inner": "ri", "factor": 8,
             "tail": "Auto"},
            {"op": "rfactor", "func": "out", "update": 0, "preserved": [["ri", "u"]], "intermediate": "out_intm"},
            {"op": "compute_root", "func": "out_intm"},
        ],
    }
)  # fmt: skip
"""Adds up every eighth element first."""


class Notes(list[str]):
    """Somebody who listens."""

    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """One in which tuning found a schedule that adds up in another order."""
    workspace = Workspace(tmp_path / "ws")
    subject = load_subject(COLUMNS, workspace)
    record = Record(name=TUNED, schedule=PARTS, cost=1e-9, provenance=Named(name=TUNED))
    workspace.keep(record, subject.spec, identify(subject.target, MeasureOptions(threads=2)))
    return workspace


def doubts(workspace: Workspace) -> list[str]:
    """Of the records of that schedule."""
    subject = load_subject(COLUMNS, workspace)
    records = workspace.records(subject.spec, identify(subject.target, MeasureOptions(threads=2)))
    return [each.doubt for each in records if each.schedule == PARTS]


def test_what_compare_finds_wrong_is_not_handed_out_without_a_word(workspace: Workspace, tmp_path: Path) -> None:
    notes = Notes()
    compared = compare(
        load_subject(COLUMNS, workspace),
        Adams2019Options(parallelism=2, beam_size=1),
        search_timeout_s=60,
        asked=(written(tmp_path / "mine.json", PARTS),),
        workspace=workspace,
        measure=EXACTLY,
        inputs=Inputs(),
        progress=notes,
    )
    assert [row.name for row in compared.rows if row.failure and row.failure.is_wrong] == ["tuned", "mine"]
    assert doubts(workspace) == ["--tolerance=0"]
    assert sum("tuned was verified before, is wrong now" in note for note in notes) == 1


def test_what_explain_finds_wrong_is_not_handed_out_without_a_word(workspace: Workspace, tmp_path: Path) -> None:
    assert doubts(workspace) == [""]
    with pytest.raises(HltuneError, match="the schedule tuned does not work"):
        explain(
            COLUMNS,
            schedule=None,
            against=None,
            trying=False,
            workspace=workspace,
            measure=EXACTLY,
            inputs=Inputs(),
            progress=Notes(),
        )
    assert doubts(workspace) == ["--tolerance=0"]
    (_, said) = exported(COLUMNS, workspace, tmp_path)
    assert any("not by --tolerance=0" in note for note in said)


def test_what_schedule_finds_wrong_is_not_handed_out_without_a_word(workspace: Workspace) -> None:
    subject, search = load_subject(COLUMNS, workspace), Mullapudi2016Options(parallelism=2)
    found = Candidate(schedule=PARTS, provenance=search.provenance(), search_s=2.0)
    Searches(workspace.searches(subject.spec)).keep(subject.target.name, search, found, limit_s=60)
    notes = Notes()
    schedule(
        COLUMNS,
        Adams2019Options(parallelism=2, beam_size=1, weights=BUILTIN),
        search_timeout_s=60,
        workspace=workspace,
        measure=EXACTLY,
        inputs=Inputs(),
        directory=None,
        progress=notes,
    )
    assert any("the schedule by mullapudi2016 failed" in note for note in notes)
    assert doubts(workspace) == ["--tolerance=0"]


def test_what_is_wrong_by_the_usual_tolerances_is_off_the_record(workspace: Workspace) -> None:
    subject = load_subject(COLUMNS, workspace)
    usual = MeasureOptions(threads=2)
    notes, machine = Notes(), identify(subject.target, usual).with_given("image=0123abcd")
    wrong = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    slow = Failure(stage="run", kind="timeout", message="took longer than its limit of 20 s")
    assert drop_refuted([(PARTS, slow)], subject.spec, machine, workspace, notes) == set() == {*notes}
    assert drop_refuted([(PARTS, wrong)], subject.spec, machine, workspace, notes) == {PARTS}
    assert doubts(workspace) == [] and "is off the record" in notes[0]


def test_what_is_wrong_by_any_tolerance_is_off_the_record(workspace: Workspace) -> None:
    subject = load_subject(COLUMNS, workspace)
    machine = identify(subject.target, MeasureOptions(threads=2)).with_given("--tolerance=0.5")
    wrong = Failure(stage="verify", kind="wrong output", message=WROTE_BETWEEN)
    assert drop_refuted([(PARTS, wrong)], subject.spec, machine, workspace, Notes()) == {PARTS}
    assert doubts(workspace) == [] and any(workspace.directory(subject.spec).rglob("refuted.jsonl"))


def test_a_time_on_an_image_is_no_time_on_usual_data(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    dilate = SubjectOptions(pipeline="dilate3x3", target="host", size=(128, 96))
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8)
    iio.imwrite(tmp_path / "in.png", pixels)
    image = Inputs(images=((None, tmp_path / "in.png"),))

    def find(inputs: Inputs) -> Scheduled:
        return schedule(
            dilate,
            Mullapudi2016Options(parallelism=2),
            search_timeout_s=60,
            workspace=workspace,
            measure=MeasureOptions(threads=2, turns=2),
            inputs=inputs,
            directory=None,
            progress=Notes(),
        )

    found = find(image)
    assert "given input=" in found.files[1].read_text()
    about, said = exported(dilate, workspace, tmp_path)
    assert about["cost"] is None and len(said) == 1 and f"{found.name} was measured under other conditions" in said[0]
    ran = run(
        dilate,
        schedule=None,
        outputs=((None, tmp_path / "out.png"),),
        output_sizes=(),
        workspace=workspace,
        measure=MeasureOptions(threads=2),
        inputs=image,
        progress=Notes(),
    )
    assert ran.schedule == found.name
    usual = find(Inputs())
    about, said = exported(dilate, workspace, tmp_path)
    assert usual.cost is not None and about["cost"] == pytest.approx(1e3 * usual.cost.value, rel=1e-3) and not said


@pytest.mark.parametrize("tuned", ["", "in=0123abcd"])
def test_a_report_on_an_image_shows_the_curve_of_the_usual_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuned: str
) -> None:
    """Unless the pipeline was tuned on that image, too."""
    workspace, record = Workspace(tmp_path / "ws"), PipelineRecord.of(SPEC)
    with Store(workspace.samples, progress=Silent(), wait_s=0) as store:
        store.add_pipeline(record)
        for number, machine in enumerate({HOST, HOST.with_given(tuned)}):
            store.add(sample(number, pipeline=record, machine=machine))
    given = replace(explanation(FOUND), machine=HOST.with_given("in=0123abcd"))
    monkeypatch.setattr("hltune.commands.report.explain", lambda *_, **__: given)
    monkeypatch.setattr("hltune.commands.report._pictures", lambda *_: ())
    notes = Notes()
    options = SubjectOptions(pipeline="blur", target="host")
    measure = MeasureOptions(threads=2)
    found = report(options, against=None, workspace=workspace, measure=measure, inputs=Inputs(), progress=notes)
    assert len(found.history) == 1
    assert [*notes] == (
        [] if tuned else ["blur: the curve, the failures and who found the best are those of the usual data"]
    )


def test_a_store_that_cannot_be_read_takes_no_page_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring has taken minutes."""
    workspace = Workspace(tmp_path)
    workspace.samples.write_bytes(b"no store")
    monkeypatch.setattr("hltune.commands.report.explain", lambda *_, **__: explanation(FOUND))
    monkeypatch.setattr("hltune.commands.report._pictures", lambda *_: ())
    options, measure = SubjectOptions(pipeline="blur", target="host"), MeasureOptions(threads=2)
    found = report(options, against=None, workspace=workspace, measure=measure, inputs=Inputs(), progress=Silent())
    assert found.explanation == explanation(FOUND) and not found.history and found.machine is None
    (note,) = found.notes
    assert "no curve, no failures" in note and str(workspace.samples) in note


def exported(options: SubjectOptions, workspace: Workspace, directory: Path) -> tuple[dict[str, Any], list[str]]:
    """What the exported schedule says of itself, and what people are told."""
    notes = Notes()
    (file,) = export(
        options,
        forms=("json",),
        directory=directory / "out",
        function_name=None,
        schedule=None,
        workspace=workspace,
        measure=MeasureOptions(threads=2),
        progress=notes,
    ).files
    return json.loads(file.read_text())["about"], notes
