"""Directives are left out as long as a schedule does what it is examined for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.schedule.loops import loop_nests
from hltune.schedule.parse import parse_schedule
from hltune.search.reduction import reduced
from hltune.values.directives import ComputeRoot, Parallel, Schedule, Split, StoreIn, Vectorize
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Stage

FUNCS = (FuncInfo(name="rows", args=("x", "y")), FuncInfo(name="blurred", args=("x", "y")))
TEXT = """blurred.split(y, y, yi, 16, TailStrategy::ShiftInwards).split(x, x, xi, 16, TailStrategy::ShiftInwards)
    .vectorize(xi).compute_root().reorder(xi, x, yi, y).parallel(y);
rows.store_in(MemoryType::Stack).split(x, x, xi, 16, TailStrategy::RoundUp).vectorize(xi)
    .compute_at(blurred, yi).store_at(blurred, y);"""
WHOLE = parse_schedule(TEXT, FUNCS)


@pytest.mark.parametrize("kind, least", [(Parallel, 1), (StoreIn, 1), (Vectorize, 2)])
def test_what_the_failure_needs_is_left(kind: type, least: int) -> None:
    """A vectorised loop needs the split that makes it."""
    left = reduced(WHOLE, FUNCS, lambda schedule: any(isinstance(each, kind) for each in schedule.directives))
    needed = {kind} | ({Split} if kind is Vectorize else set())
    assert {type(each) for each in left.directives} == needed and len(left.directives) == least


@given(st.sets(st.integers(0, len(WHOLE.directives) - 1), max_size=4))
def test_nothing_single_can_be_left_out(numbers: set[int]) -> None:
    needed = {WHOLE.directives[number] for number in numbers}
    tried: list[Schedule] = []

    def holds(schedule: Schedule) -> bool:
        tried.append(schedule)
        loop_nests(schedule, FUNCS)
        return needed <= set(schedule.directives)

    left = reduced(WHOLE, FUNCS, holds)
    assert needed <= set(left.directives) <= set(WHOLE.directives)
    assert len(set(tried)) == len(tried)
    for each in left.directives:
        rest = Schedule(tuple(other for other in left.directives if other != each))
        assert not holds(rest) if _fits(rest) else True


def test_what_costs_little_is_tried_first() -> None:
    """Inlined Funcs may be computed many times over; at root they are computed once."""
    tried: list[Schedule] = []

    def holds(schedule: Schedule) -> bool:
        tried.append(schedule)
        return any(isinstance(each, Parallel) for each in schedule.directives)

    reduced(WHOLE, FUNCS, holds)
    at_root = ComputeRoot(Stage("rows"))
    assert tried[0].directives[-1] == at_root and len(tried[0].directives) == len(WHOLE.directives) - 4


def _fits(schedule: Schedule) -> bool:
    try:
        loop_nests(schedule, FUNCS)
    except InputError:
        return False
    return True


def test_time_is_kept() -> None:
    assert reduced(WHOLE, FUNCS, lambda _: True, end_s=time.monotonic()) == WHOLE
