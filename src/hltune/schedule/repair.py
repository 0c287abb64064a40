"""Makes schedules that read outside of their inputs, or write outside of their outputs, stay inside.

A split whose factor does not divide the extent computes more than is needed. RoundUp does so at the end; what it
computes is thrown away, but its producers have to be there, up to the inputs. ShiftInwards moves the last block back
instead, which only helps where the loop is at least one block long. GuardWithIf computes nothing in vain, and costs
most.

Source: Halide 21 ``TailStrategy`` in ``Schedule.h``; which stages get RoundUp: ``LoopNest::apply`` of Adams2019.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from hltune.values.cost import failed_repair
from hltune.values.directives import Schedule, Split
from hltune.values.errors import Failure
from hltune.values.roles import TailStrategy

T = TypeVar("T")

_ROUNDS_UP = ("RoundUp", "Auto")
_OUTSIDE = re.compile(
    r"\b(?:Input|Output) buffer .+ is accessed at -?\d+, which is (?:beyond the max|before the min)"  # this computer
    r"|\baccess_out_of_bounds: (?:Input|Output) buffer "  # the DSP
)

_SIZES = re.compile(r"\b(?:[Cc]onstraint|extent|stride|min|[Bb]ounds|Input buffer|Output buffer)\b")


def is_outside(message: str) -> bool:
    """True if this is what Halide says of a schedule that reads or writes outside of an image."""
    return _OUTSIDE.search(message) is not None


def is_about_sizes(message: str) -> bool:
    """True if this is what Halide says of images that do not fit a schedule or what the file promises of them."""
    return is_outside(message) or _SIZES.search(message) is not None


def repaired(schedule: Schedule) -> Iterator[Schedule]:
    """Schedules like this one that compute less in vain, the fastest first; none where there is nothing to change."""
    tried = {schedule}
    for tail in (_shifted, _not_rounded, _guarded):
        directives = tuple(
            replace(each, tail=tail(each)) if isinstance(each, Split) and each.factor > 1 else each
            for each in schedule.directives
        )
        changed = replace(schedule, directives=directives)
        if changed not in tried:
            tried.add(changed)
            yield changed


def with_repairs(schedule: Schedule, attempt: Callable[[Schedule], T | Failure]) -> tuple[Schedule, T | Failure]:
    """Attempts a schedule and, if it leaves its images, the repaired ones until one works.

    Returns the schedule that worked and what came of it, or the given one and why it failed. A repaired one whose
    outputs are wrong ends it, for what is ever wrong must be known.
    """
    outcome = attempt(schedule)
    if isinstance(outcome, Failure) and is_outside(outcome.message):
        for other in repaired(schedule):
            found = attempt(other)
            if isinstance(found, Failure) and found.is_wrong:
                return other, failed_repair(found, other)
            if not isinstance(found, Failure):
                return other, found
    return schedule, outcome


def _shifted(split: Split) -> TailStrategy:
    if split.tail not in _ROUNDS_UP:
        return split.tail
    return "ShiftInwards" if split.stage.update is None else "GuardWithIf"


def _not_rounded(split: Split) -> TailStrategy:
    return "GuardWithIf" if split.tail in _ROUNDS_UP else split.tail


def _guarded(_split: Split) -> TailStrategy:
    return "GuardWithIf"
