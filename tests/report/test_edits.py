"""Edits that people read make the schedule that they are the edits of."""

from __future__ import annotations

import pytest

from hltune.report.edits import edits
from hltune.schedule.loops import loop_nests
from hltune.schedule.parse import parse_schedule
from hltune.schedule.text import directive_text
from hltune.search import remedies
from hltune.search.remedies import Patient
from hltune.values.directives import Schedule
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Stage
from tests.search.made_up import pipeline

FUNCS = (FuncInfo(name="rows", args=("x", "y")), FuncInfo(name="shown", args=("x", "y")))
ROWS = Stage("rows")


def schedule(text: str) -> Schedule:
    return parse_schedule(text, FUNCS)


def lines(old: str, new: str) -> list[str]:
    found = edits(schedule(old), schedule(new))
    return [f"{'+' if each.comes else '-'} {directive_text(each.directive)}" for each in found]


def edited(old: Schedule, new: Schedule) -> Schedule:
    """Without what goes, and with what comes after all else."""
    found = edits(old, new)
    gone = [each.directive for each in found if not each.comes]
    kept = [each for each in old.directives if each not in gone]
    return Schedule((*kept, *(each.directive for each in found if each.comes)))


@pytest.mark.parametrize(
    "text",
    [
        "rows.compute_root().split(x, x, xi, 8).vectorize(xi).parallel(y);",
        "rows.parallel(y).split(x, x, xi, 8).vectorize(xi).compute_root();",
        "rows.compute_root().split(x, x, xi, 8).reorder(xi, y, x).vectorize(xi).parallel(x);",
        "rows.compute_root().parallel(x);",
    ],
)
def test_who_applies_edits_has_the_loops_of_the_change(text: str) -> None:
    """Of a parallel loop that is split, the outer one stays parallel, and the inner one must not be."""
    patient = Patient(pipeline(*FUNCS), schedule(text), {"rows": frozenset(("shown",))}, vector_bytes=32)
    changes = [*remedies.brought_inside(patient, ROWS, (4, 16), unrolled=True), *remedies.vectorised(patient, ROWS, 4)]
    assert changes
    for change in changes:
        loops = loop_nests(edited(patient.schedule, change), FUNCS).loops
        assert loops == loop_nests(change, FUNCS).loops


def test_what_has_to_come_later_goes_and_comes_again() -> None:
    assert lines("rows.vectorize(x).parallel(y);", "rows.vectorize(x).split(y, y, yi, 8).parallel(y);") == [
        "- rows.parallel(y)",
        "+ rows.split(y, y, yi, 8, TailStrategy::Auto)",
        "+ rows.parallel(y)",
    ]


def test_what_differs_in_numbers_alone_takes_the_place_of_the_other() -> None:
    old = "rows.split(y, y, yi, 8).reorder(x, yi, y).parallel(y);"
    assert lines(old, old.replace("8", "4")) == [
        "- rows.split(y, y, yi, 8, TailStrategy::Auto)",
        "+ rows.split(y, y, yi, 4, TailStrategy::Auto)",
    ]


@pytest.mark.parametrize(
    "new",
    [
        "rows.split(x, x, xi, 8).vectorize(xi).parallel(y).compute_root(); shown.parallel(y);",
        "shown.parallel(y); rows.compute_root().split(x, x, xi, 8).vectorize(xi).parallel(y);",
    ],
)
def test_where_a_directive_stands_may_make_no_difference(new: str) -> None:
    """Where a Func is computed is no matter of its loops, and stages do not know of each other."""
    old = "rows.compute_root().split(x, x, xi, 8).vectorize(xi).parallel(y); shown.parallel(y);"
    assert lines(old, new) == []


def test_an_order_of_loops_changes_no_kinds() -> None:
    assert lines("rows.vectorize(x).parallel(y);", "rows.reorder(y, x).vectorize(x).parallel(y);") == [
        "+ rows.reorder(y, x)"
    ]
