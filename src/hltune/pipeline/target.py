"""What code is generated for: a Halide target, resolved once and then passed around as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hltune.errors import InputError
from hltune.worker import Process

if TYPE_CHECKING:
    import halide as hl

_ANYWHERE = {"no_asserts", "no_bounds_query", "large_buffers", "strict_float", "profile", "profile_by_timer"}
"""Features of the generated code that ask nothing of the processor."""

HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInfo:
    """A resolved target.

    Attributes:
        name: the full target string, with all CPU features.
        vector_bytes: size of its natural vector of bytes.
        is_host: whether its code runs on this machine.
    """

    name: str
    vector_bytes: int
    is_host: bool


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
        if self.text == "hexagon":
            raise InputError(
                "measuring on the Hexagon emulator is not part of this version",
                where="--target hexagon",
                expected="host, or a target to search and export for, such as hexagon-32-noos-hvx_128",
            )
        if not hl.Target.validate_target_string(self.text):
            raise InputError(
                "unknown target",
                where="--target",
                expected="host or a Halide target string such as x86-64-linux-avx2 or arm-64-linux",
                found=repr(self.text),
            )
        host = hl.get_host_target()
        target = hl.Target(self.text)
        return TargetInfo(
            name=target.to_string(),
            vector_bytes=target.natural_vector_size(hl.UInt(8)),
            is_host=_runs_here(target, host),
        )


def _runs_here(target: hl.Target, host: hl.Target) -> bool:
    """Same processor family and system, no instructions that the host lacks, and no other processor beside it."""
    if (target.os, target.arch, target.bits) != (host.os, host.arch, host.bits):
        return False
    wanted, present = (set(t.to_string().split("-")[3:]) for t in (target, host))
    return all(name.startswith("tune_") or name in _ANYWHERE for name in wanted - present)
