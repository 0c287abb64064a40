"""A schedule on its way to being measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hltune.values.cost import Measurement, repair_of
from hltune.values.directives import Schedule
from hltune.values.features import Featurization
from hltune.values.provenance import REPAIR, Mutated, Provenance
from hltune.values.schedule_codec import schedule_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A schedule and where it came from.

    Attributes:
        features: what the cost model saw; None unless Adams2019 found it, or where its numbers overflowed.
        predicted_ms: running time by the cost model; None unless Adams2019 found it.
        search_s: wall time of the plugin's call; None if there was none.
    """

    schedule: Schedule
    provenance: Provenance
    features: Featurization | None = None
    predicted_ms: float | None = None
    search_s: float | None = None

    def as_measured(self, measurement: Measurement) -> Candidate:
        """The candidate that a measurement is of: this one, or the one that it was repaired to.

        Features and forecast stay: the cost model does not see what a repair changes.
        """
        repair = repair_of(measurement)
        if repair is None or repair == self.schedule:
            return self
        return replace(
            self, schedule=repair, provenance=Mutated(parent=schedule_hash(self.schedule), changes=(REPAIR,))
        )
