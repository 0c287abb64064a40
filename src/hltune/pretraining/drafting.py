"""Changes of what searches have found, as tuning makes them: half at random, half on purpose.

A ranker has to have seen of each kind how fast it is. Of what is made on purpose it thinks too much otherwise, for each
of those mends what it takes to be slow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from hltune.search.mutation import Parent, mutants, neighbours
from hltune.search.remedied import in_turns
from hltune.search.sizes import resized
from hltune.tuning.cases import Cases
from hltune.tuning.proposals import mixed
from hltune.tuning.streams import Stream
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule


def drafted(
    searched: Mapping[str, Candidate], best: Schedule, cases: Cases, rng: np.random.Generator, *, wanted: int
) -> dict[str, Candidate]:
    """At most so many new schedules, by their hash.

    Args:
        searched: what is changed at random, by the hash of the schedule.
        best: that of these which is changed on purpose.
    """
    spec, parent = cases.lowering.spec, Parent(best, 1.0)
    cases.read([parent], end_s=math.inf)
    shares = cases.shares([parent])
    streams = [
        cases.remedies([parent]),
        cases.moves([parent]),
        neighbours(best, spec.funcs, rng, shares=shares),
        resized(best, spec.funcs),
    ]
    purposeful = dict(islice(_new(streams, searched), wanted // 2))
    random = mutants(
        [Parent(each.schedule, 1.0) for each in searched.values()],
        spec,
        rng,
        wanted=wanted - len(purposeful),
        known=lambda key: key in searched or key in purposeful,
        shares=shares,
    )
    return mixed(purposeful, random)


def _new(streams: Sequence[Stream], known: Mapping[str, Candidate]) -> Stream:
    """What comes of each in turn, once."""
    seen = {*known}
    for key, each in in_turns(streams):
        if key not in seen:
            seen.add(key)
            yield key, each
