"""What is changed in one stage is changed in all that are scheduled alike; two schedules are combined by stages."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hltune.schedule.loops import loop_nests
from hltune.schedule.parse import parse_schedule
from hltune.search.mutation import Parent as Of
from hltune.search.mutation import combine, mutants, mutate, neighbours
from hltune.search.twins import alike
from hltune.search.view import legal
from hltune.values.directives import AlignStorage, Directive, Schedule
from hltune.values.pipeline import FuncInfo
from hltune.values.provenance import Mutated
from hltune.values.roles import Stage
from hltune.values.schedule_codec import schedule_hash
from tests.search.made_up import pipeline

FUNCS = tuple(FuncInfo(name=name, args=("x", "y")) for name in ("edge", "a", "b", "c", "d", "output"))


def root(func: str, *, rows: int = 32, lanes: int = 16) -> str:
    loops = f"split(y, strip, row, {rows}).split(x, xo, xi, {lanes}).reorder(xi, xo, row, strip)"
    return f"{func}.compute_root().{loops}.vectorize(xi).parallel(strip);"


def inside(func: str, consumer: str, level: str = "row", *, lanes: int = 16, more: str = "") -> str:
    return f"{func}.compute_at({consumer}, {level}).split(x, xo, xi, {lanes}).vectorize(xi){more};"


def schedule(*texts: str) -> Schedule:
    return parse_schedule("".join(texts), FUNCS)


PARENT = (inside("a", "b"), root("b"), inside("c", "d", "strip"), root("d"), root("output", rows=64))


def spread(before: Schedule, after: Schedule) -> set[Directive]:
    found = alike(list(before.directives), list(after.directives))
    assert found is not None
    loop_nests(Schedule(tuple(found)), FUNCS)
    return set(found)


def test_stages_in_other_consumers_are_alike_and_stay_there() -> None:
    before = schedule(*PARENT)
    after = schedule(inside("a", "b", lanes=32), *PARENT[1:])
    wanted = schedule(inside("a", "b", lanes=32), PARENT[1], inside("c", "d", "strip", lanes=32), *PARENT[3:])
    assert spread(before, after) == set(wanted.directives)


def test_what_has_another_factor_is_not_alike() -> None:
    before = schedule(*PARENT)
    after = schedule(PARENT[0], root("b", rows=16), *PARENT[2:])
    wanted = schedule(PARENT[0], root("b", rows=16), PARENT[2], root("d", rows=16), PARENT[4])
    assert spread(before, after) == set(wanted.directives)
    single = schedule(*PARENT[:4], root("output", rows=128))
    assert alike(list(before.directives), list(single.directives)) is None


def test_a_new_level_is_the_same_loop_of_the_others_consumer() -> None:
    before = schedule(*PARENT)
    after = schedule(inside("a", "b", more=".store_at(b, strip)"), *PARENT[1:])
    wanted = inside("c", "d", "strip", more=".store_at(d, strip)")
    assert spread(before, after) == set(
        schedule(inside("a", "b", more=".store_at(b, strip)"), PARENT[1], wanted, *PARENT[3:]).directives
    )
    moved = schedule(inside("a", "b", "strip"), *PARENT[1:])
    assert spread(before, moved) == set(moved.directives)  # where c is already


def test_loops_without_names_are_told_by_their_order() -> None:
    """As those are which Adams2019 makes: each has a number of its own."""
    text = "{0}.compute_root().split(x, x, {1}, 16).split(y, y, {2}, {3}).vectorize({1}).parallel(y);"
    before = schedule(text.format("a", "v0", "v1", 8), text.format("b", "v2", "v3", 8), root("output"))
    after = schedule(text.format("a", "v0", "v1", 4), text.format("b", "v2", "v3", 8), root("output"))
    wanted = schedule(text.format("a", "v0", "v1", 4), text.format("b", "v2", "v3", 4), root("output"))
    assert spread(before, after) == set(wanted.directives)


def test_where_one_name_would_become_that_of_two_loops_stages_are_not_alike() -> None:
    """Columns in place of rows: what the one calls `y` is `x` in the other, but the one has a loop `x`, too."""
    one, other = "split(y, y, yi, 8).reorder(yi, y, x)", "split(x, x, xi, 8).reorder(xi, x, y)"
    texts = [f"{func}.compute_root().{loops};" for func, loops in zip("abcd", (one, other, one, other), strict=True)]
    before = schedule(*texts, root("output"))
    for number in range(4):
        wider = [each.replace("8", "16") if number % 2 == k % 2 else each for k, each in enumerate(texts)]
        after = schedule(*texts[:number], wider[number], *texts[number + 1 :], root("output"))
        assert spread(before, after) == set(schedule(*wider, root("output")).directives)


def test_inlining_one_inlines_all() -> None:
    before = schedule(*PARENT)
    after = schedule(*PARENT[1:])
    assert spread(before, after) == set(schedule(PARENT[1], *PARENT[3:]).directives)


def test_an_update_is_no_twin_of_a_func() -> None:
    """Of which more can be said, such as where it is stored."""
    funcs = (FuncInfo(name="sum", args=("x", "y"), updates=((),), update_args=(("x", "y"),)), *FUNCS)
    parent = parse_schedule("sum.vectorize(x, 8); sum.update(0).vectorize(x, 8); a.vectorize(x, 8);", funcs)
    changed = parse_schedule(
        f"{'sum.vectorize(x, 8); sum.update(0).vectorize(x, 8);'} a.vectorize(x, 8).align_storage(x, 32);", funcs
    )
    found = alike(list(parent.directives), list(changed.directives))
    assert found is not None
    assert {each.stage for each in found if isinstance(each, AlignStorage)} == {Stage("a"), Stage("sum")}


@given(st.integers(0, 2**32 - 1))
def test_any_mutant_is_a_schedule(seed: int) -> None:
    """Of stages of all kinds, some of which are scheduled alike."""
    funcs = (
        tuple(FuncInfo(name=name, args=("x", "y"), updates=(("r",),), update_args=(("x", "y"),)) for name in "abc")
        + FUNCS[3:]
    )
    split = "split(x, xo, xi, 16).vectorize(xi)"
    text = "".join(f"{name}.compute_root().{split};{name}.update(0).{split}.parallel(y);" for name in "abc")
    schedule, rng = (
        parse_schedule(text + f"d.compute_at(output, y).{split};output.{split};", funcs),
        np.random.default_rng(seed),
    )
    for _ in range(4):
        mutant = mutate(schedule, pipeline(*funcs), rng)
        if mutant is None:
            break
        loop_nests(mutant.schedule, funcs)
        schedule = mutant.schedule
    assert all(each.schedule != schedule for _, each in neighbours(schedule, funcs, np.random.default_rng(0)))


def test_neighbours_of_all_that_are_alike_come_first() -> None:
    found = [each for _, each in neighbours(schedule(*PARENT), FUNCS, np.random.default_rng(0))]
    changes = [each.provenance.changes for each in found if isinstance(each.provenance, Mutated)]
    several = [each for each in changes if each == ("scale", "alike")]
    # Two kinds of two stages, with three factors, and the output.
    assert len(several) == 6 and changes == [*several, *[("scale",)] * (2 * 8)]
    assert len({schedule_hash(each.schedule) for each in found}) == len(found)


@given(st.integers(0, 2**32 - 1))
def test_a_combination_has_each_stage_of_one_of_both(seed: int) -> None:
    one = schedule(*PARENT)
    other = schedule(inside("a", "b", lanes=8), PARENT[1], root("d", rows=8), root("output", rows=16))
    child = combine(one, other, FUNCS, np.random.default_rng(seed))
    if child is None:  # c is computed in a loop of d, which has the same loops in both
        raise AssertionError
    assert legal(child.schedule.directives, FUNCS) == child.schedule not in (one, other)
    for func in FUNCS:
        own = [[each for each in of.directives if each.stage.func == func.name] for of in (child.schedule, one, other)]
        assert own[0] in own[1:]


def test_what_differs_in_one_stage_is_not_combined() -> None:
    one, other = schedule(*PARENT), schedule(*PARENT[:4], root("output", rows=128))
    assert combine(one, other, FUNCS, np.random.default_rng(0)) is None


def test_mutants_are_of_both_kinds() -> None:
    parents = [Of(schedule(*PARENT), 1.0), Of(schedule(inside("a", "b", lanes=8), root("b"), root("output")), 1.02)]
    made = mutants(parents, pipeline(*FUNCS), np.random.default_rng(0), wanted=200, known=lambda _: False)
    changes = [each.provenance.changes for each in made.values() if isinstance(each.provenance, Mutated)]
    assert sum("alike" in each for each in changes) > 20 and sum(each == ("combine",) for each in changes) > 3
