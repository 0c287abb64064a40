"""What each operator may do to a schedule, and what it leaves alone because Halide would refuse it."""

from __future__ import annotations

import numpy as np
import pytest

from hltune.schedule.loops import loop_nests
from hltune.schedule.parse import parse_schedule
from hltune.search.operators import OPERATORS, Context, chances
from hltune.values.directives import AlignStorage, ComputeAt, Directive, Parallel, Reorder, Schedule, Split, Unroll
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.roles import Stage
from tests.search.made_up import pipeline

TAPS = FuncInfo(
    name="taps", args=("x", "c"), updates=(("r_x", "r_y"),), update_args=(("x", "c"),), extents=((3, 1000),)
)
SHOWN = FuncInfo(name="shown", args=("x", "c"))
BOTH = pipeline(TAPS, SHOWN)


def tried(operator: str, text: str, spec: PipelineSpec) -> list[Schedule]:
    """What an operator makes of a schedule in many tries."""
    schedule = parse_schedule(text, spec.funcs)
    (found,) = (each for each in OPERATORS if each.name == operator)
    nests = loop_nests(schedule, spec.funcs)
    context = Context(list(schedule.directives), nests, spec, np.random.default_rng(0))
    made: list[Schedule] = []
    for _ in range(60):
        at = None if found.kind is None else context.any_of(found.kind)
        given = () if at is None else (at, context.directives[at])
        if (found.kind is None or given) and (directives := found.change(context, *given)) is not None:
            made.append(Schedule(tuple(directives)))
    return made


def added(operator: str, text: str, spec: PipelineSpec) -> set[Directive]:
    """The directives that an operator adds or changes."""
    before = parse_schedule(text, spec.funcs).directives
    return {directive for each in tried(operator, text, spec) for directive in each.directives} - {*before}


def test_what_takes_the_time_is_changed_more_often() -> None:
    schedule = parse_schedule("taps.compute_root().split(x, x, xi, 8);shown.split(x, x, xi, 8);", BOTH.funcs)
    nests, rng = loop_nests(schedule, BOTH.funcs), np.random.default_rng(0)
    for shares, least, most in ((None, 150, 250), ({"taps": 0.9, "shown": 0.0}, 10, 80)):
        context = Context(list(schedule.directives), nests, BOTH, rng, shares=shares)
        found = [schedule.directives[at] for _ in range(400) if (at := context.any_of(Split)) is not None]
        assert len(found) == 400 and least < sum(each.stage.func == "shown" for each in found) < most
    assert chances(["a", "a", "b"], {"b": 1.0}) == pytest.approx([0.1 / 1.3, 0.1 / 1.3, 1.1 / 1.3])
    assert chances(["a"], {}) == pytest.approx([1.0])


def test_short_reductions_are_unrolled() -> None:
    found = added("unroll", "taps.compute_root();", BOTH)
    assert found == {Unroll(Stage("taps", 0), "r_x")}
    split = added("unroll", "taps.compute_root();taps.update(0).split(r_y, r_y, ri, 250);", BOTH)
    assert split == {Unroll(Stage("taps", 0), name) for name in ("r_x", "r_y")}


def test_a_dimension_with_a_short_bound_is_unrolled() -> None:
    assert added("unroll", "shown.bound(c, 0, 3).bound(x, 0, 640);", BOTH) == {Unroll(Stage("shown"), "c")}
    outer = added("unroll", "shown.bound(c, 0, 8).split(c, c, ci, 2);", BOTH)
    assert outer == {Unroll(Stage("shown"), name) for name in ("c", "ci")}


def test_no_output_is_computed_in_a_loop_of_another_one() -> None:
    two = pipeline(TAPS, FuncInfo(name="first", args=("x", "c")), SHOWN, outputs=("first", "shown"))
    found = [each for each in added("materialise", "shown.vectorize(x, 8);", two) if isinstance(each, ComputeAt)]
    assert {(each.stage.func, each.consumer) for each in found} == {("taps", "first"), ("taps", "shown")}


def test_rows_in_memory_are_aligned() -> None:
    found = added("align", "taps.reorder_storage(c, x).compute_at(shown, x);", BOTH)
    assert {each.var for each in found if isinstance(each, AlignStorage)} == {"c"}


def test_tails_are_those_that_the_loop_may_have() -> None:
    splits = "split(x, x, xi, 8)", "update(0).split(x, x, xi, 8)", "update(0).split(r_y, r_y, ri, 8)"
    shift, update, reduction = (
        {each.tail for each in added("tail", f"taps.{split};", BOTH) if isinstance(each, Split)} for split in splits
    )
    assert shift == {"GuardWithIf", "Predicate", "RoundUp", "ShiftInwards"}
    assert update == shift - {"ShiftInwards"} and reduction == {"GuardWithIf", "Predicate"}


@pytest.mark.parametrize("place", ["compute_root()", "compute_at(shown, c)"])
def test_what_is_computed_anywhere_is_inlined_or_aligned(place: str) -> None:
    text = f"taps.{place};shown.compute_root().vectorize(x, 8);"
    left = parse_schedule("shown.compute_root().vectorize(x, 8);", BOTH.funcs)
    assert {*tried("inline", text, BOTH)} == {left}  # nor is an output
    found = added("align", text, BOTH)
    assert found == {AlignStorage(Stage("taps"), "x", alignment) for alignment in (32, 64, 128)}


def test_in_whose_loops_others_are_computed_is_not_inlined() -> None:
    deep = pipeline(FuncInfo(name="first", args=("x", "c")), TAPS, SHOWN)
    made = tried("inline", "first.compute_at(taps, x);taps.compute_root();", deep)
    assert {*made} == {parse_schedule("taps.compute_root();", deep.funcs)}


def test_loops_in_their_first_order_are_reordered() -> None:
    update = Stage("taps", 0)
    found = added("reorder", "taps.compute_root();shown.reorder(c, x);", BOTH)
    assert found == {
        Reorder(Stage("shown"), ("x", "c")),
        Reorder(Stage("taps"), ("c", "x")),
        Reorder(update, ("x", "r_y")),
        Reorder(update, ("c", "x")),
    }
    assert added("reorder", "shown.split(x, x, xi, 8).vectorize(xi);", pipeline(SHOWN)) == {
        Reorder(Stage("shown"), ("c", "x"))
    }


def test_threads_are_given_more_and_less() -> None:
    made = tried("parallel", "shown.split(x, x, xi, 8).parallel(c);taps.compute_root();", BOTH)
    found = {frozenset(each for each in schedule.directives if isinstance(each, Parallel)) for schedule in made}
    before = Parallel(Stage("shown"), "c")
    more = {frozenset((before, Parallel(stage, "c"))) for stage in (Stage("taps"), Stage("taps", 0))}
    moved = {frozenset((Parallel(Stage("shown"), var),)) for var in ("x", "xi")}
    assert found == {frozenset(), *more, *moved}
