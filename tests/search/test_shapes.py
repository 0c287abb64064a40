"""What belongs together is computed by vectors of the same dimension."""

from __future__ import annotations

import pytest

from hltune.schedule.loops import loop_nests
from hltune.schedule.parse import parse_schedule
from hltune.search.remedies import Patient, computed
from hltune.search.shapes import like, outermost
from hltune.search.view import View
from hltune.values.directives import Parallel, ReorderStorage, Split
from hltune.values.pipeline import FuncInfo
from tests.search.made_up import pipeline

FUNCS = (
    FuncInfo(name="rows", args=("x", "y", "k")),
    FuncInfo(name="sums", args=("x", "k")),
    FuncInfo(name="whole", args=("x", "y", "k")),
)
ROWS = """
    rows.compute_root().reorder_storage(k, x, y).split(k, ko, ki, 4, TailStrategy::RoundUp)
        .split(y, strip, y, 32).reorder(ki, ko, x, y, strip).vectorize(ki).parallel(strip);
"""


def view(text: str) -> View:
    schedule = parse_schedule(text, FUNCS)
    return View([*schedule.directives], loop_nests(schedule, FUNCS), pipeline(*FUNCS))


def test_vectors_order_and_memory_are_taken_over_and_tiles_are_not() -> None:
    found = like(view(ROWS), "rows", "whole")
    text = "whole.reorder_storage(k, x, y).split(k, k, ki, 4, TailStrategy::RoundUp).reorder(ki, k, x, y)"
    assert tuple(found) == parse_schedule(f"{text}.vectorize(ki);", FUNCS).directives
    assert outermost(("x", "y", "k"), found) == "y"


def test_variables_that_the_other_does_not_have_are_left_out() -> None:
    expected = parse_schedule(
        "sums.reorder_storage(k, x).split(k, k, ki, 4, TailStrategy::RoundUp).reorder(ki, k, x).vectorize(ki);", FUNCS
    )
    assert tuple(like(view(ROWS), "rows", "sums")) == expected.directives


def test_a_vector_that_is_a_part_of_a_tile_is_one_of_the_whole_variable() -> None:
    """A Func in a small loop would compute as much as a tile of the other one has."""
    tiled = "rows.compute_root().split(x, xo, xt, 128).split(xt, xt, xi, 8).vectorize(xi).vectorize(k);"
    found = like(view(tiled), "rows", "sums")
    assert tuple(found) == parse_schedule("sums.split(x, x, xi, 8).vectorize(xi).vectorize(k);", FUNCS).directives
    assert outermost(("x", "k"), found) == "x" and outermost(("k",), found) == "k"


@pytest.mark.parametrize("text", ["rows.compute_root().parallel(y);", "rows.compute_root().vectorize(y, 8);"])
def test_without_vectors_of_a_common_variable_there_is_nothing(text: str) -> None:
    assert like(view(text), "rows", "sums") == []


def test_a_new_buffer_is_tried_with_the_vectors_of_what_it_reads() -> None:
    schedule = parse_schedule(ROWS + "whole.parallel(y);", FUNCS)
    consumers = {"rows": frozenset(("sums",)), "sums": frozenset(("whole",))}
    patient = Patient(pipeline(*FUNCS), schedule, consumers, vector_bytes=32)
    made = [*computed(patient, "sums", 4)]
    own = [[each for each in schedule.directives if each.stage.func == "sums"] for schedule in made]
    at_root = [directives for directives in own if any(isinstance(each, Parallel) for each in directives)]
    along = {next(each.old for each in directives if isinstance(each, Split)): directives for directives in at_root}
    assert along.keys() == {"k", "x"}
    assert any(isinstance(each, ReorderStorage) for each in along["k"])
    (threads,) = (each.var for each in along["k"] if isinstance(each, Parallel))
    assert threads == "x"
