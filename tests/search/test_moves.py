"""Changes that regroup stages: what is computed and kept in whose loops afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from hltune.schedule.parse import parse_schedule
from hltune.search.moves import beside, joined, moves, parted
from hltune.search.remedies import Patient
from hltune.values.directives import ComputeAt, ComputeRoot, Directive, Parallel, Schedule, Split, StoreAt, StoreRoot
from hltune.values.pipeline import FuncInfo
from tests.search.made_up import pipeline

FUNCS = tuple(FuncInfo(name=name, args=("x", "y")) for name in ("one", "two", "three", "four"))
CONSUMERS = {before.name: frozenset((later.name,)) for before, later in pairwise(FUNCS)}
GROUPS = """
    four.split(y, yo, y, 16).parallel(yo);
    three.store_at(four, yo).compute_at(four, y);
    two.split(y, yo, y, 16).parallel(yo).compute_root();
    one.store_at(two, yo).compute_at(two, y);
"""
"""Two groups of two, each of whose tasks is a strip."""
ONE_GROUP = """
    four.split(y, yo, y, 16).parallel(yo);
    three.store_at(four, yo).compute_at(four, y);
    two.store_at(four, yo).compute_at(four, y);
    one.store_at(four, yo).compute_at(four, y);
"""


def patient(text: str, consumers: dict[str, frozenset[str]] = CONSUMERS) -> Patient:
    return Patient(pipeline(*FUNCS), parse_schedule(text, FUNCS), consumers, vector_bytes=32)


def changed(
    change: Callable[[Patient, str], Iterator[list[Directive]]], of: Patient, func: str
) -> list[dict[str, str]]:
    """Where everything is after each change that makes a schedule."""
    made = [schedule for directives in change(of, func) for schedule in of.changed(directives)]
    assert len(made) == len(set(made))
    return [places(each) for each in made]


def places(schedule: Schedule) -> dict[str, str]:
    """By Func: where it is computed, and where it is kept, if that is said."""
    found: dict[str, str] = {}
    for each in schedule.directives:
        match each:
            case ComputeRoot(stage):
                found[stage.func] = "root" + found.get(stage.func, "")
            case ComputeAt(stage, consumer, var):
                found[stage.func] = f"{consumer}.{var}" + found.get(stage.func, "")
            case StoreAt(stage, consumer, var):
                found[stage.func] = found.get(stage.func, "") + f" in {consumer}.{var}"
            case StoreRoot(stage):
                found[stage.func] = found.get(stage.func, "") + " in root"
            case _:
                pass
    return found


def loops(schedule: Schedule, func: str) -> list[tuple[type, str]]:
    """What a Func's own loops become."""
    own = [each for each in schedule.directives if each.stage.func == func]
    return [
        (type(each), each.old if isinstance(each, Split) else each.var)
        for each in own
        if isinstance(each, Split | Parallel)
    ]


def test_two_groups_become_one() -> None:
    """All that was computed in the loops of the first goes into those of the second."""
    found = changed(joined, patient(GROUPS), "two")
    assert {"three": "four.y in four.yo", "two": "four.y", "one": "four.y"} in found
    assert {"three": "four.y in four.yo", "two": "four.y in four.yo", "one": "four.y in four.yo"} in found
    of = patient(GROUPS)
    for schedule in (each for directives in joined(of, "two") for each in of.changed(directives)):
        assert (Parallel, "yo") not in loops(schedule, "two")


def test_a_func_goes_into_any_loop_around_its_consumer_with_what_is_in_its_own_loops_or_without() -> None:
    found = changed(joined, patient(GROUPS), "two")
    alone = {"three": "four.y in four.yo", "two": "four.yo", "one": "two.y in two.yo"}
    assert alone in found and alone | {"one": "four.yo"} in found


def test_where_a_consumer_is_deep_inside_all_loops_around_it_are_tried() -> None:
    text = "three.compute_at(four, x); four.split(x, xo, x, 8); two.compute_at(three, y); one.compute_root();"
    found = changed(joined, patient(text), "one")
    assert {"three.y", "four.x", "four.xo", "four.y"} <= {each["one"].partition(" ")[0] for each in found}


def test_what_others_read_as_well_goes_where_all_of_them_are() -> None:
    """Elsewhere, Halide would refuse it."""
    consumers = CONSUMERS | {"one": frozenset(("two", "four"))}
    text = "two.compute_root(); three.compute_root(); one.compute_root();"
    assert not changed(joined, patient(text, consumers), "one")
    text = "two.compute_at(four, y); three.compute_at(four, x); one.compute_root();"
    assert {each["one"].partition(" ")[0] for each in changed(joined, patient(text, consumers), "one")} == {"four.y"}


def test_what_the_threads_shared_is_not_rounded_up_to_their_shares() -> None:
    """Each would compute its 16 rows for every row that is needed."""
    of = patient(GROUPS)
    found = [each for directives in joined(of, "two") for each in of.changed(directives)]
    splits = [each for schedule in found for each in schedule.directives if isinstance(each, Split)]
    assert {each.tail for each in splits if each.stage.func == "two"} == {"GuardWithIf"}
    assert {each.tail for each in splits if each.stage.func == "four"} == {"Auto"}


def test_where_a_loop_gives_the_threads_their_work_in_each_iteration_so_does_what_goes_in_there() -> None:
    text = "three.compute_root().parallel(y); two.compute_root().split(y, yo, y, 16).parallel(yo); one.compute_root();"
    of = patient(f"{text} three.reorder(y, x).parallel(x);")
    found = [each for directives in joined(of, "two") for each in of.changed(directives)]
    serial = [each for each in found if loops(each, "two") == [(Split, "y"), (Parallel, "yo")]]
    assert [places(each)["two"] for each in serial] == ["three.x"]
    assert loops(serial[0], "three") == [(Parallel, "y")]


def test_a_group_is_parted() -> None:
    """What only the first part needs goes with it; the rest stays."""
    of = patient(ONE_GROUP)
    found = changed(parted, of, "two")
    (row,) = {each["one"].partition(" ")[0] for each in found if " in " in each["one"]}
    assert {"three": "four.y in four.yo", "two": "root", "one": f"{row} in two.y"} in found
    assert {"three": "four.y in four.yo", "two": "root", "one": "two.y"} in found
    schedule = next(each for directives in parted(of, "two") for each in of.changed(directives))
    assert loops(schedule, "two") == [(Split, "y"), (Parallel, "y")]


def test_what_others_of_the_group_need_stays_in_it() -> None:
    """Else they would be computed before it."""
    consumers = CONSUMERS | {"one": frozenset(("two", "three"))}
    found = changed(parted, patient(ONE_GROUP, consumers), "two")
    assert [each["one"] for each in found] == ["four.y in four.yo"]


def test_a_producer_goes_where_its_consumer_is() -> None:
    text = GROUPS + "two.compute_root();"
    found = changed(
        beside, patient(text.replace("one.store_at(two, yo).compute_at(two, y);", "one.compute_root();")), "two"
    )
    assert {each["two"] for each in found} == {"four.y", "four.y in four.yo"}
    assert {each["one"] for each in found} == {"root"}


@pytest.mark.parametrize("func", ["four", "one"])
def test_outputs_and_what_is_inlined_stay(func: str) -> None:
    assert not [*moves(patient(GROUPS.replace("one.store_at(two, yo).compute_at(two, y);", "")), func)]


def test_all_of_them_are_other_schedules() -> None:
    of = patient(GROUPS)
    found = [*moves(of, "two")]
    assert len(found) > 3 and of.schedule not in found
