"""What two lowered programs do not have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hltune.lowered.account import Account, Body, Level
from hltune.lowered.estimate import TERMS
from hltune.report.explanation import explained
from hltune.values.roles import Stage
from tests.report.explained import FOUND, UNREADABLE, explanation


def nest(*loops: tuple[str, str, float], lanes: float = 8.0) -> Account:
    """One store in these loops, each of a kind, with a variable of the algorithm and a name, and an extent."""
    stage = Stage("out")
    levels = tuple(
        Level(
            stage=stage,
            var=name.split(".")[-1],
            dimension=name.split(".")[0],
            kind=kind,
            extent=extent,
            entries=1.0,
            touched=64.0,
        )
        for kind, name, extent in loops
    )
    features = {"points": 1.0, "guarded": 1.0, "tasks": 1.0}
    body = Body(
        stage=stage,
        buffer="out",
        levels=levels,
        features=features,
        terms={"compute": 1e-3, "scattered": 0.0},
        loaded={},
        run_bytes=64.0,
        element_bytes=1,
        lanes=lanes,
    )
    return Account(
        bodies=(body,),
        allocations=(),
        held=(),
        terms=dict.fromkeys(TERMS, 0.0) | {"compute": 1e-3},
        launches=0.0,
        program_hash=repr((loops, lanes)),
    )


def differing(*programs: Account) -> list[list[str]]:
    """Of each, the variables of the loops, or "store", that differ."""
    found: Any = explained(explanation(*(replace(FOUND, account=each, advice=None) for each in programs)))
    return [[row.get("loop", "store") for row in each["loops"] if row.get("differs")] for each in found["schedules"]]


ROWS = ("parallel", "y", 60.0), ("serial", "x", 16.0)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (nest(*ROWS), [[], []]),
        (nest(("parallel", "y.strip", 60.0), ROWS[1]), [[], []]),  # the same loop by another name
        (nest(("serial", "y", 60.0), ROWS[1]), [["y"], ["y"]]),
        (nest(ROWS[0], ("serial", "x", 32.0)), [["x"], ["x"]]),
        (nest(*ROWS, lanes=4.0), [["store"], ["store"]]),
        (nest(("parallel", "x", 60.0), ("serial", "y", 16.0)), [["y", "x"], ["x", "y"]]),  # they changed places
        (nest(ROWS[0], ("serial", "x.xo", 4.0), ("serial", "x.xi", 4.0)), [["x", "store"], ["xo", "xi", "store"]]),
    ],
)
def test_what_only_one_of_two_has_is_marked(other: Account, found: list[list[str]]) -> None:
    assert differing(nest(*ROWS), other) == found


def test_what_could_not_be_read_differs_in_nothing_that_is_known() -> None:
    unread = replace(FOUND, account=UNREADABLE, advice=None)
    for pair in ((unread, replace(FOUND, account=nest(*ROWS), advice=None)), (unread, unread)):
        document: Any = explained(explanation(*pair))
        assert not any("differs" in row for each in document["schedules"] for row in each["loops"])


def test_one_alone_differs_from_nothing() -> None:
    document: Any = explained(explanation(replace(FOUND, account=nest(*ROWS), advice=None)))
    assert not any("differs" in row for row in document["schedules"][0]["loops"])


@pytest.mark.parametrize("first", [True, False])
def test_a_func_is_computed_as_most_of_it_is(*, first: bool) -> None:
    """Not as its pure stage is, where nearly all of the time goes into an update."""
    quick, slow = (nest(*ROWS, lanes=lanes).bodies[0] for lanes in (16.0, 1.0))
    slow = replace(slow, features={**slow.features, "tasks": 60.0}, terms={"compute": 9e-3, "scattered": 0.0})
    account = replace(nest(*ROWS), bodies=(quick, slow) if first else (slow, quick))
    (found,) = explained(explanation(replace(FOUND, account=account, advice=None)))["schedules"]
    (func,) = (each for each in found["funcs"] if each["name"] == "out")
    assert (func["lanes"], func["tasks"]) == (1.0, 60.0)


@pytest.mark.parametrize(("loaded", "found"), [({}, [["out", "rows"]]), ({"between": 1.0}, [])])
def test_loops_in_common_are_told_from_places_in_loops(loaded: dict[str, float], found: list[list[str]]) -> None:
    """What a Func needs, if only for others that it needs, is computed in its loops; all else is so by compute_with."""
    (out,) = nest(*ROWS).bodies
    rows, between = (replace(out, stage=Stage(func), buffer=func) for func in ("rows", "between"))
    between = replace(between, levels=(), loaded={"rows": 1.0})
    account = replace(nest(*ROWS), bodies=(rows, between, replace(out, loaded=loaded)))
    (document,) = explained(explanation(replace(FOUND, account=account, advice=None)))["schedules"]
    assert document["together"] == found
