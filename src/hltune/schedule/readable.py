"""A schedule as a person would write it: without what changes nothing, and loops named by what they are for.

The directives say the same. Who writes them for others proves it: both have to come to the same lowered program, which
`hltune.lowered.readable` looks at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from hltune.schedule.canonical import is_counted, names_of, renamed
from hltune.schedule.loops import LoopKind, LoopNests, loop_nests
from hltune.values.directives import (
    ComputeAt,
    ComputeRoot,
    Directive,
    Fuse,
    InsideLoop,
    Reorder,
    Rfactor,
    Schedule,
    Split,
    StoreAt,
    StoreIn,
    StoreRoot,
    Unscheduled,
)
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Role, Stage

_LOOPS = frozenset((Role.LOOP, Role.NEW_LOOP, Role.LOOPS))
_SUFFIXES: dict[LoopKind, str] = {"vectorized": "vec", "parallel": "strip", "unrolled": "unroll", "for": "in"}
_TILE, _PART = "tile", "part"
"""A loop that something is computed or stored in, and one that is split or fused further."""


def readable(schedule: Schedule, funcs: Sequence[FuncInfo]) -> Schedule:
    """The same schedule; one that directives cannot say stays as it is.

    Raises:
        InputError: it does not fit the pipeline.
    """
    if schedule.base is not None:
        return schedule
    found = _without_idle(_without_single_loops(schedule, funcs), funcs)
    return _named_by_role(_untouched(schedule, found), funcs)


def _without_idle(schedule: Schedule, funcs: Sequence[FuncInfo]) -> Schedule:
    """Without orders that loops have already, and kinds and places of memory that they have anyway."""
    nests = LoopNests(funcs)
    sites = {each.stage.func: each for each in schedule.directives if isinstance(each, ComputeAt | ComputeRoot)}
    last = {(type(each), each.stage.func): number for number, each in enumerate(schedule.directives)}
    kept: list[Directive] = []
    for number, each in enumerate(schedule.directives):
        before = nests.loops.get(each.stage)
        nests.advance(each)
        last_store = max(last.get((kind, each.stage.func), -1) for kind in (StoreAt, StoreRoot))
        match each:
            case Reorder():
                idle = nests.loops[each.stage] == before
            case StoreIn(stage, memory):
                idle = memory == "Auto" or last[StoreIn, stage.func] != number
            case StoreAt(stage, consumer, var):
                idle = number != last_store or sites.get(stage.func) == ComputeAt(stage, consumer, var)
            case StoreRoot(stage):
                idle = number != last_store or isinstance(sites.get(stage.func), ComputeRoot)
            case _:
                idle = False
        if not idle:
            kept.append(each)
    return replace(schedule, directives=tuple(kept))


def _untouched(schedule: Schedule, smaller: Schedule) -> Schedule:
    """Says of updates that nothing is said of any more that this is on purpose: Halide warns else."""
    left = {each.stage for each in smaller.directives}
    gone = dict.fromkeys(each.stage for each in schedule.directives if each.stage not in left)
    said = tuple(Unscheduled(stage) for stage in gone if stage.update is not None)
    return replace(smaller, directives=smaller.directives + said)


def _without_single_loops(schedule: Schedule, funcs: Sequence[FuncInfo]) -> Schedule:
    """Without splits one loop of which has one iteration, as that of a loop of 16 by 16."""
    while (smaller := next(_smaller(schedule, funcs), None)) is not None:
        schedule = smaller
    return schedule


def _smaller(schedule: Schedule, funcs: Sequence[FuncInfo]) -> Iterator[Schedule]:
    nests = LoopNests(funcs)
    for number, each in enumerate(schedule.directives):
        if isinstance(each, Split):
            single = {nests.loop(each.stage, each.old).extent: each.outer, 1: each.inner}.get(each.factor)
            if single is not None and (found := _unsplit(schedule, number, each, single, funcs)) is not None:
                yield found
        nests.advance(each)


def _unsplit(schedule: Schedule, at: int, split: Split, single: str, funcs: Sequence[FuncInfo]) -> Schedule | None:
    """Without this split, of whose loops one has one iteration; None if anything but an order tells of that one.

    Neither is anything known that is computed in one of the three: its place might be another then.
    """
    other = split.inner if single == split.outer else split.outer
    levels = {(each.consumer, each.var) for each in schedule.directives if isinstance(each, InsideLoop)}
    nests = LoopNests(funcs)
    for each in schedule.directives[: at + 1]:
        nests.advance(each)
    if levels & {(split.stage.func, name) for name in (single, other, split.old)}:
        return None
    if other != split.old and other in nests.origins[split.stage]:
        return None
    kept = [*schedule.directives[:at]]
    for each in schedule.directives[at + 1 :]:
        nests.advance(each)
        names = names_of(each, _LOOPS)
        if each.stage != split.stage:
            kept.append(each)
        elif isinstance(each, Reorder):
            order = [loop.name for loop in nests.loops[each.stage] if loop.name != single]
            kept.append(Reorder(each.stage, tuple(split.old if name == other else name for name in order)))
        elif isinstance(each, Rfactor) or single in names or (split.old in names and split.old != other):
            return None
        else:
            kept.append(renamed(each, loops={other: split.old}, levels={}, funcs={}))
    return replace(schedule, directives=tuple(kept))


def _named_by_role(schedule: Schedule, funcs: Sequence[FuncInfo]) -> Schedule:
    """Names that nobody chose say what a loop is of and for: ``x_vec``, ``y_strip``, ``y_tile``, ``x_unroll``.

    Places are told by name, in whatever stage of a Func the loop may be. So a loop that is a place gets the same name
    in all stages, and no other one gets it. Names of the algorithm stay.
    """
    names = _Names(schedule, funcs)
    consumed: defaultdict[Stage, set[str]] = defaultdict(set)
    found: list[Directive] = []
    for each in reversed(schedule.directives):  # whether a loop is split further is known only afterwards
        stage, own = each.stage, names.of(each.stage.func)
        gone = consumed[stage]
        loops = {name: new.part if name in gone else new.final for name, new in own.items()}
        levels = (
            {name: new.final for name, new in names.of(each.consumer).items()} if isinstance(each, InsideLoop) else {}
        )
        changed = renamed(each, loops=loops, levels=levels, funcs={})
        match each:
            case Split(_, old, outer, inner):
                gone -= {outer, inner}
                gone.add(old)
                changed = replace(changed, old=own[old].part) if old in own else changed
            case Fuse(_, inner, outer, fused):
                gone.discard(fused)
                gone |= {inner, outer}
                parts = {name: own[name].part if name in own else name for name in (inner, outer)}
                changed = replace(changed, inner=parts[inner], outer=parts[outer])
            case _:
                pass
        found.append(changed)
    return replace(schedule, directives=tuple(reversed(found)))


class _New(NamedTuple):
    """New names of a loop that stays, and of one by the same old name that is split or fused further."""

    final: str
    part: str


class _Names:
    """New names of the loops in a schedule."""

    def __init__(self, schedule: Schedule, funcs: Sequence[FuncInfo]) -> None:
        self._finished = loop_nests(schedule, funcs)
        self._levels = {(each.consumer, each.var) for each in schedule.directives if isinstance(each, InsideLoop)}
        self._factored: set[str] = set()
        self._bases: defaultdict[Stage, dict[str, str]] = defaultdict(dict)
        self._parts: set[tuple[Stage, str]] = set()
        for each in schedule.directives:
            self._follow(each)
        self._new: dict[str, Mapping[str, _New]] = {}

    def of(self, func: str) -> Mapping[str, _New]:
        """New names for those in the stages of a Func that nobody chose, by the old ones.

        There are none where an rfactor hands loops from one Func to the other.
        """
        if func not in self._new:
            self._new[func] = {} if func in self._factored else self._named(func)
        return self._new[func]

    def _follow(self, directive: Directive) -> None:
        """Notes which variable of the algorithm new loops are of, and what is split or fused."""
        stage = directive.stage
        bases = self._bases[stage]
        match directive:
            case Split(_, old, outer, inner):
                self._parts.add((stage, old))
                for name in (outer, inner):
                    bases.setdefault(name, bases.get(old, old))
            case Fuse(_, inner, outer, fused):
                self._parts |= {(stage, inner), (stage, outer)}
                bases.setdefault(fused, f"{bases.get(inner, inner)}_{bases.get(outer, outer)}")
            case Rfactor(_, _, intermediate):
                self._factored |= {stage.func, intermediate}
            case _:
                pass

    def _named(self, func: str) -> dict[str, _New]:
        stages = self._finished.stages(func)
        kept = {name for stage in stages for name in self._finished.origins[stage]}
        bases = {name: base for stage in reversed(stages) for name, base in self._bases[stage].items()}
        old = [name for name in bases if name not in kept and (is_counted(name) or name.rstrip("i") in kept)]
        places = {name for consumer, name in self._levels if consumer == func} - {*old}
        taken = {stage: kept | places | (self._bases[stage].keys() - {*old}) for stage in stages}

        def take(name: str, suffix: str, where: Iterable[Stage]) -> str:
            used = {each for stage in where for each in taken[stage]}
            new = next(each for each in _numbered(f"{bases[name]}_{suffix}") if each not in used)
            for stage in where:
                taken[stage].add(new)
            return new

        finals: dict[str, str] = {}
        for name in sorted(old, key=lambda name: (func, name) not in self._levels):
            where = [stage for stage in stages if name in self._bases[stage]]
            if suffix := self._purpose(func, name):
                finals[name] = take(name, suffix, stages if (func, name) in self._levels else where)
        parts: dict[str, str] = {}
        for name in old:
            if where := [stage for stage in stages if (stage, name) in self._parts]:
                parts[name] = take(name, _PART, where)
        return {name: _New(finals.get(name, name), parts.get(name, name)) for name in old}

    def _purpose(self, func: str, name: str) -> str:
        """What a loop of this name is for; nothing if there is none in the end."""
        loops = [loop for stage in self._finished.stages(func) for loop in self._finished.loops[stage]]
        kinds = {loop.kind for loop in loops if loop.name == name}
        if (func, name) in self._levels and not kinds & {"vectorized", "parallel"}:
            return _TILE
        return next((suffix for kind, suffix in _SUFFIXES.items() if kind in kinds), "")


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}{number or ''}" for number in count() if number != 1)
