"""What an expert would try against a fault, made without looking at a program."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hltune.schedule.parse import parse_schedule
from hltune.search import remedies
from hltune.search.remedies import Patient
from hltune.values.directives import OUTERMOST, ComputeAt, ReorderStorage, Schedule, Split, StoreAt
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Stage
from tests.search.made_up import pipeline

FUNCS = (FuncInfo(name="rows", args=("x", "y", "c")), FuncInfo(name="shown", args=("x", "y", "c")))
ROWS = Stage("rows")


def patient(text: str) -> Patient:
    return Patient(pipeline(*FUNCS), parse_schedule(text, FUNCS), {"rows": frozenset(("shown",))}, vector_bytes=32)


def found(changes: Iterable[Schedule], *kinds: type) -> list[Any]:
    return [each for change in changes for each in change.directives if isinstance(each, kinds)]


def test_what_is_computed_in_the_outermost_loop_slides_over_it() -> None:
    changes = remedies.further_out(patient("rows.compute_at(shown, c);"), "rows")
    assert found(changes, StoreAt) == [StoreAt(ROWS, "shown", OUTERMOST)]
    inside = remedies.further_in(patient("rows.compute_root();"), "rows")
    assert StoreAt(ROWS, "shown", OUTERMOST) in found(inside, StoreAt)


def test_what_is_brought_further_out_stays_in_the_same_stage() -> None:
    text = "rows.compute_at(shown, yi); shown.split(y, yo, yi, 8);"
    changes = remedies.further_out(patient(text), "rows")
    assert [each.var for each in found(changes, ComputeAt)][-2:] == ["yo", "c"]


def test_vectors_are_of_what_is_dense_in_memory() -> None:
    first, *_ = remedies.vectorised(patient("rows.compute_root().reorder_storage(c, x, y);"), ROWS, 4)
    assert [each.old for each in found([first], Split)] == ["c"]


def test_another_dimension_may_be_innermost_in_memory() -> None:
    changes = [*remedies.stored_otherwise(patient("rows.compute_root().reorder_storage(c, x, y);"), "rows")]
    assert [found([each], ReorderStorage) for each in changes] == [[], [ReorderStorage(ROWS, ("y", "x", "c"))]]
