"""Where a Func may be computed and stored, as its consumer's loops tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hltune.schedule.loops import loop_nests
from hltune.schedule.parse import parse_schedule
from hltune.search.view import View
from hltune.values.directives import OUTERMOST, ComputeAt, Schedule
from hltune.values.pipeline import Constraint, FuncInfo
from hltune.values.roles import Stage
from tests.search.made_up import pipeline

ROWS = FuncInfo(name="rows", args=("x", "y"))
SHOWN = FuncInfo(name="shown", args=("x", "y"))
MEANS = FuncInfo(name="shown", args=("x", "y"), updates=(("r_x",), ()), update_args=(("x", "y"), ("x", "y")))


def view(text: str, *funcs: FuncInfo) -> View:
    schedule = parse_schedule(text, funcs)
    return View(list(schedule.directives), loop_nests(schedule, funcs), pipeline(*funcs))


def level(var: str) -> ComputeAt:
    return ComputeAt(Stage("rows"), "shown", var)


@pytest.mark.parametrize(
    ("text", "var", "outside"),
    [
        ("", "x", ["y", OUTERMOST]),
        ("", "y", [OUTERMOST]),
        ("", OUTERMOST, []),
        ("shown.parallel(y);", "x", ["y"]),
        ("shown.parallel(y);", "y", []),
        ("shown.split(y, y, yi, 8).parallel(y);", "x", ["yi", "y"]),
        ("shown.split(y, y, yi, 8).parallel(yi);", "yi", []),
    ],
)
def test_a_window_slides_over_serial_loops(text: str, var: str, outside: list[str]) -> None:
    """Over the outermost one as well, which is what there is on one thread."""
    assert view(text, ROWS, SHOWN).serially_outside(level(var)) == outside


def test_levels_are_loops_of_every_stage_of_a_consumer() -> None:
    loops = "split(y, yo, yi, 8).split(x, xo, xi, 8).reorder(xi, r_x, xo, yi, yo)"
    seen = view(f"shown.update(0).{loops}.vectorize(xi).parallel(yo);", ROWS, MEANS)
    assert seen.levels("shown") == ["x", "y", "r_x", "xo", "yi", "yo"]
    assert seen.serially_outside(level("r_x")) == ["xo", "yi", "yo"]
    assert [each.name for each in seen.outside(level("yi"))] == ["yo"] == seen.serially_outside(level("yi"))
    assert seen.serially_outside(level("x")) == ["y", OUTERMOST]


def test_what_an_rfactor_makes_is_no_output() -> None:
    seen = view("made = shown.update(0).rfactor({{r_x, u}});", ROWS, MEANS)
    assert [*seen.nests.args][-1] not in seen.placed
    assert {str(stage) for stage, _ in seen.serial_loops()} == {"shown", "shown.update(0)", "shown.update(1)"}


@pytest.mark.parametrize(
    ("text", "innermost"),
    [
        ("", "x"),
        ("rows.reorder_storage(y, x);", "y"),
        ("rows.reorder_storage(y, x);rows.reorder_storage(x, y);", "x"),
        ("rows.reorder_storage(c, y);", "x"),
        ("rows.reorder_storage(c, x);", "c"),
    ],
)
def test_neighbours_in_memory_are_of_the_innermost_dimension(text: str, innermost: str) -> None:
    deep = FuncInfo(name="rows", args=("x", "y", "c"))
    assert view(text, deep, SHOWN).innermost_stored("rows") == innermost


def test_an_output_is_stored_as_it_was_promised() -> None:
    colours, number = FuncInfo(name="colours", args=("x", "y", "c")), FuncInfo(name="number", args=())
    spec = pipeline(number, colours)
    strides = tuple(Constraint(stride=stride) for stride in (3, None, 1))
    interleaved = replace(spec, outputs=(replace(spec.outputs[0], constraints=strides),))
    nests = loop_nests(Schedule(), spec.funcs)
    assert View([], nests, interleaved).innermost_stored("colours") == "c"
    assert View([], nests, spec).innermost_stored("colours") == "x"
    assert View([], nests, spec).innermost_stored("number") is None
