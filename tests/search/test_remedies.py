"""What an expert would try against a fault, made without looking at a program."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hltune.schedule.loops import loop_nests
from hltune.schedule.parse import parse_schedule
from hltune.search import remedies
from hltune.search.remedies import Patient
from hltune.values.directives import (
    OUTERMOST,
    ComputeAt,
    Fuse,
    HoistStorage,
    HoistStorageRoot,
    Parallel,
    ReorderStorage,
    Schedule,
    Split,
    StoreAt,
    StoreRoot,
)
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Stage
from tests.search.made_up import pipeline

FUNCS = (FuncInfo(name="rows", args=("x", "y", "c")), FuncInfo(name="shown", args=("x", "y", "c")))
ROWS = Stage("rows")


def patient(text: str, *funcs: FuncInfo) -> Patient:
    funcs = funcs or FUNCS
    return Patient(pipeline(*funcs), parse_schedule(text, funcs), {"rows": frozenset(("shown",))}, vector_bytes=32)


def found(changes: Iterable[Schedule], *kinds: type) -> list[Any]:
    return [each for change in changes for each in change.directives if isinstance(each, kinds)]


def test_what_is_computed_in_the_outermost_loop_slides_over_it() -> None:
    changes = remedies.further_out(patient("rows.compute_at(shown, c);"), "rows")
    assert found(changes, StoreAt, StoreRoot) == [StoreRoot(ROWS)]
    inside = remedies.further_in(patient("rows.compute_root();"), "rows")
    assert StoreRoot(ROWS) in found(inside, StoreRoot)


def test_outside_of_all_loops_is_at_root_only_where_the_consumer_is() -> None:
    inner = patient("rows.compute_at(shown, c);")
    assert inner.stored(ROWS, "rows", OUTERMOST) == StoreAt(ROWS, "rows", OUTERMOST)
    assert inner.hoisted(ROWS, "rows", OUTERMOST) == HoistStorage(ROWS, "rows", OUTERMOST)
    assert inner.hoisted(ROWS, "shown", OUTERMOST) == HoistStorageRoot(ROWS)
    assert inner.stored(ROWS, "shown", "c") == StoreAt(ROWS, "shown", "c")


def test_threads_that_share_what_is_dense_get_vectors_of_it() -> None:
    """Such as a scan down columns, each a task: its loops are those of the reduction, and one that is parallel."""
    scan = FuncInfo(name="rows", args=("x", "y"), updates=(("r",),), update_args=(("x",),))
    text = "rows.compute_root(); rows.update(0).parallel(x);"
    changes = [*remedies.vectorised(patient(text, scan, FUNCS[1]), Stage("rows", 0), 4)]
    assert [[each.factor for each in found([change], Split)] for change in changes] == [[8], [32, 8]]
    for change in changes:
        assert found([change], Parallel) == [Parallel(Stage("rows", 0), "x")]
        nest = loop_nests(change, (scan, FUNCS[1])).loops[Stage("rows", 0)]
        assert [each.kind for each in nest] == ["vectorized", *["for"] * (len(nest) - 2), "parallel"]
        assert [each.name for each in nest if each.rvar] == ["r"]


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


def test_no_element_becomes_a_task_of_its_own() -> None:
    pair = FuncInfo(name="rows", args=("x", "y"))
    text = "rows.compute_root().split(x, x, xi, 8)"
    plain, vectors = (remedies.parallel(patient(each, pair), ROWS) for each in ("rows.compute_root();", f"{text};"))
    assert not found(plain, Fuse) and [(each.inner, each.outer) for each in found(vectors, Fuse)] == [("x", "y")]
