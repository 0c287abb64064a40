"""Forecasts in place of measurements, where nothing was measured yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from hltune.search.gains import Gain
from hltune.search.mutation import Parent
from hltune.tuning.known import Known
from hltune.tuning.operators import Try


@dataclass(slots=True)
class Predicted(Known):
    """What `Proposals` and `Drafts` ask of a history, of schedules that will be measured whatever they cost.

    The ranker learns from what was measured alone, and so from none of these.

    Attributes:
        forecasts: schedules with what they are thought to cost, by their hash.
        known: hashes of all, those included that nothing is forecast of.
    """

    forecasts: dict[str, Parent] = field(default_factory=dict[str, Parent])
    known: set[str] = field(default_factory=set[str])

    def __contains__(self, key: str) -> bool:
        return key in self.known

    def cost(self, key: str) -> float | None:
        """See `Costs`."""
        found = self.forecasts.get(key)
        return None if found is None else found.cost

    def best(self, count: int) -> list[Parent]:
        """See `Costs`."""
        return sorted(self.forecasts.values(), key=lambda each: each.cost)[:count]

    def mutants(self) -> list[Try]:
        """See `Costs`."""
        return []

    def gains(self) -> list[Gain]:
        """See `Costs`."""
        return []
