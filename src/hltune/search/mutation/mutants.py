"""Candidates that are made of the best known schedules, by the operators of `hltune.search.mutation.operators`."""

from collections.abc import Callable, Sequence

import numpy as np

from hltune.schedule.canonical import canonical_names
from hltune.schedule.loops import loop_nests
from hltune.search.mutation.operators import OPERATORS, Context
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import schedule_hash

PARENTS = 12
_FAVOUR = 4.0
"""Mean rank of the parent that is chosen, the best one being 0."""
_ATTEMPTS_PER_MUTANT = 10
_AGAIN = 0.4
"""Chance of one more change, after each."""
_ATTEMPTS = 20
_BY_WEIGHT = tuple(operator for operator in OPERATORS for _ in range(operator.weight))


def mutants(
    parents: Sequence[Schedule],
    funcs: Sequence[FuncInfo],
    rng: np.random.Generator,
    *,
    wanted: int,
    known: Callable[[str], bool],
) -> dict[str, Candidate]:
    """Changes schedules at random, the first ones more often; returns new ones by their hash, at most those wanted.

    `known` tells whether the schedule with a hash is known.
    """
    found: dict[str, Candidate] = {}
    for _ in range(_ATTEMPTS_PER_MUTANT * wanted if parents else 0):
        if len(found) == wanted:
            break
        parent = parents[min(int(rng.exponential(_FAVOUR)), len(parents) - 1)]
        mutant = mutate(parent, funcs, rng)
        if mutant is not None and not known(key := schedule_hash(mutant.schedule)):
            found[key] = mutant
    return found


def mutate(parent: Schedule, funcs: Sequence[FuncInfo], rng: np.random.Generator) -> Candidate | None:
    """Changes a schedule at random; None if nothing was found that can be changed."""
    schedule, changes = parent, list[str]()
    while schedule == parent or rng.random() < _AGAIN:
        changed = _change(schedule, funcs, rng)
        if changed is None:
            break
        schedule, name = changed
        changes.append(name)
    if schedule == parent:  # nothing can be changed
        return None
    return Candidate(schedule=schedule, provenance=Mutated(parent=schedule_hash(parent), changes=tuple(changes)))


def _change(schedule: Schedule, funcs: Sequence[FuncInfo], rng: np.random.Generator) -> tuple[Schedule, str] | None:
    context = Context(list(schedule.directives), loop_nests(schedule, funcs), rng)
    for _ in range(_ATTEMPTS):
        operator = context.any(_BY_WEIGHT)
        directives = operator.apply(context)
        if directives is None:
            continue
        try:
            changed = canonical_names(Schedule(tuple(directives)), funcs)
            loop_nests(changed, funcs)
        except InputError:  # a loop that something else needs is gone
            continue
        if changed != schedule:
            return changed, operator.name
    return None
