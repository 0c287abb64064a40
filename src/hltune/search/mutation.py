"""Candidates that are made of the best known schedules by changing details: mutants.

Adams2019 decides tile sizes and loop levels, and leaves much else to rules of its own: all vectors are as long as the
output's, what is unrolled follows from the tiles, tails are what is safe. An operator changes one such detail. Most
changes are worse and some are wrong, which Halide or the verification finds out; a few are better than all that the
search can express. Where stages are scheduled alike, a change may be one of all of them.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from hltune.schedule.loops import loop_nests
from hltune.search.operators import LARGEST_FACTOR, OPERATORS, Context, chances
from hltune.search.twins import alike, by_stage, combined
from hltune.search.view import Directives, legal
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule, Split
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import schedule_hash

PARENTS = 12
_FAVOUR = 4.0
"""Mean rank of the parent that is chosen, the best one being 0, where all cost about the same."""
_CLOSE = 0.1
"""A parent that costs this share more than the best one is chosen e times as seldom."""
_ATTEMPTS_PER_MUTANT = 10
_AGAIN = 0.4
"""Chance of one more change, after each."""
_ATTEMPTS = 20
COMBINE = "combine"
"""What provenance calls a schedule that is made of two."""
ALIKE = "alike"
"""What provenance calls a change of all stages that are scheduled alike."""
_ALIKE, _ALIKE_WHERE_COLD = 0.5, 0.9
"""Chance that a change is one of all these stages; where a single one takes too little time for a change to show."""
_COLD = 0.05
"""Share of the time that is so little."""
_COMBINING = 0.1
"""Chance that a mutant is made of two schedules."""
_WEIGHTS = {operator.name: float(operator.weight) for operator in OPERATORS}


class Parent(NamedTuple):
    """A schedule, and what it costs in seconds, measured or predicted."""

    schedule: Schedule
    cost: float


class Limits(Protocol):
    """What of a schedule must stay as it is."""

    @property
    def free(self) -> Set[str]:
        """Names of the Funcs whose directives may change."""
        ...

    def allows(self, schedule: Schedule) -> bool:
        """True if all else is as it has to be: a change of a free Func may move what is computed in its loops."""
        ...


def mutants(
    parents: Sequence[Parent],
    spec: PipelineSpec,
    rng: np.random.Generator,
    *,
    wanted: int,
    known: Callable[[str], bool],
    limits: Limits | None = None,
    weights: Mapping[str, float] = _WEIGHTS,
    shares: Mapping[str, float] | None = None,
    end_s: float = math.inf,
) -> dict[str, Candidate]:
    """Changes schedules at random, the fastest more often; returns new ones by their hash, at most those wanted.

    `known` tells whether the schedule with a hash is known. The author's own schedule, where directives cannot say it,
    is no parent. `weights` are those of operators, by name; `shares` is what each Func takes of the time, where that is
    known. None is begun with after `end_s` of the monotonic clock.
    """
    parents = sorted((each for each in parents if each.schedule.base is None), key=lambda each: each.cost)
    behind = np.array([each.cost / parents[0].cost - 1 for each in parents])
    favour = np.exp(-behind / _CLOSE - np.arange(len(parents)) / _FAVOUR)
    found: dict[str, Candidate] = {}
    favour /= favour.sum() if parents else 1.0
    free = None if limits is None else limits.free
    for _ in range(_ATTEMPTS_PER_MUTANT * wanted if parents else 0):
        if len(found) == wanted or time.monotonic() >= end_s:
            break
        parent, other = (parents[int(number)].schedule for number in rng.choice(len(parents), size=2, p=favour))
        if rng.random() < _COMBINING:
            mutant = combine(parent, other, spec.funcs, rng, free)
        else:
            mutant = mutate(parent, spec, rng, weights, free, shares)
        if mutant is None or not (limits is None or limits.allows(mutant.schedule)):
            continue
        if not known(key := schedule_hash(mutant.schedule)):
            found[key] = mutant
    return found


def neighbours(
    parent: Schedule,
    funcs: Sequence[FuncInfo],
    rng: np.random.Generator,
    free: Set[str] | None = None,
    shares: Mapping[str, float] | None = None,
) -> Iterator[tuple[str, Candidate]]:
    """All that differ from a schedule by one factor, twice as large or half, with their hashes, in random order.

    First those where it is the same factor of all stages that are scheduled alike. Each is made when it is asked for:
    of a pipeline of a hundred stages, all of them take seconds. Only `free` Funcs are changed; None for all. Those come
    early that take much of the time, if their `shares` are known.
    """
    before = list(parent.directives)
    changed = [
        (directive.stage.func, [*before[:at], replace(directive, factor=factor), *before[at + 1 :]])
        for at, directive in enumerate(before)
        if isinstance(directive, Split) and (free is None or directive.stage.func in free)
        for factor in (directive.factor * 2, directive.factor // 2)
        if 1 < factor <= LARGEST_FACTOR
    ]
    owners, scaled = [func for func, _ in changed], [each for _, each in changed]
    everywhere, single = ([scaled[number] for number in _in_random_order(owners, rng, shares)] for _ in range(2))
    made = [(("scale", ALIKE), (alike(before, each, free) for each in everywhere)), (("scale",), iter(single))]

    def new() -> Iterator[tuple[str, Candidate]]:
        seen = set[str]()
        for names, directives in ((names, each) for names, several in made for each in several):
            schedule = None if directives is None else legal(directives, funcs)
            if schedule is not None and (key := schedule_hash(schedule)) not in seen:
                seen.add(key)
                yield key, _mutant(schedule, parent, names)

    return new()


def _in_random_order(funcs: Sequence[str], rng: np.random.Generator, shares: Mapping[str, float] | None) -> list[int]:
    """Numbers of what is changed, by the Func of each."""
    if shares is None or not funcs:
        return [int(number) for number in rng.permutation(len(funcs))]
    order = rng.choice(len(funcs), size=len(funcs), replace=False, p=chances(funcs, shares))
    return [int(number) for number in order]


def combine(
    parent: Schedule, other: Schedule, funcs: Sequence[FuncInfo], rng: np.random.Generator, free: Set[str] | None = None
) -> Candidate | None:
    """Some stages of a schedule, of these Funcs, as another one has them; None if that is no other schedule."""
    directives = combined(list(parent.directives), list(other.directives), rng, free)
    schedule = None if directives is None else legal(directives, funcs)
    return None if schedule in (None, parent, other) else _mutant(schedule, parent, [COMBINE])


def mutate(
    parent: Schedule,
    spec: PipelineSpec,
    rng: np.random.Generator,
    weights: Mapping[str, float] = _WEIGHTS,
    free: Set[str] | None = None,
    shares: Mapping[str, float] | None = None,
) -> Candidate | None:
    """Changes a schedule at random, of these Funcs, if told; None if nothing was found that can be changed."""
    schedule, changes = parent, list[str]()
    while schedule == parent or rng.random() < _AGAIN:
        changed = _change(schedule, spec, rng, weights, free, shares)
        if changed is None:
            break
        schedule, names = changed
        changes += names
    return None if schedule == parent else _mutant(schedule, parent, changes)


def _mutant(schedule: Schedule, parent: Schedule, changes: Sequence[str]) -> Candidate:
    return Candidate(schedule=schedule, provenance=Mutated(parent=schedule_hash(parent), changes=tuple(changes)))


def _chance(context: Context, changed: Directives) -> float:
    """That a change of one stage becomes one of all that are scheduled alike."""
    if (shares := context.shares) is None:
        return _ALIKE
    before, now = by_stage(context.directives), by_stage(changed)
    funcs = {stage.func for stage in before | now if before.get(stage) != now.get(stage)}
    return _ALIKE if any(shares.get(each, 0.0) >= _COLD for each in funcs) else _ALIKE_WHERE_COLD


def _change(
    schedule: Schedule,
    spec: PipelineSpec,
    rng: np.random.Generator,
    weights: Mapping[str, float],
    free: Set[str] | None,
    shares: Mapping[str, float] | None,
) -> tuple[Schedule, tuple[str, ...]] | None:
    likely = np.array([weights[operator.name] for operator in OPERATORS])
    context = Context(list(schedule.directives), loop_nests(schedule, spec.funcs), spec, rng, free, shares)
    for _ in range(_ATTEMPTS):
        operator = OPERATORS[int(rng.choice(len(OPERATORS), p=likely / likely.sum()))]
        if operator.kind is None:
            directives = operator.change(context)
        elif (at := context.any_of(operator.kind)) is not None:
            directives = operator.change(context, at, context.directives[at])
        else:
            continue
        if directives is None:
            continue
        everywhere = (
            alike(context.directives, directives, free) if rng.random() < _chance(context, directives) else None
        )
        changed = legal(everywhere or directives, spec.funcs)
        if changed is not None and changed != schedule:
            return changed, (operator.name, ALIKE) if everywhere else (operator.name,)
    return None
