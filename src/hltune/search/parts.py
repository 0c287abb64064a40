"""Which part of what two schedules say differently makes the difference: each part is tried alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hltune.schedule.canonical import names_of, new_loops, renamed
from hltune.search.twins import by_stage, stay_apart, with_stage
from hltune.search.view import Directives, legal
from hltune.values.directives import InsideLoop, Schedule
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Role, Stage

_OLD_LOOPS = frozenset((Role.LOOP,))


def parts(one: Schedule, other: Schedule, funcs: Sequence[FuncInfo]) -> Iterator[Schedule]:
    """The other schedule with each part of what only the one says, none of them either of these two.

    A part is a stage, or a directive of a stage that has the same kinds of directives in both, in the same order. What
    cannot be without the rest, as where loops are needed that another stage makes, is left out.
    """
    one = _with_names_of(other, one)
    ours, theirs = by_stage(one.directives), by_stage(other.directives)
    for stage in dict.fromkeys((*theirs, *ours)):
        for own in _variants(ours.get(stage, []), theirs.get(stage, [])):
            found = with_stage(other.directives, stage, own)
            same = by_stage(found) == ours
            if not same and legal(found, funcs) is not None:
                yield Schedule(tuple(found))


def _variants(new: Directives, old: Directives) -> Iterator[Directives]:
    """A stage as the new one has it, and with one of its directives so; none if both are the same."""
    if new == old:
        return
    if [type(each) for each in new] == [type(each) for each in old]:
        different = [at for at, each in enumerate(new) if each != old[at]]
        yield from ([*old[:at], new[at], *old[at + 1 :]] for at in different if len(different) > 1)
    yield new


def _with_names_of(other: Schedule, one: Schedule) -> Schedule:
    """A schedule whose loops are called as those of another one, as far as both are made alike."""
    theirs = by_stage(other.directives)
    names = {stage: _names(own, theirs.get(stage, [])) for stage, own in by_stage(one.directives).items()}
    return Schedule(
        tuple(
            renamed(each, loops=names[each.stage], levels=_levels(each.consumer, names), funcs={})
            if isinstance(each, InsideLoop)
            else renamed(each, loops=names[each.stage], levels={}, funcs={})
            for each in one.directives
        )
    )


def _names(own: Directives, theirs: Directives) -> Mapping[str, str]:
    """What the loops that a stage makes are called in another schedule, as long as it makes them of the same ones."""
    found: dict[str, str] = {}
    making, others = ([each for each in some if new_loops(each)] for some in (own, theirs))
    for each, other in zip(making, others, strict=False):
        old = names_of(renamed(each, loops=found, levels={}, funcs={}), _OLD_LOOPS)
        if type(each) is not type(other) or old != names_of(other, _OLD_LOOPS):
            break
        found |= dict(zip(new_loops(each), new_loops(other), strict=True))
    return found if stay_apart(own, found) else {}


def _levels(func: str, names: Mapping[Stage, Mapping[str, str]]) -> Mapping[str, str]:
    """The names of all stages of a Func."""
    return {old: new for stage, each in names.items() if stage.func == func for old, new in each.items()}
