"""Which schedules the workspace hands out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hltune.values.directives import Schedule, Unroll
from hltune.values.provenance import Named
from hltune.values.roles import Stage
from hltune.workspace.records import TUNED, Record, Workspace
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
