"""All that a store keeps, also what the program never reads back."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np

from hltune.samples import database
from hltune.samples.reader import Reader
from hltune.samples.rows import MACHINE_COLUMNS, OF, decode_machine, decode_schedule
from hltune.values import provenance
from hltune.values.cost import Cost, Counters, Heap
from hltune.values.documents import convert
from hltune.values.errors import Failure
from hltune.values.features import Featurization
from hltune.values.machine_id import MachineId
from hltune.values.sample import PipelineRecord, Sample

SAMPLES = f"""
SELECT pipelines.hash, {MACHINE_COLUMNS}, directives, data, schedule_features, repeats, pruned, counters, heap,
    failure_stage, failure_kind, failure_message, failure_log, round, provenance, measured_at_s
FROM samples
CROSS JOIN pipelines ON pipelines.id = samples.pipeline_id
CROSS JOIN machines ON machines.id = machine_id
CROSS JOIN schedules ON schedules.id = schedule_id
LEFT JOIN features ON features.id = features_id
WHERE samples.id IN (SELECT id {OF})
ORDER BY samples.id
"""


def samples(reader: Reader, pipeline_hash: str, machine_key: str) -> list[Sample]:
    """The whole history of a pipeline on a machine, in the order in which it was added."""
    with database.decoding(reader.path):
        return [_sample(row) for row in _rows(reader, SAMPLES, pipeline_hash, machine_key)]


def pipeline(reader: Reader, pipeline_hash: str) -> PipelineRecord:
    """All that is known of a pipeline."""
    return PipelineRecord(hash=pipeline_hash, name=reader.pipelines()[pipeline_hash], spec=reader.spec(pipeline_hash))


def machines(reader: Reader) -> tuple[MachineId, ...]:
    """All machines that samples were measured on."""
    with database.decoding(reader.path):
        return tuple(map(decode_machine, _rows(reader, f"SELECT {MACHINE_COLUMNS} FROM machines ORDER BY id")))


def _rows(reader: Reader, query: str, *arguments: str) -> list[tuple[Any, ...]]:
    connection = database.connect(reader.path, writing=False)
    try:
        return connection.execute(query, arguments).fetchall()
    finally:
        connection.close()


def _sample(row: tuple[Any, ...]) -> Sample:
    pipeline_hash, *machine, directives, data, schedule_features = row[:10]
    repeats, pruned, counters, heap, stage, kind, message, log, number, origin, measured_at_s = row[10:]
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
            turns=(tuple(np.frombuffer(repeats, dtype="<f8").tolist()),),
            pruned=bool(pruned),
            counters=None if counters is None else convert(json.loads(counters), Counters),
            heap=None if heap is None else convert(json.loads(heap), Heap),
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
