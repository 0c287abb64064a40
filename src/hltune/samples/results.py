"""What reading the store gives."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hltune.samples.rows import decode_machine, decode_schedule
from hltune.values import provenance
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.features import FLOAT, SCHEDULE_COLUMNS, Floats
from hltune.values.machine_id import MachineId
from hltune.values.provenance import Provenance

LONGEST_PAUSE_S, _LONGER = 60.0, 20.0
"""What is longer, and so many times as long as is usual between two measurements, lies between two runs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """Schedules of one pipeline on one machine that were measured and have a featurization.

    Attributes:
        pipeline_features: [stages, 287].
        schedule_features: [schedules, stages, 39].
        costs: [schedules], the least of all measurements of each.
        schedule_hashes: [schedules].
    """

    pipeline_features: Floats
    schedule_features: Floats
    costs: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    schedule_hashes: tuple[str, ...]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, float, bytes]], size: int, pipeline_features: Floats) -> Self:
        """From so many rows of hash, cost and the column ``schedule_features``; `ValueError` if there are fewer."""
        shape = (len(pipeline_features), SCHEDULE_COLUMNS)
        schedule_features = np.empty((size, *shape), dtype=np.float32)
        costs = np.empty(size)
        hashes: list[str] = []
        for index, (text, cost, data) in enumerate(rows):
            schedule_features[index] = np.frombuffer(zlib.decompress(data), dtype=FLOAT).reshape(shape)
            costs[index] = cost
            hashes.append(text)
        if len(hashes) != size:
            raise ValueError(f"{size} schedules expected, {len(hashes)} found")
        return cls(
            pipeline_features=pipeline_features,
            schedule_features=schedule_features,
            costs=costs,
            schedule_hashes=tuple(hashes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A schedule and how it did.

    Attributes:
        schedule: None if its directives are not known.
        cost: the least of all measurements.
        measurements: how many succeeded.
        round: number of the tuning round in which the least one was measured.
        provenance: where the schedule came from, by the least one.
        measured_at_s: when the least one was measured, in seconds since 1970.
    """

    schedule_hash: str
    schedule: Schedule | None
    cost: float
    measurements: int
    round: int
    provenance: Provenance
    measured_at_s: float

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Self:
        """Decodes a row of the store."""
        schedule_hash, directives, cost, measurements, number, origin, measured_at_s = row
        return cls(
            schedule_hash=schedule_hash,
            schedule=decode_schedule(directives),
            cost=cost,
            measurements=measurements,
            round=number,
            provenance=provenance.from_json(json.loads(origin)),
            measured_at_s=measured_at_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A schedule, and the last measurement of it on a machine.

    Attributes:
        schedule: None if its directives are not known.
        outcome: seconds, or why it failed.
        measured_at_s: when, in seconds since 1970.
    """

    pipeline_hash: str
    schedule_hash: str
    schedule: Schedule | None
    machine: MachineId
    outcome: float | Failure
    measured_at_s: float

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Self:
        """Decodes a row of the store."""
        pipeline_hash, schedule_hash, directives, cost, stage, kind, message, *machine, measured_at_s, _ = row
        return cls(
            pipeline_hash=pipeline_hash,
            schedule_hash=schedule_hash,
            schedule=decode_schedule(directives),
            machine=decode_machine(machine),
            outcome=Failure(stage=stage, kind=kind, message=message) if cost is None else cost,
            measured_at_s=measured_at_s,
        )


def minutes_without_pauses(at_s: np.ndarray) -> np.ndarray:
    """Minutes since the first of the times [N] of a `Reader.history`, without the time between two runs."""
    steps_s = np.diff(at_s, prepend=at_s[:1])
    steps_s[steps_s > max(LONGEST_PAUSE_S, _LONGER * np.median(steps_s[1:]) if len(steps_s) > 1 else 0.0)] = 0
    return np.cumsum(steps_s) / 60
