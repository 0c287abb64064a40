"""Samples as rows of the store's tables, and back."""

import base64
import json
import math
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np

from hltune.values import provenance, schedule_codec
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.documents import convert
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import BufferArgument, FuncInfo, OutputArgument, OutputImage, PipelineSpec, ScalarArgument
from hltune.values.sample import Sample
from hltune.values.unit import Unit

_INFINITE = {str(value): value for value in (math.inf, -math.inf)}
"""What JSON has no numbers for."""

MACHINE_COLUMNS = "cpu, target, threads, halide, conditions, unit"
OF = """FROM samples WHERE pipeline_id = (SELECT id FROM pipelines WHERE hash = ?)
    AND machine_id = (SELECT id FROM machines WHERE key = ?)"""
"""The samples of one pipeline on one machine; unknown ones have none."""


def decode_machine(columns: Any) -> MachineId:
    """A machine from `MACHINE_COLUMNS`; raises `ValueError`, `TypeError` or `InputError` if they were damaged."""
    cpu, target, threads, halide, conditions, unit = columns
    return MachineId(
        cpu=cpu,
        target=target,
        threads=threads,
        halide=halide,
        conditions=conditions,
        unit=convert(json.loads(unit), Unit),
    )


def encode_machine(machine: MachineId) -> dict[str, Any]:
    """Columns of the table ``machines``, without the id."""
    return {"key": machine.key, **machine.document(), "unit": json.dumps(asdict(machine.unit))}


def decode_schedule(data: bytes | None) -> Schedule | None:
    """A schedule from the column ``directives``; raises `zlib.error`, too."""
    return None if data is None else schedule_codec.from_json(json.loads(zlib.decompress(data)))


def encode_schedule(schedule: Schedule | None) -> bytes | None:
    """The column ``directives``."""
    return None if schedule is None else zlib.compress(json.dumps(schedule_codec.to_json(schedule)).encode())


def encode_spec(spec: PipelineSpec) -> str:
    """The column ``spec``, which has all but the pipeline's name and its hlpipe bytes.

    ::

        {"inputs": [{"kind": "buffer", "name": "in", "dtype": "uint8", "estimate": [[0, 64], [0, 48]]},
                    {"kind": "scalar", "name": "k", "dtype": "int32", "estimate": 3}],
         "outputs": [{"name": "out", "dtypes": ["uint8"], "estimate": [[0, 64], [0, 48]]}],
         "funcs": [{"name": "out", "args": ["x", "y"], "updates": [], "update_args": []}]}

    Estimates that are infinite are "inf" and "-inf". The expressions of promises are base64. The alignment of an
    output, pitches and the images of outputs stand there only if the code promises them, and extents only if they are
    constants: bundles have their names from what this was before there were such things.
    """
    inputs = [
        {"kind": "buffer" if isinstance(each, BufferArgument) else "scalar", **asdict(each)} for each in spec.inputs
    ]
    outputs, funcs = [asdict(output) for output in spec.outputs], [asdict(func) for func in spec.funcs]
    for output in outputs:
        if output["alignment"] is None:
            del output["alignment"]
    for argument in (*inputs, *outputs):
        if argument.get("pitches") == ():
            del argument["pitches"]
        if argument["estimate"] in _INFINITE.values():
            argument["estimate"] = str(argument["estimate"])
    for func in funcs:
        if func["extents"] == ():
            del func["extents"]
    document: dict[str, Any] = {"inputs": inputs, "outputs": outputs, "funcs": funcs}
    if spec.output_images:
        document["output_images"] = [asdict(image) for image in spec.output_images]
    return json.dumps(document, default=_base64)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode_spec(name: str, text: str, hlpipe: bytes) -> PipelineSpec:
    """The inverse of `encode_spec`; raises `ValueError`, `KeyError` or `InputError` if the column was damaged."""
    document = json.loads(text)
    kinds = {"buffer": BufferArgument, "scalar": ScalarArgument}
    for each in document["inputs"]:
        if isinstance(each["estimate"], str):
            each["estimate"] = _INFINITE[each["estimate"]]
    return PipelineSpec(
        name=name,
        hlpipe=hlpipe,
        inputs=tuple(convert(each, kinds[each.pop("kind")]) for each in document["inputs"]),
        outputs=tuple(convert(each, OutputArgument) for each in document["outputs"]),
        funcs=tuple(convert(each, FuncInfo) for each in document["funcs"]),
        output_images=tuple(convert(each, OutputImage) for each in document.get("output_images", ())),
    )


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
            "repeats": np.array(measurement.repeats, dtype="<f8").tobytes(),
            "pruned": measurement.pruned,
            "counters": measurement.counters and json.dumps(asdict(measurement.counters)),
            "heap": measurement.heap and json.dumps(asdict(measurement.heap)),
        }
    return {
        "pruned": False,
        "failure_stage": measurement.stage,
        "failure_kind": measurement.kind,
        "failure_message": measurement.message,
        "failure_log": measurement.log,
    }
