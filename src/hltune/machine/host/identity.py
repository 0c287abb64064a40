"""Which machine this computer is, and whose code it runs."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

from hltune.machine.options import MeasureOptions
from hltune.pipeline.target import HOST, TargetInfo
from hltune.runtime.halide_wheel import halide_version
from hltune.values.machine_id import MachineId

if TYPE_CHECKING:
    import halide as hl

_ANYWHERE = {"no_asserts", "no_bounds_query", "large_buffers", "strict_float", "profile", "profile_by_timer"}
"""Features of the generated code that ask nothing of the processor."""


def identify(target: TargetInfo, options: MeasureOptions) -> MachineId:
    """The identity of this computer, as far as it is used."""
    return MachineId(cpu=_cpu_model(), target=target.name, threads=options.threads, halide=halide_version())


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def claim(target: hl.Target) -> TargetInfo | None:
    """Same processor family and system, no instructions that this one lacks, and no other processor beside it."""
    import halide as hl

    host = hl.get_host_target()
    wanted, present = (set(t.to_string().split("-")[3:]) for t in (target, host))
    known = (target.os, target.arch, target.bits) == (host.os, host.arch, host.bits)
    if not known or not all(name.startswith("tune_") or name in _ANYWHERE for name in wanted - present):
        return None
    return TargetInfo.of(target, machine=HOST)
