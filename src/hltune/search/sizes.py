"""One number of a schedule wherever it stands: the lengths of all vectors, the heights of all strips."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import replace

from hltune.search.operators import LARGEST_FACTOR
from hltune.search.view import Directives, legal
from hltune.values.candidate import Candidate
from hltune.values.directives import Directive, Parallel, Schedule, Split, Unroll, Vectorize
from hltune.values.pipeline import FuncInfo
from hltune.values.provenance import Mutated
from hltune.values.roles import Stage
from hltune.values.schedule_codec import schedule_hash

EVERYWHERE = "everywhere"
"""What provenance calls a change of all stages."""
_LEAST = 2
"""Splits of one kind that are more than one detail."""


def resized(
    parent: Schedule, funcs: Sequence[FuncInfo], free: Set[str] | None = None
) -> Iterator[tuple[str, Candidate]]:
    """What comes of a schedule by `scaled_everywhere`, with their hashes; each is made when it is asked for."""
    provenance = Mutated(parent=schedule_hash(parent), changes=("scale", EVERYWHERE))
    for directives in scaled_everywhere(parent.directives, free):
        if (schedule := legal(directives, funcs)) is not None:
            yield schedule_hash(schedule), Candidate(schedule=schedule, provenance=provenance)


def scaled_everywhere(directives: Sequence[Directive], free: Set[str] | None = None) -> Iterator[Directives]:
    """With the factors of all splits of one kind twice as large, or half: of all of them, and of those that are equal.

    Only those of `free` Funcs, if it is told which they are.
    """
    kinds: dict[Hashable, dict[int, Split]] = {}
    made = _made_into(directives)
    for at, each in enumerate(directives):
        if isinstance(each, Split) and (free is None or each.stage.func in free):
            kind = made.get((each.stage, each.inner)), made.get((each.stage, each.outer))
            kinds.setdefault(kind, {})[at] = each
            kinds.setdefault((kind, each.factor), {})[at] = each
    seen = list[dict[int, int]]()
    for splits in kinds.values():
        for twice in (True, False):
            factors = {at: each.factor * 2 if twice else each.factor // 2 for at, each in splits.items()}
            if len(factors) >= _LEAST and factors not in seen and _are_sizes(factors.values()):
                seen.append(factors)
                changed = {at: replace(splits[at], factor=factor) for at, factor in factors.items()}
                yield [changed.get(at, each) for at, each in enumerate(directives)]


def _are_sizes(factors: Iterable[int]) -> bool:
    return all(1 < each <= LARGEST_FACTOR for each in factors)


def _made_into(directives: Sequence[Directive]) -> dict[tuple[Stage, str], str]:
    """What loops become, by their stages and names: vectors, and what is unrolled or shared by threads."""
    return {
        (each.stage, each.var): type(each).__name__
        for each in directives
        if isinstance(each, Vectorize | Unroll | Parallel)
    }
