"""Schedules stage by stage: what is changed in one may be changed in all that are scheduled alike, and two schedules
may be combined.

One stage of many, as in a pyramid or a chain of filters, takes so small a share of the time that no measurement tells
whether a change of it alone is good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

import numpy as np

from hltune.schedule.canonical import names_of, new_loops, renamed
from hltune.search.view import Directives
from hltune.values.directives import Directive, InsideLoop, Rfactor
from hltune.values.roles import Stage


def alike(before: Directives, changed: Directives, free: Set[str] | None = None) -> Directives | None:
    """Changes all stages that were scheduled as the only one that has changed; None if there are no others.

    Those of `free` Funcs, if it is told which they are.
    """
    known, made = by_stage(before), by_stage(changed)
    different = [each for each in known | made if known.get(each) != made.get(each)]
    if len(different) != 1:
        return None
    (stage,) = different
    old, new = known.get(stage, []), made.get(stage, [])
    result = changed
    for twin, own in known.items():
        fixed = free is not None and twin.func not in free
        names = None if twin == stage or fixed else _names_of_twin(old, own)
        if names is not None and stay_apart([*old, *new], names):
            result = with_stage(result, twin, [_moved(each, old, own, names) for each in new])
    return None if result is changed else result


def combined(
    one: Directives, other: Directives, rng: np.random.Generator, free: Set[str] | None = None
) -> Directives | None:
    """Some stages as the one has them, the others as the other does; None unless they differ in two or more.

    Only stages of `free` Funcs are the other's, if it is told which they are.
    """
    ours, theirs = by_stage(one), by_stage(other)
    stages = [each for each in ours | theirs if free is None or each.func in free]
    different = [each for each in stages if ours.get(each) != theirs.get(each)]
    if len(different) < 2:
        return None
    count = int(rng.integers(1, len(different)))
    result = one
    for number in rng.choice(len(different), size=count, replace=False):
        stage = different[int(number)]
        result = with_stage(result, stage, theirs.get(stage, []))
    return result


def by_stage(directives: Iterable[Directive]) -> dict[Stage, Directives]:
    """The directives of each stage, in their order."""
    found: dict[Stage, Directives] = {}
    for each in directives:
        found.setdefault(each.stage, []).append(each)
    return found


def with_stage(directives: Sequence[Directive], stage: Stage, own: Sequence[Directive]) -> Directives:
    """The directives, with others of a stage in the place of its own."""
    at = next((number for number, each in enumerate(directives) if each.stage == stage), len(directives))
    others = [each for each in directives[at:] if each.stage != stage]
    return [*directives[:at], *own, *others]


def _names_of_twin(one: Directives, other: Directives) -> dict[str, str] | None:
    """What the loops of one stage are called in another one; None if they are not scheduled alike.

    What they are computed in may differ.
    """
    if not one or len(one) != len(other) or any(isinstance(each, Rfactor) for each in one):
        return None
    if (one[0].stage.update is None) != (other[0].stage.update is None):
        return None  # what is said of a Func is not said of its updates
    names = dict(zip(_loops_made(one), _loops_made(other), strict=False))
    if not stay_apart(one, names):
        return None
    pairs = zip(one, other, strict=True)
    same = all(_anywhere(_renamed(ours, theirs.stage, names)) == _anywhere(theirs) for ours, theirs in pairs)
    return names if same else None


def stay_apart(directives: Iterable[Directive], names: Mapping[str, str]) -> bool:
    """No two loops get one name: a split may give a part of a loop the name that another stage gives to a new loop."""
    loops = {loop for each in directives for loop in names_of(each)}
    return len({names.get(loop, loop) for loop in loops}) == len(loops)


def _loops_made(directives: Directives) -> list[str]:
    return [loop for each in directives for loop in new_loops(each)]


def _renamed(directive: Directive, stage: Stage, names: Mapping[str, str]) -> Directive:
    return replace(renamed(directive, loops=names, levels={}, funcs={}), stage=stage)


def _anywhere(directive: Directive) -> Directive:
    """Without what it is computed or stored in."""
    return replace(directive, consumer="f", var="v") if isinstance(directive, InsideLoop) else directive


def _moved(directive: Directive, old: Directives, own: Directives, names: Mapping[str, str]) -> Directive:
    """A directive of a stage that was scheduled by `old`, for its twin, which has its `own`."""
    moved = _renamed(directive, own[0].stage, names)
    if not isinstance(moved, InsideLoop):
        return moved
    for before, mine in zip(old, own, strict=True):
        if before == directive and isinstance(mine, InsideLoop):  # it is where it was
            return mine
    consumer = next((each.consumer for each in own if isinstance(each, InsideLoop)), moved.consumer)
    return replace(moved, consumer=consumer)
