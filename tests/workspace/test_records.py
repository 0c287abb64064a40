"""Which schedules the workspace hands out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hltune.values.directives import Schedule, Unroll
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.provenance import Named
from hltune.values.roles import Stage
from hltune.values.schedule_codec import read_written, to_json
from hltune.workspace.record import TUNED, Record
from hltune.workspace.records import Workspace
from tests.samples.values import MACHINE, SPEC

QUICK, SLOW = Schedule((Unroll(Stage("out"), "x"),)), Schedule()


def record(name: str, schedule: Schedule, cost: float = 1.0) -> Record:
    return Record(name=name, schedule=schedule, cost=cost, provenance=Named(name=name))


def test_a_dropped_schedule_is_dropped_by_all_its_names_and_under_all_conditions(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    before, other = replace(MACHINE, conditions=""), replace(MACHINE, threads=MACHINE.threads + 1)
    for machine in (MACHINE, before, other):
        for each in (record(TUNED, QUICK), record("expert", QUICK), record("adams2019", SLOW, 2.0)):
            workspace.keep(each, SPEC, machine)
    assert workspace.drop(QUICK, SPEC, MACHINE) == {TUNED, "expert"}
    for machine, left in ((MACHINE, ["adams2019"]), (before, ["adams2019"]), (other, ["expert", TUNED, "adams2019"])):
        assert [each.name for each in workspace.records(SPEC, machine)] == left
    assert workspace.drop(QUICK, SPEC, MACHINE) == set()


def test_a_record_that_another_process_replaces_meanwhile_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    workspace.keep(record(TUNED, SLOW), SPEC, MACHINE)
    listed, glob = list[Path](), Path.glob

    def replaced(path: Path, pattern: str) -> list[Path]:
        found = [*glob(path, pattern)]
        if pattern == "*.json" and not listed:
            listed.extend(found)
            workspace.replace(record(TUNED, QUICK), SPEC, MACHINE)
        return found

    monkeypatch.setattr(Path, "glob", replaced)
    assert [each.schedule for each in workspace.records(SPEC, MACHINE)] == [QUICK]
    assert len(listed) == 1 and not listed[0].exists()


def test_a_schedule_that_somebody_has_changed_has_not_this_cost(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.keep(record(TUNED, QUICK), SPEC, MACHINE)
    (path,) = tmp_path.rglob(f"{TUNED}-*.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "schedule": to_json(SLOW)}))
    with pytest.raises(InputError, match="somebody has changed this schedule"):
        workspace.records(SPEC, MACHINE)


def test_all_damaged_records_are_named_at_once(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name, schedule in (("adams2019", SLOW), ("expert", QUICK), (TUNED, SLOW)):
        workspace.keep(record(name, schedule), SPEC, MACHINE)
    damaged = [*tmp_path.rglob("expert-*.json"), *tmp_path.rglob("tuned-*.json")]
    for path in damaged:
        path.write_text("{}")
    with pytest.raises(InputError, match="the records of 2 schedules") as caught:
        workspace.records(SPEC, MACHINE)
    assert caught.value.where == ", ".join(map(str, damaged))
    for path in damaged:
        path.unlink()
    assert [each.name for each in workspace.records(SPEC, MACHINE)] == ["adams2019"]


def test_deeply_nested_json_is_a_damaged_record(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.keep(record(TUNED, SLOW), SPEC, MACHINE)
    (path,) = tmp_path.glob("*/*/*.json")
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match="cannot use the record"):
        workspace.records(SPEC, MACHINE)
    with pytest.raises(InputError, match="not a schedule"):
        read_written(path)


ON_IMAGE, ON_SCALAR = MACHINE.with_given("in=0123abcd"), MACHINE.with_given("k=1")
EXACTLY = MACHINE.with_given("--tolerance=0")


def known(
    workspace: Workspace, machine: MachineId = MACHINE, spec: PipelineSpec = SPEC
) -> list[tuple[str, float | None, str]]:
    return [(each.name, each.cost, each.elsewhere) for each in workspace.records(spec, machine)]


@pytest.mark.parametrize("given", [ON_IMAGE, ON_SCALAR])
def test_what_was_measured_on_given_data_is_used_without_its_time_if_there_is_nothing_else(
    tmp_path: Path, given: MachineId
) -> None:
    workspace = Workspace(tmp_path)
    workspace.keep(record("adams2019", SLOW, 1e-9), SPEC, given)
    assert known(workspace) == [("adams2019", None, given.given)]
    assert known(workspace, given) == [("adams2019", 1e-9, "")]
    assert len(list(workspace.best(SPEC, MACHINE).notes)) == 1
    workspace.keep(record("expert", QUICK, 1.0), SPEC, MACHINE)
    assert known(workspace) == [("expert", 1.0, "")]
    assert known(workspace, given) == [("adams2019", 1e-9, "")]
    assert not list(workspace.best(SPEC, MACHINE).notes)


def test_what_was_tuned_on_images_comes_before_what_was_not_tuned(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.keep(record("expert", SLOW, 1.0), SPEC, MACHINE)
    workspace.keep(record(TUNED, QUICK, 0.5), SPEC, ON_SCALAR)
    assert workspace.best(SPEC, MACHINE).name == "expert"
    workspace.keep(record(TUNED, QUICK, 0.5), SPEC, ON_IMAGE)
    best = workspace.best(SPEC, MACHINE)
    assert (best.name, best.schedule, best.cost, best.elsewhere) == (TUNED, QUICK, None, "in=0123abcd")
    workspace.keep(record(TUNED, SLOW, 0.9), SPEC, MACHINE)
    assert known(workspace) == [(TUNED, 0.9, ""), ("expert", 1.0, "")]


def test_the_first_time_on_given_data_the_usual_records_are_known_without_their_times(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.keep(record(TUNED, QUICK, 0.5), SPEC, MACHINE)
    assert known(workspace, ON_IMAGE) == [(TUNED, None, "the usual data and tolerances")]
    assert known(workspace, replace(MACHINE, threads=99)) == []


def test_what_is_wrong_by_given_tolerances_stays_for_the_usual_ones_and_says_so(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for machine in (MACHINE, EXACTLY):
        workspace.keep(record(TUNED, QUICK), SPEC, machine)
    assert workspace.doubt(QUICK, SPEC, EXACTLY) == {TUNED}
    best = workspace.best(SPEC, MACHINE)
    (note,) = best.notes
    assert (best.doubt, best.cost) == ("--tolerance=0", 1.0) and "not by --tolerance=0" in note
    assert known(workspace, EXACTLY) == [(TUNED, None, "the usual data and tolerances")]
    workspace.keep(record(TUNED, QUICK, 2.0), SPEC, MACHINE)
    again = workspace.best(SPEC, MACHINE)
    assert (again.doubt, again.cost) == ("--tolerance=0", 2.0), "it is as wrong as before"


def test_what_the_author_has_changed_since_is_left_out(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    first, second = (replace(SPEC, manual=manual) for manual in (b"first", b"second"))
    for spec, cost in ((first, 1.0), (second, 2.0)):
        workspace.keep(record("manual", Schedule(base=spec.manual_hash), cost), spec, MACHINE)
    workspace.keep(record("adams2019", QUICK, 3.0), first, MACHINE)
    for spec, expected in ((first, [1.0, 3.0]), (second, [2.0, 3.0]), (SPEC, [3.0])):
        assert [cost for _, cost, _ in known(workspace, spec=spec)] == expected
    workspace.keep(record(TUNED, Schedule(base=first.manual_hash), 0.5), first, ON_IMAGE)
    assert workspace.best(first, MACHINE).name == TUNED
    assert workspace.best(second, MACHINE).name == "manual"


def test_what_tuning_left_without_a_comparison_counts_by_its_cost(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.keep(record("adams2019", SLOW, 1.0), SPEC, MACHINE)
    workspace.keep(replace(record(TUNED, QUICK, 2.5), compared=False), SPEC, MACHINE)
    assert workspace.best(SPEC, MACHINE).name == "adams2019"
    workspace.replace(record(TUNED, QUICK, 2.5), SPEC, MACHINE)  # of another moment, but it has won
    assert workspace.best(SPEC, MACHINE).name == TUNED


def test_what_another_run_has_removed_meanwhile_does_not_come_back(tmp_path: Path) -> None:
    """A comparison ends with what it began with, which tuning has replaced since, or found wrong."""
    workspace = Workspace(tmp_path)
    workspace.keep(record(TUNED, SLOW), SPEC, MACHINE)
    workspace.replace(record(TUNED, QUICK, 2.0), SPEC, MACHINE)
    workspace.keep(record(TUNED, SLOW, 0.5), SPEC, MACHINE, again=True)
    assert [each.schedule for each in workspace.records(SPEC, MACHINE)] == [QUICK]
    workspace.keep(record(TUNED, QUICK, 0.5), SPEC, MACHINE, again=True)
    assert [each.cost for each in workspace.records(SPEC, MACHINE)] == [0.5]


def test_a_record_of_a_newer_version_is_not_called_damaged(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.keep(record(TUNED, SLOW), SPEC, MACHINE)
    (file,) = tmp_path.glob(f"*/*/{TUNED}-*.json")
    document = json.loads(file.read_bytes())
    file.write_text(json.dumps({**document, "version": document["version"] + 1}))
    with pytest.raises(InputError, match=r"written by a newer version of hltune(.|\n)*use the newer hltune") as caught:
        workspace.records(SPEC, MACHINE)
    assert "delete" not in str(caught.value)
