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
