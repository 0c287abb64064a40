"""Which ways to change a schedule succeed, in one pipeline: those are tried more often."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from hltune.search.operators import OPERATORS

WIN = 0.98
"""A mutant that costs less than this share of what its parent does has succeeded."""
_PRIOR = {
    "scale": 0.13,
    "align": 0.13,
    "memory": 0.11,
    "unroll": 0.11,
    "store": 0.1,
    "hoist": 0.1,
    "block": 0.1,
    "tail": 0.09,
    "reorder": 0.07,
    "inline": 0.06,
    "compute": 0.05,
    "materialise": 0.04,
    "parallel": 0.04,
    "partition": 0.07,
}
"""Share of successes that was seen in tuning a dozen pipelines."""
_UNSEEN = fmean(_PRIOR.values())
"""Of an operator that was not there then."""
_PRIOR_TRIES = 20.0
"""So many tries of a pipeline's own say as much as these."""
_KIND_TRIES, _MOST_FAVOURED = 5.0, 2.0
"""The same of kinds of drafts, where it is a tenth of all tries that one would waste; none is made more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """A mutant that was measured: by which operators it came, its cost, None if it failed, and its parent's."""

    operators: tuple[str, ...]
    cost: float | None
    parent_cost: float

    @property
    def won(self) -> bool:
        """It is faster than its parent."""
        return self.cost is not None and self.cost < WIN * self.parent_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Successes:
    """How often each operator took part in a mutant that was measured, and in one that won, by name."""

    tries: Mapping[str, int]
    wins: Mapping[str, int]

    @classmethod
    def of(cls, tries: Iterable[Try]) -> "Successes":
        """Counts."""
        tried, won = Counter[str](), Counter[str]()
        for each in tries:
            names = set(each.operators)
            tried.update(names)
            won.update(names if each.won else ())
        return cls(tries=tried, wins=won)

    def weights(self) -> dict[str, float]:
        """How often each operator is to be tried, relative to the others."""
        return {each.name: each.weight * self._share(each.name) for each in OPERATORS}

    def favour(self, name: str) -> float:
        """How many times as often as others a kind of drafts is to be made that are no operator's."""
        wins, tries = self.wins.get(name, 0), self.tries.get(name, 0)
        share = (wins + _UNSEEN * _KIND_TRIES) / (tries + _KIND_TRIES)
        return min(_MOST_FAVOURED, share / _UNSEEN)

    def _share(self, name: str) -> float:
        wins, tries = self.wins.get(name, 0), self.tries.get(name, 0)
        return (wins + _PRIOR.get(name, _UNSEEN) * _PRIOR_TRIES) / (tries + _PRIOR_TRIES)
