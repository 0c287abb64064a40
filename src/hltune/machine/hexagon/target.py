"""Versions of the processor, and Halide's targets for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hltune.pipeline.target import TargetInfo
from hltune.values.errors import InputError

if TYPE_CHECKING:
    import halide as hl

HEXAGON = "hexagon"
_TARGET = "hexagon-32-noos-no_runtime-hvx-hvx_128-hvx_{version}"
_VERSIONS = ("v62", "v65", "v66", "v68")
"""What Halide generates code for."""
TARGETS = {
    HEXAGON: _TARGET.format(version="v66"),
    **{f"{HEXAGON}-{version}": _TARGET.format(version=version) for version in _VERSIONS},
}
"""Halide's targets by the names that we give them: versions of the DSP, all with vectors of 128 bytes."""

OLDEST_CPU = f"hexagon{_VERSIONS[0]}"
"""Clang's ``-mcpu``: what is compiled for it links with candidates for all versions."""

EMULATED_CPU = "v67"
"""QEMU's ``-cpu``. QEMU 7.2 has this one model, which also runs what is compiled for the others."""


def claim(target: hl.Target, _host: hl.Target) -> TargetInfo | None:
    """The DSP without an operating system."""
    import halide as hl

    if (target.arch, target.bits, target.os) != (hl.TargetArch.Hexagon, 32, hl.TargetOS.NoOS):
        return None
    # The harness brings the runtime.
    return TargetInfo.of(target.with_feature(hl.TargetFeature.NoRuntime), machine=HEXAGON, float_vectors=False)


def version_of(target: str) -> str:
    """The version that a Halide target string asks for, or else the oldest; an `InputError` if unknown."""
    asked = [part.removeprefix("hvx_") for part in target.split("-") if part.startswith("hvx_v")]
    version = asked[-1] if asked else _VERSIONS[0]
    if version not in _VERSIONS:
        raise InputError(
            "this version of Hexagon is not supported", where=target, expected=", ".join(_VERSIONS), found=version
        )
    return version


def offload_target(target: TargetInfo) -> str:
    """A phone's processor with the DSP beside it; an `InputError` if the target is not the DSP."""
    if target.machine != HEXAGON:
        raise InputError(
            "only schedules of the Hexagon DSP can be offloaded to it",
            where="--format offload",
            expected="--target hexagon",
            found=f"--target {target.name}",
        )
    return f"arm-64-android-hvx_128-hvx_{version_of(target.name)}"
