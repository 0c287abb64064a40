"""Which schedules are explained, and what they are called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hltune.commands.choice import choose, other_schedules
from hltune.values import schedule_codec
from hltune.values.directives import Parallel, Schedule
from hltune.values.errors import InputError
from hltune.values.provenance import Named
from hltune.values.roles import Stage
from hltune.workspace.records import Record, Workspace
from tests.report.values import HOST, SCHEDULE, SPEC, SUBJECT

OTHER = Schedule((Parallel(Stage("out"), "y"),))
MINE = replace(SUBJECT, hand_written={"expert": OTHER})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / ".hltune")


def written(path: Path, schedule: Schedule) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schedule_codec.to_json(schedule)))
    return str(path)


def test_two_files_of_one_name_are_two_schedules(workspace: Workspace, tmp_path: Path) -> None:
    one, other = (written(tmp_path / name / "x.schedule.json", each) for name, each in (("a", SCHEDULE), ("b", OTHER)))
    assert choose(SUBJECT, [one, other], workspace, HOST) == {one: SCHEDULE, other: OTHER}
    assert choose(SUBJECT, [other], workspace, HOST) == {"x": OTHER}


def test_a_file_that_is_called_as_a_known_schedule_is_another_one(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "expert.schedule.json", SCHEDULE)
    assert choose(MINE, ["expert", file], workspace, HOST) == {"expert": OTHER, file: SCHEDULE}
    assert "expert" in other_schedules(MINE, workspace, HOST, choose(MINE, [file], workspace, HOST))


def test_the_same_schedule_twice_is_refused(workspace: Workspace) -> None:
    workspace.keep(Record(name="tuned", schedule=SCHEDULE, cost=1e-3, provenance=Named(name="tuned")), SPEC, HOST)
    with pytest.raises(InputError, match="twice"):
        choose(SUBJECT, [None, "tuned"], workspace, HOST)
    assert list(choose(SUBJECT, [None, "default"], workspace, HOST)) == ["tuned", "default"]
