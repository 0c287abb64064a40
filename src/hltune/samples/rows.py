"""Samples as rows of the store's tables, and back."""

from __future__ import annotations

import json
import zlib
from typing import Any, cast

import numpy as np

from hltune.values import schedule_codec
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, FailureKind
from hltune.values.features import Featurization
from hltune.values.machine_id import MachineId
from hltune.values.sample import Origin, Sample, Timing

_TIME = np.dtype("<f8")

SAMPLE_QUERY = """
SELECT pipelines.hash, key, cpu, target, threads, halide, directives, data, schedule_features, repeats_s, stopped_early,
    failure_stage, failure_kind, failure_message, failure_log, round, search, weights_hash, measured_at_s
FROM samples
CROSS JOIN pipelines ON pipelines.id = samples.pipeline_id
CROSS JOIN machines ON machines.id = machine_id
CROSS JOIN schedules ON schedules.id = schedule_id
LEFT JOIN features ON features.id = features_id
WHERE samples.id IN (SELECT id FROM samples WHERE pipeline_id = ? AND machine_id = ?)
ORDER BY samples.id
"""
"""The rows that `decode_sample` takes."""


def decode_sample(row: tuple[Any, ...]) -> Sample:
    """Raises `ValueError`, `TypeError`, `zlib.error` or `InputError` if the row was damaged."""
    pipeline_hash, key, cpu, target, threads, halide, directives, data, schedule_features = row[:9]
    repeats_s, stopped_early, stage, kind, message, log, number, search, weights_hash, measured_at_s = row[9:]
    if repeats_s is None:
        measurement = Failure(stage=stage, kind=cast(FailureKind, kind), message=message, log=log)
    else:
        times = np.frombuffer(repeats_s, dtype=_TIME).tolist()
        measurement = Timing(repeats_s=tuple(times), pruned=bool(stopped_early))
    featurization = None
    if data is not None:
        featurization = Featurization(
            pipeline_features=zlib.decompress(data), schedule_features=zlib.decompress(schedule_features)
        )
    return Sample(
        pipeline_hash=pipeline_hash,
        machine=MachineId(key=key, cpu=cpu, target=target, threads=threads, halide=halide),
        schedule=decode_schedule(directives),
        featurization=featurization,
        measurement=measurement,
        origin=Origin(round=number, search=search, weights_hash=weights_hash),
        measured_at_s=measured_at_s,
    )


def decode_schedule(data: bytes | None) -> Schedule | None:
    """Raises `ValueError`, `zlib.error` or `InputError` if it was damaged."""
    return None if data is None else schedule_codec.from_json(json.loads(zlib.decompress(data)))


def encode_schedule(schedule: Schedule | None) -> bytes | None:
    """The column ``directives``."""
    return None if schedule is None else zlib.compress(json.dumps(schedule_codec.to_json(schedule)).encode())


def encode_sample(sample: Sample) -> dict[str, Any]:
    """Columns of the table ``samples``, without the ids."""
    return {
        **_encode_measurement(sample.measurement),
        "schedule_features": sample.featurization and zlib.compress(sample.featurization.schedule_features),
        "round": sample.origin.round,
        "search": sample.origin.search,
        "weights_hash": sample.origin.weights_hash,
        "measured_at_s": sample.measured_at_s,
    }


def _encode_measurement(measurement: Timing | Failure) -> dict[str, Any]:
    if isinstance(measurement, Timing):
        return {
            "fastest_s": measurement.fastest_s,
            "repeats_s": np.array(measurement.repeats_s, dtype=_TIME).tobytes(),
            "stopped_early": measurement.pruned,
        }
    return {
        "stopped_early": False,
        "failure_stage": measurement.stage,
        "failure_kind": measurement.kind,
        "failure_message": measurement.message,
        "failure_log": measurement.log,
    }
