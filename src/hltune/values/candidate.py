"""A schedule on its way to being measured."""

from dataclasses import dataclass

from hltune.values.directives import Schedule
from hltune.values.features import Featurization
from hltune.values.provenance import Provenance


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
