"""What code is generated for: a Halide target, resolved once and then passed around as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hltune.runtime.worker import Process
from hltune.values.errors import InputError

if TYPE_CHECKING:
    import halide as hl

_ANYWHERE = {"no_asserts", "no_bounds_query", "large_buffers", "strict_float", "profile", "profile_by_timer"}
"""Features of the generated code that ask nothing of the processor."""

HOST = "host"
HEXAGON = "hexagon"
_HEXAGON_TARGET = "hexagon-32-noos-no_runtime-hvx-hvx_128-hvx_{version}"
HEXAGON_VERSIONS = ("v62", "v65", "v66", "v68")
"""That Halide generates code for."""
HEXAGON_TARGETS = {
    HEXAGON: _HEXAGON_TARGET.format(version="v66"),
    **{f"{HEXAGON}-{version}": _HEXAGON_TARGET.format(version=version) for version in HEXAGON_VERSIONS},
}
"""Halide's targets by the names that we give them: versions of the DSP, all with vectors of 128 bytes."""

MachineKind = Literal["host", "hexagon"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInfo:
    """A resolved target.

    Attributes:
        name: the full target string, with all CPU features.
        vector_bytes: size of its natural vector of bytes.
        machine: what runs its code: this machine, the emulated DSP, or nothing that we have.
        float_vectors: whether its vector unit computes floats.
    """

    name: str
    vector_bytes: int
    machine: MachineKind | None
    float_vectors: bool = True


@dataclass(frozen=True, slots=True)
class TargetJob:
    """Resolves what the user called the target.

    Raises:
        InputError: Halide knows no such target.
    """

    text: str

    def run(self, process: Process) -> TargetInfo:
        """Runs in the worker, because it needs Halide."""
        import halide as hl  # the class is also named in the parent, which starts faster without it

        process.enter("target", timeout_s=30)
        text = HEXAGON_TARGETS.get(self.text, self.text)
        if not hl.Target.validate_target_string(text):
            raise InputError(
                "unknown target",
                where="--target",
                expected=f"host, {', '.join(HEXAGON_TARGETS)}, or a Halide target string such as x86-64-linux-avx2",
                found=repr(self.text),
            )
        host = hl.get_host_target()
        target = hl.Target(text)
        machine: MachineKind | None = "host" if _runs_here(target, host) else None
        if (target.arch, target.bits, target.os) == (hl.TargetArch.Hexagon, 32, hl.TargetOS.NoOS):
            # The harness brings the runtime.
            machine, target = "hexagon", target.with_feature(hl.TargetFeature.NoRuntime)
        return TargetInfo(
            name=target.to_string(),
            vector_bytes=target.natural_vector_size(hl.UInt(8)),
            machine=machine,
            float_vectors=target.arch != hl.TargetArch.Hexagon,
        )


def _runs_here(target: hl.Target, host: hl.Target) -> bool:
    """Same processor family and system, no instructions that the host lacks, and no other processor beside it."""
    if (target.os, target.arch, target.bits) != (host.os, host.arch, host.bits):
        return False
    wanted, present = (set(t.to_string().split("-")[3:]) for t in (target, host))
    return all(name.startswith("tune_") or name in _ANYWHERE for name in wanted - present)
