"""Fewer and fewer directives of a schedule, as long as it still does what it is examined for: delta debugging.

Source: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input (2002); here only complements are
tried, for what fails is hardly ever in one half alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence

from hltune.schedule.loops import LoopNests
from hltune.values.directives import Directive, Schedule
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo


def reduced(
    schedule: Schedule, funcs: Sequence[FuncInfo], holds: Callable[[Schedule], bool], *, end_s: float = math.inf
) -> Schedule:
    """The schedule without what it can do without; nothing single can be left out any more, unless time was short.

    Args:
        holds: tells whether a smaller schedule still does it.
        end_s: when to stop, of the monotonic clock.
    """
    known = {schedule}
    size = max(1, len(schedule.directives) // 2)
    while True:
        before, at = schedule, 0
        while at < len(schedule.directives) and time.monotonic() < end_s:
            smaller = _without(schedule, range(at, at + size), funcs)
            if smaller not in known and holds(smaller):
                schedule = smaller
            else:
                at += size
            known.add(smaller)
        if (size == 1 and schedule == before) or time.monotonic() >= end_s:
            return schedule
        size = max(1, size // 2)


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
