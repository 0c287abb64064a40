"""Forecasts in place of measurements, where nothing was measured yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from hltune.search.gains import Gain
from hltune.search.mutation import Parent
from hltune.tuning.operators import Try
from hltune.values.directives import Schedule
from hltune.values.program_features import ProgramFeatures


@dataclass(slots=True)
class Predicted:
    """What `Proposals` and `Drafts` ask of a history, of schedules that will be measured whatever they cost.

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

    def working(self) -> dict[str, float]:
        """Nothing: the ranker learns from what was measured alone."""
        return {}

    def failed(self) -> tuple[str, ...]:
        """See `working`."""
        return ()

    def schedules(self, _keys: Collection[str], /) -> dict[str, Schedule]:
        """See `working`."""
        return {}

    def program_hashes(self) -> dict[str, str]:
        """Nothing is kept."""
        return {}

    def programs(self, _keys: Collection[str], /) -> dict[str, ProgramFeatures]:
        """Nothing is kept."""
        return {}

    def keep_programs(self, programs: Mapping[str, ProgramFeatures]) -> None:
        """Keeps nothing."""
