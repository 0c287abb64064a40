"""Which part of what two schedules say differently makes the difference: each part is tried alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hltune.search.twins import by_stage, with_stage
from hltune.search.view import Directives, legal
from hltune.values.directives import Schedule
from hltune.values.pipeline import FuncInfo


class Part(NamedTuple):
    """A schedule with a part of what another one says, as it may be measured, and with the names that people know."""

    schedule: Schedule
    written: Schedule


def parts(one: Schedule, other: Schedule, funcs: Sequence[FuncInfo]) -> Iterator[Part]:
    """The other schedule with each part of what only the one says: neither of these two is among them.

    A part is a stage; where the stage has the same directives but for what these say, each directive of it is one.
    What cannot be without the rest, as where loops are needed that another stage makes, is left out.
    """
    ours, theirs = by_stage(one.directives), by_stage(other.directives)
    for stage in dict.fromkeys((*theirs, *ours)):
        for own in _variants(ours.get(stage, []), theirs.get(stage, [])):
            written = Schedule(tuple(with_stage(other.directives, stage, own)))
            schedule = legal(written.directives, funcs)
            if schedule is not None and written != one:
                yield Part(schedule, written)


def _variants(new: Directives, old: Directives) -> Iterator[Directives]:
    """A stage with one of its directives as the new one has it, or all of them; none if both are the same."""
    if [type(each) for each in new] != [type(each) for each in old]:
        yield new
        return
    for at, (before, after) in enumerate(zip(old, new, strict=True)):
        if before != after:
            yield [*old[:at], after, *old[at + 1 :]]
