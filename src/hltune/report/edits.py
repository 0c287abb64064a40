"""What turns one schedule into another, as people read it: directives that go, and directives that come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import chain
from typing import NamedTuple

from hltune.schedule.canonical import names_of
from hltune.values.directives import Directive, Parallel, Partition, Reorder, Rfactor, Schedule, Unroll, Vectorize
from hltune.values.roles import Role, Stage

_LOOPS = frozenset((Role.LOOP, Role.NEW_LOOP, Role.LOOPS))
_HOW = (Parallel, Vectorize, Unroll, Partition)
"""Directives that say how a loop runs, wherever it is."""


class Edit(NamedTuple):
    """A directive that goes, or one that comes."""

    directive: Directive
    comes: bool


def edits(old: Schedule, new: Schedule) -> list[Edit]:
    """The edits that turn the old schedule into the new one, stage by stage.

    Who takes away what goes, and appends what comes to the directives of its stage, in this order, has the new one's
    loops. So what names a loop that something which comes names as well, and stands before it, goes and comes again.
    But what differs in its numbers alone takes the place of what goes.
    """
    stages = dict.fromkeys(each.stage for schedule in (old, new) for each in schedule.directives)
    return [edit for stage in stages for edit in _of_stage(*(_directives(each, stage) for each in (old, new)))]


def _directives(schedule: Schedule, stage: Stage) -> list[Directive]:
    return [each for each in schedule.directives if each.stage == stage]


def _of_stage(old: Sequence[Directive], new: Sequence[Directive]) -> Iterator[Edit]:
    in_place, stay = _in_place(old, new), set[int]()
    come: list[Directive] = []
    appended: list[Directive] = []
    for at, each in enumerate(new):
        same = in_place.get(at)
        if not _loops(each) and each in old:  # where it stands makes no difference
            stay.add(old.index(each))
        elif same is None or any(_in_order(other, each) for other in appended):
            appended.append(each)
            come.append(each)
        elif old[same] == each:
            stay.add(same)
        else:
            come.append(each)
    yield from (Edit(each, comes=False) for at, each in enumerate(old) if at not in stay)
    yield from (Edit(each, comes=True) for each in come)


def _in_place(old: Sequence[Directive], new: Sequence[Directive]) -> dict[int, int]:
    """By places in the new list, those in the old one of what is about the same loops, in the same order."""
    matcher = SequenceMatcher(None, [*map(_subject, old)], [*map(_subject, new)], autojunk=False)
    return {block.b + at: block.a + at for block in matcher.get_matching_blocks() for at in range(block.size)}


def _subject(each: Directive) -> tuple[type[Directive], tuple[str, ...]]:
    return type(each), _loops(each)


def _in_order(one: Directive, other: Directive) -> bool:
    """Which of two directives of a stage comes first makes a difference: an order of loops changes no kinds of them."""
    orders = sum(isinstance(each, Reorder) for each in (one, other))
    kinds = sum(isinstance(each, _HOW) for each in (one, other))
    return not {*_loops(one)}.isdisjoint(_loops(other)) and (orders, kinds) != (1, 1)


def _loops(each: Directive) -> tuple[str, ...]:
    """The loops of its own stage that a directive names."""
    if isinstance(each, Rfactor):
        return tuple(chain.from_iterable(each.preserved))
    return names_of(each, _LOOPS)
