"""Candidates that are made of the best known schedules, see `hltune.search.mutation.operators`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hltune.search.jobs import Candidate
from hltune.search.mutation.operators import mutate
from hltune.values.directives import Schedule
from hltune.values.pipeline import FuncInfo
from hltune.values.schedule_codec import schedule_hash

PARENTS = 12
_FAVOUR = 4.0
"""Mean rank of the parent that is chosen, the best one being 0."""
_ATTEMPTS_PER_MUTANT = 10


def mutants(
    parents: Sequence[Schedule],
    funcs: Sequence[FuncInfo],
    rng: np.random.Generator,
    *,
    wanted: int,
    known: Callable[[str], bool],
) -> dict[str, Candidate]:
    """Changes schedules at random; returns new ones by their hash.

    Args:
        parents: the best first.
        funcs: of the pipeline.
        rng: of parents and changes.
        wanted: how many; there may be fewer.
        known: whether the schedule with this hash is known.
    """
    found: dict[str, Candidate] = {}
    for _ in range(_ATTEMPTS_PER_MUTANT * wanted if parents else 0):
        if len(found) == wanted:
            break
        parent = parents[min(int(rng.exponential(_FAVOUR)), len(parents) - 1)]
        mutant = mutate(parent, funcs, rng)
        if mutant is None:
            continue
        schedule, mutation = mutant
        key = schedule_hash(schedule)
        if not known(key):
            found[key] = Candidate(
                schedule=schedule, options=mutation, featurization=b"", predicted_ms=None, search_s=0.0
            )
    return found
