"""What the store keeps: a pipeline, a machine, and samples that belong to both."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.features import Featurization
from hltune.values.pipeline import PipelineSpec
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
        _check(_HASH.fullmatch(self.hash) is not None, "pipeline hash", "64 hexadecimal digits", repr(self.hash))
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
class MachineInfo:
    """Where samples were measured; samples of different machines are never mixed.

    Attributes:
        key: the fingerprint's.
        cpu: model of the processor.
        target: the full Halide target string, with all CPU features.
        threads: size of the thread pool.
        halide: version.
    """

    key: str
    cpu: str
    target: str
    threads: int
    halide: str

    def __post_init__(self) -> None:
        _check(bool(self.key), "machine key", "a fingerprint's key", repr(self.key))
        _check(self.threads >= 1, "threads", "1 or more", str(self.threads))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What running a schedule took; its output was verified.

    Attributes:
        repeats_s: every repeat, in the order of measurement.
        pruned: it was so much slower than the best that further repeats were not worth their time.
    """

    repeats_s: tuple[float, ...]
    pruned: bool = False

    def __post_init__(self) -> None:
        good = bool(self.repeats_s) and all(0 < value < math.inf for value in self.repeats_s)
        _check(good, "repeats", "positive, finite times", repr(self.repeats_s))

    @property
    def fastest_s(self) -> float:
        """What disturbs a run only ever adds time."""
        return min(self.repeats_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a schedule came from.

    Attributes:
        round: of the tuning loop; 0 outside of it.
        search: the search parameters, a JSON object.
        weights_hash: of the cost model that steered the search, if one did.
    """

    round: int = 0
    search: str = "{}"
    weights_hash: str | None = None

    def __post_init__(self) -> None:
        _check(self.round >= 0, "round", "0 or more", str(self.round))
        try:
            document = json.loads(self.search)
        except ValueError:
            document = None
        _check(isinstance(document, dict), "search parameters", "a JSON object", repr(self.search))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of one schedule of one pipeline on one machine.

    Attributes:
        pipeline_hash: of a pipeline that the store knows.
        schedule: None if its directives are not known; then the featurization stands for it.
        featurization: None unless Adams2019 made the schedule.
        measured_at_s: seconds since 1970, UTC.
    """

    pipeline_hash: str
    machine: MachineInfo
    schedule: Schedule | None
    featurization: Featurization | None
    measurement: Timing | Failure
    origin: Origin
    measured_at_s: float

    def __post_init__(self) -> None:
        _check(
            _HASH.fullmatch(self.pipeline_hash) is not None,
            "pipeline hash",
            "64 hexadecimal digits",
            repr(self.pipeline_hash),
        )
        _check(
            self.schedule is not None or self.featurization is not None,
            "sample",
            "a schedule or a featurization",
            "neither",
        )
        _check(0 <= self.measured_at_s < math.inf, "time of measurement", "seconds since 1970", str(self.measured_at_s))

    @property
    def schedule_hash(self) -> str:
        """Identity of the schedule: 64 hexadecimal digits."""
        if self.schedule is not None:
            return schedule_hash(self.schedule)
        assert self.featurization is not None
        return self.featurization.schedule_hash


def _check(holds: bool, what: str, expected: str, found: str) -> None:
    if not holds:
        raise InputError(f"not a sample: bad {what}", expected=expected, found=found)
