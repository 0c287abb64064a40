"""What goes with a schedule where it is written."""

from __future__ import annotations

import json
from dataclasses import replace

from hltune.values.about import About, OutputSizes
from hltune.values.directives import ComputeRoot, Schedule
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec
from hltune.values.roles import Stage
from hltune.values.schedule_codec import from_json, to_json

SPEC = PipelineSpec(
    name="blur",
    hlpipe=b"",
    inputs=(BufferArgument(name="image", dtype="uint8", estimate=((3, 64), (0, 48))),),
    outputs=(OutputArgument(name="sum", dtypes=("uint8",), estimate=()),),
    funcs=(),
)
MACHINE = MachineId(cpu="a processor\nof two lines", target="x86-64-linux-avx2", threads=2, halide="21.0.0")


def about(cost: float | None, runs_on: OutputSizes | None = None, target: str | None = None) -> About:
    made = About.today(SPEC, MACHINE, cost, target=target)
    return replace(made, runs_on=runs_on, day="2026-01-02")


def test_people_read_what_it_is_for() -> None:
    first, second, third = about(0.0015).lines()
    assert f"For blur, version {SPEC.content_hash[:12]}" in first and "image 64x48, sum a single value" in first
    assert "For x86-64-linux-avx2; 1.5" in second and "on a processor of two lines, threads: 2." in second
    assert "2026-01-02" in third and "Halide 21.0.0" in third
    assert about(None).lines()[1] == "For x86-64-linux-avx2; not measured."
    elsewhere = about(0.0015, target="arm-64-android").lines()[1]
    assert elsewhere.startswith("For arm-64-android; 1.5") and elsewhere.endswith(", as x86-64-linux-avx2.")
    any_larger = about(None, OutputSizes({"sum": (8, 1)}, {"sum": (1, 1)})).lines()[1]
    assert any_larger == "It does not run on smaller outputs than sum 8x1."
    for extents, fits in (((8, 1), True), ((12, 1), True), ((10, 1), False), ((4, 1), False)):
        assert OutputSizes({"sum": (8, 1)}, {"sum": (4, 1)}).allow("sum", extents) == fits
    in_steps = about(None, OutputSizes({"sum": (8, 1)}, {"sum": (4, 1)})).lines()[1]
    fixed = OutputSizes({"sum": (64, 1)}, {"sum": (0, 1)})
    assert "Outputs have to be just sum 64x*, where * is any" in about(None, fixed).lines()[1]
    assert [fixed.allow("sum", (extent, 9)) for extent in (63, 64, 65)] == [False, True, False]
    unchecked = about(None, OutputSizes({"sum": (8, 1)}, {"sum": (1, 1)}, checked=False)).lines()[1]
    assert "does not run" not in unchecked and "smaller than sum 8x1, it writes beyond their ends" in unchecked
    beyond = about(None, OutputSizes({"sum": (8, 1)}, {"sum": (1, 1)}, beyond={"image": (3, 0)})).lines()[1]
    assert beyond.endswith("than the algorithm does, of image 3x0 elements or more, and refuses images without them.")
    assert "smaller outputs than sum 8x1, " in in_steps and "larger by multiples of sum 4x1." in in_steps


def test_scripts_read_it_and_it_is_no_part_of_the_schedule() -> None:
    schedule = Schedule((ComputeRoot(Stage("rows")),))
    runs_on = OutputSizes({"sum": (8, 1)}, {"sum": (4, 1)})
    document = json.loads(json.dumps({**to_json(schedule), "about": about(0.0015, runs_on).document()}))
    assert document["about"]["hash"] == SPEC.content_hash
    assert document["about"]["inputs"] == {"image": [64, 48]} and document["about"]["least_outputs"] == {"sum": [8, 1]}
    assert document["about"]["steps_of_outputs"] == {"sum": [4, 1]}
    assert (document["about"]["cost"], document["about"]["unit"]) == (1.5, "ms")
    never = about(None).document()
    assert (never["target"], never["machine"], never["cost"]) == (MACHINE.target, None, None)
    assert from_json(document) == schedule
