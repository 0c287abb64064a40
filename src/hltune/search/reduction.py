"""Fewer and fewer directives of a schedule, as long as it still does what it is examined for: delta debugging.

Source: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input (2002); here only complements are
tried, for what fails is hardly ever in one half alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence

from hltune.schedule.loops import LoopNests
from hltune.values.directives import ComputeRoot, Directive, InsideLoop, Schedule
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Stage


def reduced(
    schedule: Schedule, funcs: Sequence[FuncInfo], holds: Callable[[Schedule], bool], *, end_s: float = math.inf
) -> Schedule:
    """The schedule without what it can do without; nothing single can be left out any more, unless time was short.

    Whole Funcs come first: computed at root, in full, they keep what else is computed cheap, which it would not be if
    they were inlined.

    Args:
        holds: tells whether a smaller schedule still does it.
        end_s: when to stop, of the monotonic clock.
    """
    known = {schedule}

    def try_out(smaller: Schedule) -> bool:
        fresh = smaller not in known and time.monotonic() < end_s
        known.add(smaller)
        return fresh and holds(smaller)

    schedule = _fewer_funcs(schedule, funcs, try_out)
    size = max(1, len(schedule.directives) // 2)
    while True:
        before, at = schedule, 0
        while at < len(schedule.directives) and time.monotonic() < end_s:
            smaller = _without(schedule, range(at, at + size), funcs)
            if try_out(smaller):
                schedule = smaller
            else:
                at += size
        if (size == 1 and schedule == before) or time.monotonic() >= end_s:
            return schedule
        size = max(1, size // 2)


def _fewer_funcs(schedule: Schedule, funcs: Sequence[FuncInfo], try_out: Callable[[Schedule], bool]) -> Schedule:
    """Computes as many Funcs at root as possible, without any other directive; producers first."""
    names = [*dict.fromkeys(each.stage.func for each in reversed(schedule.directives))]
    size = max(1, len(names) // 2)
    while True:
        for at in range(0, len(names), size):
            smaller = _at_root(schedule, set(names[at : at + size]), funcs)
            if try_out(smaller):
                schedule = smaller
        if size == 1:
            return schedule
        size //= 2


def _at_root(schedule: Schedule, chosen: set[str], funcs: Sequence[FuncInfo]) -> Schedule:
    """These Funcs at root, and so those that are computed in their loops."""
    while inside := {each.stage.func for each in schedule.directives if _is_inside(each, chosen)} - chosen:
        chosen = chosen | inside
    kept: dict[Directive, None] = {}
    for each in schedule.directives:
        kept[ComputeRoot(Stage(each.stage.func)) if each.stage.func in chosen else each] = None
    return Schedule(tuple(_possible(kept, funcs)), base=schedule.base)


def _is_inside(directive: Directive, funcs: set[str]) -> bool:
    return isinstance(directive, InsideLoop) and directive.consumer in funcs


def _without(schedule: Schedule, dropped: range, funcs: Sequence[FuncInfo]) -> Schedule:
    """Without these directives, by their numbers, and without those that make no sense then."""
    left = [each for number, each in enumerate(schedule.directives) if number not in dropped]
    return Schedule(tuple(_possible(left, funcs)), base=schedule.base)


def _possible(directives: Iterable[Directive], funcs: Sequence[FuncInfo]) -> list[Directive]:
    """Those whose loops and Funcs are there."""
    while True:
        directives = [*directives]
        nests = LoopNests(funcs)
        kept = [each for each in directives if _is_possible(nests.advance, each)]
        kept = [each for each in kept if _is_possible(nests.check_level, each)]
        if len(kept) == len(directives):
            return kept
        directives = kept


def _is_possible(check: Callable[[Directive], None], directive: Directive) -> bool:
    try:
        check(directive)
    except InputError:
        return False
    return True
