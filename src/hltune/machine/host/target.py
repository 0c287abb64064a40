"""Targets whose code this computer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hltune.pipeline.target import HOST, TargetInfo, running_target

if TYPE_CHECKING:
    import halide as hl

_ANYWHERE = {"no_asserts", "no_bounds_query", "large_buffers", "strict_float", "profile", "profile_by_timer"}
"""Features of the generated code that ask nothing of the processor."""


def claim(target: hl.Target, host: hl.Target) -> TargetInfo | None:
    """Same processor family and system, no instructions that the host lacks, and no other processor beside it."""
    wanted, present = (set(running_target(t.to_string()).split("-")[3:]) for t in (target, host))
    known = (target.os, target.arch, target.bits) == (host.os, host.arch, host.bits)
    if not known or not all(name.startswith("tune_") or name in _ANYWHERE for name in wanted - present):
        return None
    return TargetInfo.of(target, machine=HOST)
