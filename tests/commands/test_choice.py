"""Which schedules are explained, and what they are called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hltune.commands.choice import choose, other_names, other_schedules, reference
from hltune.values import schedule_codec
from hltune.values.directives import Parallel, Schedule
from hltune.values.errors import InputError
from hltune.values.provenance import Named
from hltune.values.roles import Stage
from hltune.workspace.records import Record, Workspace
from tests.report.values import CRASH, HOST, SCHEDULE, SPEC, SUBJECT, cost

OTHER = Schedule((Parallel(Stage("out"), "y"),))
OUTER = Schedule((Parallel(Stage("out"), "x"),))
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


def test_what_tuning_left_may_be_the_expert_s(workspace: Workspace) -> None:
    for name in ("tuned", "expert", "adams2019"):
        workspace.keep(Record(name=name, schedule=OTHER, cost=1e-3, provenance=Named(name=name)), SPEC, HOST)
    assert other_names(MINE, workspace, HOST, "tuned", OTHER) == ("expert", "adams2019")
    assert other_names(MINE, workspace, HOST, "expert", OTHER) == ("adams2019", "tuned")
    assert other_names(MINE, workspace, HOST, "tuned", SCHEDULE) == ()


def test_the_fastest_on_record_is_the_reference(workspace: Workspace) -> None:
    found = [("tuned", SCHEDULE, 1e-3), ("adams2019", OTHER, 2e-3), ("mullapudi2016", OUTER, 9e-3)]
    for name, schedule, seconds in found:
        workspace.keep(Record(name=name, schedule=schedule, cost=seconds, provenance=Named(name=name)), SPEC, HOST)
    others = other_schedules(SUBJECT, workspace, HOST, choose(SUBJECT, [None], workspace, HOST))
    assert list(others) == ["default", "adams2019", "mullapudi2016"]
    assert reference(others, {}) == "adams2019"
    assert reference(others, {"adams2019": CRASH, "mullapudi2016": cost(9e-3)}) == "mullapudi2016"


def test_the_author_s_schedule_is_the_reference_if_it_works() -> None:
    others = {"default": Schedule(), "manual": SCHEDULE, "adams2019": OTHER}
    measured = {"default": cost(3e-3), "manual": cost(9e-3), "adams2019": cost(2e-3)}
    assert reference(others, measured) == "manual"
    assert reference(others, {**measured, "manual": CRASH}) == "adams2019"
    assert reference(others, dict.fromkeys(others, CRASH)) is None
