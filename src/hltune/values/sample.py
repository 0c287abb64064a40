"""What the store keeps: a pipeline, and samples of it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import InputError
from hltune.values.features import Featurization
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.provenance import Provenance
from hltune.values.schedule_codec import schedule_hash

_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRecord:
    """A pipeline as the store knows it.

    Attributes:
        hash: `PipelineSpec.content_hash`, or `Featurization.pipeline_hash` of an imported one.
        name: what people call it; not part of its identity.
        spec: None if the samples came from elsewhere, without the algorithm.
    """

    hash: str
    name: str
    spec: PipelineSpec | None

    def __post_init__(self) -> None:
        _check_hash(self.hash)
        if self.spec is not None:
            _check(self.spec.content_hash == self.hash, "pipeline hash", self.spec.content_hash, self.hash)

    @classmethod
    def of(cls, spec: PipelineSpec) -> PipelineRecord:
        """The record of a pipeline that was loaded."""
        return cls(hash=spec.content_hash, name=spec.name, spec=spec)

    @classmethod
    def imported(cls, featurization: Featurization) -> PipelineRecord:
        """The record of a pipeline of which nothing is known but its features."""
        identity = featurization.pipeline_hash
        return cls(hash=identity, name=f"imported-{identity[:8]}", spec=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of one schedule of one pipeline on one machine.

    Attributes:
        schedule: None if its directives are not known; then the featurization stands for it.
        featurization: None unless Adams2019 made the schedule.
        measurement: its cost, whose turns the store keeps as one; or why it failed.
        round: number of the tuning round; 0 outside of tuning.
        measured_at_s: seconds since 1970, UTC.
    """

    pipeline_hash: str
    machine: MachineId
    schedule: Schedule | None
    featurization: Featurization | None
    measurement: Measurement
    provenance: Provenance
    round: int = 0
    measured_at_s: float

    def __post_init__(self) -> None:
        _check_hash(self.pipeline_hash)
        known = self.schedule is not None or self.featurization is not None
        _check(known, "sample", "a schedule or a featurization", "neither")
        _check(self.round >= 0, "round", "0 or more", str(self.round))
        _check(0 <= self.measured_at_s < math.inf, "time of measurement", "seconds since 1970", str(self.measured_at_s))

    @property
    def schedule_hash(self) -> str:
        """Identity of the schedule: 64 hexadecimal digits."""
        if self.schedule is not None:
            return schedule_hash(self.schedule)
        assert self.featurization is not None
        return self.featurization.schedule_hash


def _check_hash(text: str) -> None:
    _check(_HASH.fullmatch(text) is not None, "pipeline hash", "64 hexadecimal digits", repr(text))


def _check(holds: bool, what: str, expected: str, found: str) -> None:
    if not holds:
        raise InputError(f"not a sample: bad {what}", expected=expected, found=found)
