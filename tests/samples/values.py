"""Arbitrary samples, and short ways to make one."""

from __future__ import annotations

import json
from typing import get_args

import numpy as np
from hypothesis import strategies as st

from hltune.values.directives import Schedule, Unroll
from hltune.values.errors import Failure, FailureKind
from hltune.values.features import COLUMNS, Featurization
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import BufferArgument, FuncInfo, OutputArgument, PipelineSpec, ScalarArgument
from hltune.values.roles import Stage
from hltune.values.sample import Origin, PipelineRecord, Sample, Timing
from tests.schedule.strategies import any_schedule

MACHINE = MachineId(key="0123456789ab", cpu="some CPU", target="x86-64-linux-avx2", threads=2, halide="21.0.0")
OTHER_MACHINE = MachineId(key="ba9876543210", cpu="some CPU", target="x86-64-linux", threads=2, halide="21.0.0")
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
specs = st.builds(
    PipelineSpec,
    name=names,
    hlpipe=st.binary(max_size=20),
    inputs=st.lists(
        st.builds(BufferArgument, name=names, dtype=names, estimate=intervals)
        | st.builds(ScalarArgument, name=names, dtype=names, estimate=st.booleans() | st.integers() | times),
        max_size=3,
    ).map(tuple),
    outputs=st.lists(st.builds(OutputArgument, name=names, dtypes=name_tuples, estimate=intervals), max_size=2).map(
        tuple
    ),
    funcs=st.lists(
        st.builds(FuncInfo, name=names, args=name_tuples, updates=name_tables, update_args=name_tables), max_size=2
    ).map(tuple),
)
failures = st.builds(Failure, stage=names, kind=st.sampled_from(get_args(FailureKind)), message=names, log=names)
timings = st.builds(Timing, repeats_s=st.lists(times, min_size=1, max_size=9).map(tuple), pruned=st.booleans())
origins = st.builds(
    Origin,
    round=st.integers(0, 2**31),
    search=st.dictionaries(names, st.integers() | names, max_size=3).map(json.dumps),
    weights_hash=st.none() | names,
)
featurizations = st.integers(1, 6).flatmap(
    lambda stages: st.integers(0, 2**32 - 1).map(lambda seed: featurization(seed, stages=stages))
)
samples = st.builds(
    lambda schedule, made_of, measurement, origin, when: Sample(
        pipeline_hash=PIPELINE.hash,
        machine=MACHINE,
        schedule=schedule,
        featurization=made_of,
        measurement=measurement,
        origin=origin,
        measured_at_s=when,
    ),
    any_schedule,
    st.none() | featurizations,
    timings | failures,
    origins,
    st.floats(0, 1e11),
)


def featurization(seed: int, *, stages: int = 3, pipeline_seed: int = 0) -> Featurization:
    """One that differs in its schedule features only, unless ``pipeline_seed`` says so."""
    schedule = np.random.default_rng(seed).random((stages, 39), dtype=np.float32)
    schedule[:, 5] = 1000 + pipeline_seed
    pipeline = np.random.default_rng(pipeline_seed).integers(0, 9, (stages, COLUMNS - 39)).astype(np.float32)
    return Featurization(pipeline_features=pipeline.tobytes(), schedule_features=schedule.tobytes())


def sample(
    number: int,
    measurement: Timing | Failure | None = None,
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
        measurement=measurement or Timing(repeats_s=(1e-3 * (number + 1), 2e-3 * (number + 1))),
        origin=Origin(round=1, search='{"beam_size": 1}', weights_hash="f" * 64),
        measured_at_s=1000.0 + number if when is None else when,
    )
