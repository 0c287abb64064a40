"""Counts what a compiled schedule really does, by Halide's own tracing: a reference for what its text says."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hltune.machine.inputs import random_array, shape_of
from hltune.pipeline.build import build
from hltune.runtime.worker import Process
from hltune.schedule.apply import apply_schedule
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import BufferArgument, PipelineSpec
from tests.loading import fresh

LOAD, STORE = 0, 1
_HEADER = struct.Struct("<IiBBHiiii")


class Packet(NamedTuple):
    event: int
    func: str
    value_index: int
    coordinates: bytes
    lanes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob:
    """Runs a schedule once, on one thread, with tracing to the file of ``HL_TRACE_FILE``."""

    spec: PipelineSpec
    schedule: Schedule

    def run(self, process: Process) -> None:
        import halide as hl

        process.enter("trace", timeout_s=300)
        built = build(self.spec)
        apply_schedule(built, self.spec, self.schedule)
        target = hl.Target("host-trace_loads-trace_stores-no_asserts")
        function: Any = built.pipeline.compile_to_callable(built.arguments, target)
        arguments = [
            random_array(each, seed=0) if isinstance(each, BufferArgument) else each.estimate
            for each in self.spec.inputs
        ]
        outputs = [
            np.empty(shape_of(output.estimate), dtype) for output in self.spec.outputs for dtype in output.dtypes
        ]
        function(*arguments, *outputs)


def traced(spec: PipelineSpec, schedule: Schedule, folder: Path) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Elements that each Func gets, and elements that are loaded of each Func and image.

    What one store needs more than once is loaded once: Halide computes it once, but traces each.
    """
    path = folder / "trace"
    environment = {"HL_TRACE_FILE": str(path), "HL_NUM_THREADS": "1"}
    outcome = fresh(RunJob(spec=spec, schedule=schedule), environment)
    assert not isinstance(outcome, Failure), outcome
    stores: Counter[str] = Counter()
    loads: Counter[str] = Counter()
    waiting: set[Packet] = set()
    for packet in _packets(path):
        if packet.event == LOAD:
            waiting.add(packet)
        elif packet.event == STORE:
            stores[packet.func] += packet.lanes
            for each in waiting:
                loads[each.func] += each.lanes
            waiting.clear()
    return stores, loads


def _packets(path: Path) -> Iterator[Packet]:
    data = path.read_bytes()
    at = 0
    while at < len(data):
        size, _, _, bits, lanes, event, _, value_index, dimensions = _HEADER.unpack_from(data, at)
        begin = at + _HEADER.size
        end = begin + 4 * dimensions
        name = end + lanes * ((bits + 7) // 8)
        func = data[name : data.index(b"\0", name)].decode()
        yield Packet(event, func, value_index, data[begin:end], lanes)
        at += size
