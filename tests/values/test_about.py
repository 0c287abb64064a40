"""What an exported schedule says of itself is in all of its forms, and is no part of it."""

from __future__ import annotations

import json

from hltune.values.about import About
from hltune.values.directives import ComputeRoot, Schedule, Stage
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec
from hltune.values.schedule_codec import from_json, to_json

SPEC = PipelineSpec(
    name="blur",
    hlpipe=b"",
    inputs=(BufferArgument(name="image", dtype="uint8", estimate=((0, 64), (0, 48))),),
    outputs=(OutputArgument(name="sum", dtypes=("uint8",), estimate=()),),
    funcs=(),
)
MACHINE = MachineId(cpu="a processor", target="x86-64-linux", threads=2, halide="21.0.0")


def about(seconds: float | None) -> About:
    return About.of(SPEC, "x86-64-linux-avx2", MACHINE, hltune="0.1.0", schedule="tuned", seconds=seconds)


def test_it_names_pipeline_sizes_machine_and_cost() -> None:
    found = about(0.0015)
    assert dict(found.sizes) == {"image": "64x48", "sum": "one value"}
    first, second, third = found.lines()
    assert "blur" in first and "image 64x48" in first and "1.5" in first and "output verified" in first
    assert "a processor, threads: 2, target x86-64-linux-avx2" in second
    assert "hltune 0.1.0, Halide 21.0.0, 2" in third
    assert "not measured" in about(None).lines()[0]


def test_a_file_that_tells_about_itself_is_read_as_one_that_does_not() -> None:
    schedule = Schedule((ComputeRoot(Stage("rows")),))
    document = json.loads(json.dumps(to_json(schedule, about=about(1.0).document())))
    assert document["about"]["pipeline_hash"] == SPEC.content_hash
    assert from_json(document) == schedule == from_json(to_json(schedule))
    assert "about" not in to_json(schedule)
