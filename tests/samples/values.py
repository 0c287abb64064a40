"""Arbitrary samples, and short ways to make one."""

from __future__ import annotations

from typing import get_args

import numpy as np
from hypothesis import strategies as st

from hltune.values.cost import Cost, Counters, Heap
from hltune.values.directives import Schedule, Unroll
from hltune.values.errors import Failure, FailureKind
from hltune.values.features import COLUMNS, Featurization
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import (
    LIMITS,
    BufferArgument,
    Constraint,
    FuncInfo,
    OutputArgument,
    PipelineSpec,
    Promise,
    ScalarArgument,
)
from hltune.values.provenance import Imported, Mutated, Named, Searched
from hltune.values.roles import Stage
from hltune.values.sample import PipelineRecord, Sample
from hltune.values.unit import MILLISECONDS
from tests.schedule.strategies import any_schedule

MACHINE = MachineId(
    cpu="some CPU", target="x86-64-linux-avx2", threads=2, halide="21.0.0", conditions="heap of a fresh process"
)
OTHER_MACHINE = MachineId(cpu="another CPU", target="x86-64-linux", threads=2, halide="21.0.0")
SPEC = PipelineSpec(
    name="blur",
    hlpipe=b"\0algorithm\xff",
    inputs=(
        BufferArgument(name="in", dtype="uint8", estimate=((0, 64), (-1, 48))),
        ScalarArgument(name="k", dtype="int32", estimate=3),
    ),
    outputs=(OutputArgument(name="out", dtypes=("uint8",), estimate=((0, 64), (0, 48))),),
    funcs=(FuncInfo(name="out", args=("x", "y"), updates=(("r_x",),), update_args=(("x",),)),),
)
PIPELINE = PipelineRecord.of(SPEC)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
times = st.floats(1e-9, 1e6)
intervals = st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 9)), max_size=3).map(tuple)
name_tuples = st.lists(names, max_size=3).map(tuple)
name_tables = st.lists(name_tuples, max_size=2).map(tuple)
estimates = st.booleans() | st.integers() | st.floats(allow_nan=False)
limits = st.none() | st.integers(-9, 99)
constraints = st.lists(st.builds(Constraint, minimum=limits, extent=limits, stride=limits), max_size=2).map(tuple)
promises = st.builds(
    Promise, dimension=st.integers(0, 3), what=st.sampled_from(LIMITS), expression=st.binary(max_size=9)
)
buffers = st.builds(
    BufferArgument,
    name=names,
    dtype=names,
    estimate=intervals,
    constraints=constraints,
    promises=st.lists(promises, max_size=2).map(tuple),
    alignment=st.none() | st.integers(1, 128),
)
outputs = st.builds(
    OutputArgument,
    name=names,
    dtypes=name_tuples,
    estimate=intervals,
    constraints=constraints,
    alignment=st.none() | st.integers(1, 4096),
)
specs = st.builds(
    PipelineSpec,
    name=names,
    hlpipe=st.binary(max_size=20),
    inputs=st.lists(buffers | st.builds(ScalarArgument, name=names, dtype=names, estimate=estimates), max_size=3).map(
        tuple
    ),
    outputs=st.lists(outputs, max_size=2).map(tuple),
    funcs=st.lists(
        st.builds(
            FuncInfo,
            name=names,
            args=name_tuples,
            updates=name_tables,
            update_args=name_tables,
            extents=st.lists(st.lists(st.none() | st.integers(0, 9), max_size=2).map(tuple), max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)
failures = st.builds(Failure, stage=names, kind=st.sampled_from(get_args(FailureKind)), message=names, log=names)
counters = st.builds(
    Counters,
    **{name: st.integers(0, 2**40) for name in ("packets", "hvx_instructions", "instructions", "allocations")},
    peak_heap_bytes=st.integers(0, 2**40),
    line_misses=st.none() | st.integers(0, 2**40),
)
heaps = st.builds(
    Heap, **{name: st.integers(0, 2**40) for name in ("allocations", "bytes", "peak_bytes", "largest_mapped_bytes")}
)
costs = st.builds(
    Cost,
    unit=st.just(MILLISECONDS),
    turns=st.lists(times, min_size=1, max_size=9).map(lambda turn: (tuple(turn),)),
    pruned=st.booleans(),
    counters=st.none() | counters,
    heap=st.none() | heaps,
)
parameters = st.lists(st.tuples(st.text("abc_", min_size=1), names), max_size=3, unique_by=lambda pair: pair[0])
provenances = (
    st.builds(Searched, autoscheduler=names, weights=st.none() | names, parameters=parameters.map(tuple))
    | st.builds(Mutated, parent=names, changes=name_tuples)
    | st.builds(Named, name=names)
    | st.builds(Imported, file=names, pipeline_id=st.integers(0, 2**31), schedule_id=st.integers(0, 2**31))
)
featurizations = st.integers(1, 6).flatmap(
    lambda stages: st.integers(0, 2**32 - 1).map(lambda seed: featurization(seed, stages=stages))
)
samples = st.builds(
    lambda schedule, made_of, measurement, provenance, number, when: Sample(
        pipeline_hash=PIPELINE.hash,
        machine=MACHINE,
        schedule=schedule,
        featurization=made_of,
        measurement=measurement,
        provenance=provenance,
        round=number,
        measured_at_s=when,
    ),
    any_schedule,
    st.none() | featurizations,
    costs | failures,
    provenances,
    st.integers(0, 2**31),
    st.floats(0, 1e11),
)


def featurization(seed: int, *, stages: int = 3, pipeline_seed: int = 0) -> Featurization:
    """One that differs in its schedule features only, unless ``pipeline_seed`` says so."""
    schedule = np.random.default_rng(seed).random((stages, 39), dtype=np.float32)
    schedule[:, 5] = 1000 + pipeline_seed
    pipeline = np.random.default_rng(pipeline_seed).integers(0, 9, (stages, COLUMNS - 39)).astype(np.float32)
    return Featurization(pipeline_features=pipeline.tobytes(), schedule_features=schedule.tobytes())


def cost(*repeats: float) -> Cost:
    """A cost in milliseconds of these repeats, in seconds."""
    return Cost(unit=MILLISECONDS, turns=(repeats,))


def sample(
    number: int,
    measurement: Cost | Failure | None = None,
    *,
    pipeline: PipelineRecord = PIPELINE,
    machine: MachineId = MACHINE,
    when: float | None = None,
) -> Sample:
    """The sample of a schedule of this number."""
    return Sample(
        pipeline_hash=pipeline.hash,
        machine=machine,
        schedule=Schedule((Unroll(Stage("out"), f"x{number}"),)),
        featurization=featurization(number),
        measurement=measurement or cost(1e-3 * (number + 1)),
        provenance=Searched(autoscheduler="Adams2019", weights="f" * 64, parameters=(("beam_size", "1"),)),
        round=1,
        measured_at_s=1000.0 + number if when is None else when,
    )
