"""What was verified once and is wrong now is not handed out."""

from __future__ import annotations

from pathlib import Path

import pytest

from hltune.commands.compare import compare
from hltune.commands.explain import explain
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.search.autoschedulers import Adams2019Options
from hltune.values import schedule_codec
from hltune.values.errors import HltuneError
from hltune.values.provenance import Named
from hltune.workspace.records import TUNED, Record, Workspace
from hltune.workspace.subject import SubjectOptions, load_subject

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


def handed_out(workspace: Workspace) -> set[str]:
    subject = load_subject(COLUMNS, workspace)
    records = workspace.records(subject.spec, identify(subject.target, MeasureOptions(threads=2)))
    return {each.name for each in records if each.schedule == PARTS}


def test_what_compare_finds_wrong_is_off_the_record(workspace: Workspace) -> None:
    notes = Notes()
    compared = compare(
        load_subject(COLUMNS, workspace),
        Adams2019Options(parallelism=2, beam_size=1),
        search_timeout_s=60,
        files=(("mine", PARTS),),
        workspace=workspace,
        measure=EXACTLY,
        inputs=Inputs(),
        progress=notes,
    )
    assert [row.name for row in compared.rows if row.failure and row.failure.is_wrong] == ["tuned", "mine"]
    assert handed_out(workspace) == set()
    assert sum("tuned was verified before, is wrong now" in note for note in notes) == 1


def test_what_explain_finds_wrong_is_off_the_record(workspace: Workspace) -> None:
    assert handed_out(workspace) == {TUNED}
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
    assert handed_out(workspace) == set()
