"""Samples as rows of the store's tables, and back."""

import json
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np

from hltune.values import provenance, schedule_codec
from hltune.values.cost import Cost, Counters, Measurement
from hltune.values.directives import Schedule
from hltune.values.documents import convert
from hltune.values.errors import Failure
from hltune.values.features import Featurization
from hltune.values.machine_id import MachineId
from hltune.values.sample import Sample
from hltune.values.unit import Unit

_REPEAT = np.dtype("<f8")

MACHINE_COLUMNS = "cpu, target, threads, halide, unit"
OF = """FROM samples WHERE pipeline_id = (SELECT id FROM pipelines WHERE hash = ?)
    AND machine_id = (SELECT id FROM machines WHERE key = ?)"""
"""The samples of one pipeline on one machine; unknown ones have none."""
SAMPLE_QUERY = f"""
SELECT pipelines.hash, {MACHINE_COLUMNS}, directives, data, schedule_features, repeats, pruned, counters,
    failure_stage, failure_kind, failure_message, failure_log, round, provenance, measured_at_s
FROM samples
CROSS JOIN pipelines ON pipelines.id = samples.pipeline_id
CROSS JOIN machines ON machines.id = machine_id
CROSS JOIN schedules ON schedules.id = schedule_id
LEFT JOIN features ON features.id = features_id
WHERE samples.id IN (SELECT id {OF})
ORDER BY samples.id
"""
"""The rows that `decode_sample` takes."""


def decode_sample(row: tuple[Any, ...]) -> Sample:
    """A sample from a row; raises `ValueError`, `TypeError`, `zlib.error` or `InputError` if it was damaged."""
    pipeline_hash, *machine, directives, data, schedule_features = row[:9]
    repeats, pruned, counters, stage, kind, message, log, number, origin, measured_at_s = row[9:]
    machine_id = decode_machine(machine)
    featurization = None
    if data is not None:
        featurization = Featurization(
            pipeline_features=zlib.decompress(data), schedule_features=zlib.decompress(schedule_features)
        )
    if repeats is None:
        measurement = Failure(stage=stage, kind=kind, message=message, log=log)
    else:
        measurement = Cost(
            unit=machine_id.unit,
            turns=(tuple(np.frombuffer(repeats, dtype=_REPEAT).tolist()),),
            pruned=bool(pruned),
            counters=None if counters is None else convert(json.loads(counters), Counters),
        )
    return Sample(
        pipeline_hash=pipeline_hash,
        machine=machine_id,
        schedule=decode_schedule(directives),
        featurization=featurization,
        measurement=measurement,
        provenance=provenance.from_json(json.loads(origin)),
        round=number,
        measured_at_s=measured_at_s,
    )


def decode_machine(columns: Any) -> MachineId:
    """A machine from `MACHINE_COLUMNS`; raises what `decode_sample` raises."""
    cpu, target, threads, halide, unit = columns
    return MachineId(cpu=cpu, target=target, threads=threads, halide=halide, unit=convert(json.loads(unit), Unit))


def encode_machine(machine: MachineId) -> dict[str, Any]:
    """Columns of the table ``machines``, without the id."""
    return {"key": machine.key, **machine.document(), "unit": json.dumps(asdict(machine.unit))}


def decode_schedule(data: bytes | None) -> Schedule | None:
    """A schedule from the column ``directives``; raises what `decode_sample` raises."""
    return None if data is None else schedule_codec.from_json(json.loads(zlib.decompress(data)))


def encode_schedule(schedule: Schedule | None) -> bytes | None:
    """The column ``directives``."""
    return None if schedule is None else zlib.compress(json.dumps(schedule_codec.to_json(schedule)).encode())


def encode_sample(sample: Sample) -> dict[str, Any]:
    """Columns of the table ``samples``, without the ids."""
    return {
        **_encode_measurement(sample.measurement),
        "schedule_features": sample.featurization and zlib.compress(sample.featurization.schedule_features),
        "round": sample.round,
        "provenance": json.dumps(provenance.to_json(sample.provenance)),
        "measured_at_s": sample.measured_at_s,
    }


def _encode_measurement(measurement: Measurement) -> dict[str, Any]:
    if isinstance(measurement, Cost):
        return {
            "cost": measurement.value,
            "repeats": np.array(measurement.repeats, dtype=_REPEAT).tobytes(),
            "pruned": measurement.pruned,
            "counters": measurement.counters and json.dumps(asdict(measurement.counters)),
        }
    return {
        "pruned": False,
        "failure_stage": measurement.stage,
        "failure_kind": measurement.kind,
        "failure_message": measurement.message,
        "failure_log": measurement.log,
    }
