"""What only the emulated DSP does: counts, limits, versions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hltune.machine.hexagon import jobs, toolchain
from hltune.machine.hexagon.jobs import CountJob
from hltune.machine.hexagon.machine import HexagonMachine
from hltune.machine.hexagon.options import CacheModel, EmulatorOptions
from hltune.machine.hexagon.toolchain import find_plugin_emulator
from hltune.machine.inputs import Inputs
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Machine
from hltune.pipeline.source import Source
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Process
from hltune.schedule.parse import parse_schedule
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, InputError
from hltune.values.pipeline import PipelineSpec
from hltune.values.profile import Profile
from tests.cache import CACHE
from tests.loading import Unchecked, fresh
from tests.machine.opened import compiled_modules, fast, load, needs_hexagon

OPTIONS = MeasureOptions(threads=1, compile_timeout_s=30)
CACHE_MODEL = CacheModel(miss_weight=10, size_bytes=2**14, ways=4, line_bytes=128)
_ROOT = "rows.compute_root().vectorize(x, 64); blurred.vectorize(x, 128);"


@pytest.fixture(scope="module")
def dsp() -> TargetInfo:
    return resolve("hexagon")


@pytest.fixture(scope="module")
def machine(dsp: TargetInfo) -> Iterator[HexagonMachine]:
    with HexagonMachine(dsp, OPTIONS, workers=2) as machine:
        yield machine


@pytest.fixture(scope="module")
def cached(dsp: TargetInfo) -> Iterator[HexagonMachine]:
    """One that counts what a small cache misses."""
    options = replace(OPTIONS, machine_options=EmulatorOptions(cache=CACHE_MODEL))
    with compiled_modules():
        machine = HexagonMachine(dsp, options, workers=1)
    with machine:
        yield machine


def pipeline(entry: str, **parameters: object) -> PipelineSpec:
    source = Source(
        kind="module",
        location="tests.machine.hexagon.pipelines",
        entry=entry,
        parameters=tuple((key, str(value)) for key, value in parameters.items()),
    )
    return fresh(Unchecked(source=source, target="hexagon-32-noos-hvx_128", cache=CACHE))


def measured(machine: Machine, spec: PipelineSpec, **texts: str) -> dict[str, Measurement]:
    with machine.session(spec, Inputs()) as session:
        return session.measure({key: parse_schedule(text, spec.funcs) for key, text in texts.items()})


@needs_hexagon
def test_counts_are_the_same_in_every_run(machine: Machine, dsp: TargetInfo) -> None:
    blur = load("blur", dsp)
    schedules = {str(k): fast(blur) for k in range(2)}
    with machine.session(blur, Inputs()) as session:
        first = session.measure(schedules)
    with HexagonMachine(dsp, OPTIONS, workers=1) as another, another.session(blur, Inputs()) as session:
        first["another"] = session.measure({"0": fast(blur)})["0"]
    counters = {cost.counters for cost in first.values() if isinstance(cost, Cost)}
    assert len(first) == 3 and len(counters) == 1, first


@needs_hexagon
def test_vectors_and_allocations_are_counted(machine: Machine, dsp: TargetInfo) -> None:
    found = measured(
        machine,
        load("blur", dsp),
        scalar="",
        rows="rows.compute_at(blurred, y).vectorize(x, 64); blurred.vectorize(x, 128);",
        root=_ROOT,
    )
    scalar, rows, root = (found[name] for name in ("scalar", "rows", "root"))
    assert isinstance(scalar, Cost) and isinstance(rows, Cost) and isinstance(root, Cost)
    assert scalar.counters and rows.counters and root.counters
    assert scalar.counters.hvx_instructions == 0 < root.counters.hvx_instructions < rows.counters.hvx_instructions
    assert root.value < rows.value < scalar.value
    assert [each.allocations for each in (scalar.counters, rows.counters, root.counters)] == [0, 128, 1]
    # 256 columns of 16 bits: 3 rows at a time, or 128 + 2
    assert 2 * 256 * 3 <= rows.counters.peak_heap_bytes < 2 * 256 * 130 <= root.counters.peak_heap_bytes


@needs_hexagon
def test_inputs_of_all_kinds(machine: Machine) -> None:
    found = measured(
        machine,
        pipeline("mixed"),
        default="",
        root="looked.compute_root(); summed.compute_root(); result.unroll(c, 3);",
    )
    assert all(isinstance(cost, Cost) for cost in found.values()), found


@needs_hexagon
@pytest.mark.parametrize(
    ("kind", "dimensions"),
    [("uint8", 4), ("int8", 1), ("uint16", 3), ("int16", 2), ("uint32", 1), ("int32", 2), ("float32", 2)],
)
def test_elements_of_all_types(machine: Machine, kind: str, dimensions: int) -> None:
    spec = pipeline("typed", kind=kind, dimensions=dimensions)
    # The vector unit of v66 has no floats.
    fast = "output.unroll(x, 4);" if kind == "float32" else "output.vectorize(x, 16);"
    found = measured(machine, spec, default="", fast=fast)
    assert all(isinstance(cost, Cost) for cost in found.values()), found


@needs_hexagon
def test_a_function_that_is_not_there_is_named(machine: Machine) -> None:
    failure = measured(machine, pipeline("angles"), default="")["default"]
    assert isinstance(failure, Failure) and failure.lacks_function
    assert (failure.stage, failure.message) == ("link", "the target has no such function: atan2f")


@needs_hexagon
def test_a_heap_limit_is_kept(dsp: TargetInfo) -> None:
    spec = pipeline("hungry")
    options = replace(OPTIONS, machine_options=EmulatorOptions(heap_limit_bytes=2**20))
    with compiled_modules(), HexagonMachine(dsp, options, workers=1) as machine:
        found = measured(machine, spec, thrifty="wide.compute_at(output, y);", hungry="wide.compute_root();")
    assert isinstance(found["thrifty"], Cost)
    failure = found["hungry"]
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.kind) == ("run", "memory")
    assert "heap limit of 1048576 bytes" in failure.message and "--heap-limit" in str(failure)


@needs_hexagon
@pytest.mark.skipif(find_plugin_emulator() is None, reason="no QEMU that loads plug-ins: apt-get install qemu-user")
def test_missed_lines_are_counted(cached: HexagonMachine) -> None:
    """One megabyte in and out through a small cache: each line is missed once, and again if it has to come back."""
    spec = pipeline("hungry")
    lines = 2 * 256 * 4096 // 128
    found = measured(
        cached,
        spec,
        inlined="output.vectorize(x, 128);",
        stored="wide.compute_root().vectorize(x, 64); output.vectorize(x, 128);",
    )
    inlined, stored = found["inlined"], found["stored"]
    assert isinstance(inlined, Cost) and isinstance(stored, Cost), found
    assert inlined.counters and stored.counters and inlined.counters.line_misses and stored.counters.line_misses
    assert lines <= inlined.counters.line_misses < 1.02 * lines
    # Two bytes per pixel, written and read.
    assert 3 * lines <= stored.counters.line_misses < 3.1 * lines
    assert inlined.value == pytest.approx(1e-9 * (inlined.counters.packets + 10 * inlined.counters.line_misses))
    assert inlined.unit.name == "packets+misses"


@needs_hexagon
@pytest.mark.skipif(find_plugin_emulator() is None, reason="no QEMU that loads plug-ins: apt-get install qemu-user")
def test_packets_are_counted_func_by_func(machine: Machine, dsp: TargetInfo) -> None:
    """What one Func costs more shows in its own packets, and in no other's."""
    blur = load("blur", dsp)
    texts = {"quick": _ROOT, "slow": "rows.compute_root(); blurred.vectorize(x, 128);"}
    schedules = {key: parse_schedule(text, blur.funcs) for key, text in texts.items()}
    with machine.session(blur, Inputs()) as session:
        costs = session.measure(schedules)
        profiles = {key: session.profile(each, seconds=1.0) for key, each in schedules.items()}
    packets: dict[str, dict[str, int]] = {}
    for key, profile in profiles.items():
        cost = costs[key]
        assert isinstance(profile, Profile) and isinstance(cost, Cost) and cost.counters, (profile, cost)
        assert profile.counted and profile.samples == pytest.approx(cost.counters.packets, rel=0.05)
        rows = next(part for part in profile.parts if part.name == "rows")
        assert rows.allocations == profile.allocations == 1 and rows.heap_peak_bytes >= 256 * 130 * 2
        packets[key] = {part.name: part.samples for part in profile.parts}
    assert packets["slow"]["blurred"] == pytest.approx(packets["quick"]["blurred"], rel=0.02)
    more = packets["slow"]["rows"] - packets["quick"]["rows"]
    assert more == pytest.approx(1e9 * (costs["slow"].value - costs["quick"].value), rel=0.02)


@dataclass(frozen=True)
class NoProfiler:
    """What building the profiler comes to where a header is missing, say."""

    tools: toolchain.Tools

    def run(self, process: Process) -> None:  # noqa: ARG002
        raise HltuneError("a plug-in of the emulator does not compile")


@needs_hexagon
def test_without_a_profiler_nothing_else_is_lost(
    machine: Machine, dsp: TargetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    blur = load("blur", dsp)
    monkeypatch.setattr(toolchain, "BuildProfilerJob", NoProfiler)
    with machine.session(blur, Inputs()) as session:
        outcome = session.profile(fast(blur), seconds=1.0)
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.message) == ("profiling", "a plug-in of the emulator does not compile")


@needs_hexagon
@pytest.mark.skipif(find_plugin_emulator() is None, reason="no QEMU that loads plug-ins: apt-get install qemu-user")
def test_what_is_more_than_packets_is_not_counted_func_by_func(cached: HexagonMachine, dsp: TargetInfo) -> None:
    blur = load("blur", dsp)
    with cached.session(blur, Inputs()) as session:
        assert session.profile(fast(blur), seconds=1.0) is None


@needs_hexagon
@pytest.mark.parametrize("version", ["v62", pytest.param("v65", marks=pytest.mark.long), "v68"])
def test_other_versions(version: str) -> None:
    target = resolve(f"hexagon-{version}")
    blur = load("blur", target)
    with compiled_modules(), HexagonMachine(target, OPTIONS, workers=1) as machine:
        found = measured(machine, blur, root=_ROOT)
    assert isinstance(found["root"], Cost), found


_FAKE = f"""#!{sys.executable} -S
import os, sys, time
if sys.argv[-1].endswith("killed"):
    os.kill(os.getpid(), 9)
while "-plugin" not in sys.argv or time.process_time() < 0.3:
    pass
"""
"""An emulator that takes 0.3 s with a plug-in, and without one for ever."""


def test_what_the_cache_costs_is_not_the_schedules_fault(tmp_path: Path, dsp: TargetInfo) -> None:
    """What has too many packets ends in the plain run, whose limit is short."""
    emulator = tmp_path / "qemu"
    emulator.write_text(_FAKE)
    emulator.chmod(0o755)
    (tmp_path / "input.job").write_bytes(b"")
    job = CountJob(
        spec=pipeline("hungry"),
        schedule=Schedule(),
        target=dsp.name,
        tools=toolchain.Tools(zig=emulator, emulator=emulator, cache_plugin=tmp_path / "cache.so"),
        reference=None,
        input_file=tmp_path / "input.job",
        options=replace(OPTIONS, run_timeout_s=0.1, machine_options=EmulatorOptions(cache=CACHE_MODEL)),
    )
    plain, with_cache = job.runs
    late, silent, killed = (
        job._emulate(tmp_path / name, run)
        for name, run in (("program", plain), ("program", with_cache), ("killed", plain))
    )
    assert isinstance(late, Failure) and (late.kind, "0.1 s" in late.message) == ("timeout", True)
    assert isinstance(silent, Failure) and silent.kind == "crash"
    assert isinstance(killed, Failure) and (killed.kind, killed.by_chance) == ("memory", True)


def test_targets() -> None:
    dsp = resolve("hexagon")
    assert dsp.machine == "hexagon" and dsp.vector_bytes == 128 and "hvx_v66" in dsp.name
    assert resolve("hexagon-v66") == dsp
    full = resolve("hexagon-32-noos-hvx_128-hvx_v65")
    assert full.machine == "hexagon" and "no_runtime" in full.name and "hvx_v65" in full.name
    assert resolve("hexagon-32-qurt-hvx_128").machine is None


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, dsp: TargetInfo) -> None:
    monkeypatch.setattr(toolchain, "find_zig", lambda: None)
    monkeypatch.setattr(toolchain, "find_emulator", lambda: None)
    with pytest.raises(InputError) as caught:
        HexagonMachine(dsp, OPTIONS, workers=1)
    assert caught.value.todo == "pip install 'hltune[hexagon]' && apt-get install qemu-user-static"


def test_the_counter_does_not_begin_again() -> None:
    """Its 32 bits last for as long as a run may, three times as fast as the highest rate that was seen."""
    assert jobs._LONGEST_RUN_S * 3 * 835e6 < 2**32


@needs_hexagon
def test_the_emulators_own_time_decides(
    machine: HexagonMachine, dsp: TargetInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not how long it waits for a processor."""
    blur = load("blur", dsp)
    schedule = parse_schedule(_ROOT, blur.funcs)
    emulator = tmp_path / "emulator"
    with machine.session(blur, Inputs()) as session:
        session.ready()
        monkeypatch.setattr(machine, "options", replace(machine.options, run_timeout_s=0.5))
        monkeypatch.setattr(machine, "tools", replace(machine.tools, emulator=emulator))
        found: list[Measurement] = []
        for meanwhile in ("sleep 1", "while :; do :; done"):
            emulator.write_text(f'#!/bin/sh\n{meanwhile}\nexec {toolchain.find_emulator()} "$@"\n')
            emulator.chmod(0o755)
            found += session.measure({"": schedule}).values()
    waited, worked = found
    assert isinstance(waited, Cost), waited
    assert isinstance(worked, Failure) and (worked.stage, worked.kind) == ("run", "timeout")
    assert worked.flag == "--run-timeout"


@needs_hexagon
def test_what_a_pipeline_requires_may_name_values(machine: Machine) -> None:
    (cost,) = measured(machine, pipeline("demanding"), root="out.compute_root();").values()
    assert isinstance(cost, Cost), cost


@needs_hexagon
def test_what_leaves_its_images_is_repaired_where_code_does_not_say_so() -> None:
    unchecked = resolve("hexagon-32-noos-hvx_128-hvx_v66-no_asserts")
    spec = load("line", unchecked)
    beyond = parse_schedule("out.split(x, x, xi, 512, TailStrategy::RoundUp).vectorize(xi, 128);", spec.funcs)
    with (
        compiled_modules(),
        HexagonMachine(unchecked, OPTIONS, workers=1) as other,
        other.session(spec, Inputs()) as session,
    ):
        cost = session.measure({"beyond": beyond})["beyond"]
    assert isinstance(cost, Cost) and cost.repair is not None
