"""Funcs that stay as their author scheduled them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from hltune.schedule.recover import Recovered
from hltune.search.mutation import Parent, mutants, neighbours
from hltune.tuning.keep import Kept, kept
from hltune.values.directives import ComputeAt, Parallel, Schedule, Split, Vectorize
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Stage
from tests.report.values import SUBJECT
from tests.search.made_up import pipeline

OUT, ROWS = Stage("out"), Stage("rows")
MANUAL = Schedule(
    (
        Split(OUT, "y", "y", "yi", 8),
        Parallel(OUT, "y"),
        ComputeAt(ROWS, "out", "y"),
        Split(ROWS, "x", "x", "v0", 16),
        Vectorize(ROWS, "v0"),
    )
)
OWN = replace(SUBJECT, spec=replace(SUBJECT.spec, manual=b"scheduled"), recovered=Recovered(schedule=MANUAL))


@pytest.mark.parametrize(("keep", "only"), [(("rows",), ()), ((), ("out",))])
def test_mutants_change_the_rest_alone(keep: tuple[str, ...], only: tuple[str, ...]) -> None:
    found = kept(OWN, keep, only)
    assert found is not None
    rng = np.random.default_rng(0)
    parents, spec = [Parent(MANUAL, 1.0)], SUBJECT.spec
    made = mutants(parents, spec, rng, wanted=40, known=lambda _: False, limits=found)
    assert len(made) > 10
    for mutant in made.values():
        theirs, own = (
            [(type(each), getattr(each, "factor", None)) for each in schedule.directives if each.stage == ROWS]
            for schedule in (mutant.schedule, MANUAL)
        )
        assert theirs == own
    free = mutants(parents, spec, rng, wanted=40, known=lambda _: False)
    assert not all(found.allows(mutant.schedule) for mutant in free.values())
    assert found.allows(Schedule(base=OWN.spec.manual_hash))
    assert not found.allows(Schedule(base="0" * 64))
    assert not found.allows(Schedule())


def test_of_one_func_among_many_as_many_mutants_are_made_with_few_tries() -> None:
    stages = [Stage(f"f{number}") for number in range(40)]
    funcs = tuple(FuncInfo(name=each.func, args=("x", "y")) for each in stages)
    one = [(Split(each, "x", "x", f"v{at}", 8), Vectorize(each, f"v{at}")) for at, each in enumerate(stages)]
    parent = Schedule(tuple(directive for each in one for directive in each))
    asked: list[Schedule] = []

    class Counting(Kept):
        def allows(self, schedule: Schedule) -> bool:
            asked.append(schedule)
            return super().allows(schedule)

    limits = Counting(funcs=frozenset(each.func for each in stages[1:]), parent=parent, base=None, known=funcs)
    spec = pipeline(*funcs)
    parents = [Parent(parent, 1.0)]
    made = mutants(parents, spec, np.random.default_rng(0), wanted=12, known=lambda _: False, limits=limits)
    assert len(made) == 12 and len(asked) < 40
    near = [each for _, each in neighbours(parent, funcs, np.random.default_rng(0), limits.free)]
    assert len(near) == 2 and all(limits.allows(each.schedule) for each in near)


def test_mutants_end_with_the_time() -> None:
    now = time.monotonic()
    assert not mutants(
        [Parent(MANUAL, 1.0)], SUBJECT.spec, np.random.default_rng(0), wanted=4, known=lambda _: False, end_s=now
    )


@pytest.mark.parametrize(
    ("subject", "keep", "only", "message"),
    [
        (OWN, ("row",), (), "did you mean rows?"),
        (OWN, ("rows",), ("out",), "give one of them"),
        (SUBJECT, ("rows",), (), "there is no hand-written schedule to keep a part of"),
        (replace(OWN, recovered=Recovered(reason="a loop is renamed")), (), ("out",), "a loop is renamed"),
    ],
)
def test_what_cannot_be_kept_is_refused(subject, keep, only, message) -> None:  # pyright: ignore
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        kept(subject, keep, only)


def test_nothing_is_kept_unless_asked_for() -> None:
    assert kept(SUBJECT, (), ()) is None


def test_a_counted_loop_that_something_is_kept_in_may_be_counted_otherwise() -> None:
    """As where a stage before gets one more loop."""
    funcs = (FuncInfo(name="before", args=("x", "y")), *SUBJECT.spec.funcs)
    split = Split(OUT, "y", "y", "v0", 8)
    own = (split, ComputeAt(ROWS, "out", "v0"), Vectorize(ROWS, "x"))
    limits = Kept(funcs=frozenset(("rows",)), parent=Schedule(own), base=None, known=funcs)
    more = (Split(Stage("before"), "x", "x", "v0", 4), replace(split, inner="v1"))
    assert limits.allows(Schedule((*more, replace(own[1], var="v1"), own[2])))
    assert not limits.allows(Schedule((*more, replace(own[1], var="y"), own[2])))
    two = (replace(split, inner="v1"), Split(OUT, "x", "x", "v0", 4))
    assert not limits.allows(Schedule((*two, own[1], own[2])))
