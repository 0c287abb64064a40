"""Versions of the processor."""

from __future__ import annotations

from hltune.pipeline.target import HEXAGON_VERSIONS
from hltune.values.errors import InputError

OLDEST_CPU = f"hexagon{HEXAGON_VERSIONS[0]}"
"""For clang's ``-mcpu``: what is compiled for it links with candidates for all versions."""

EMULATED_CPU = "v67"
"""For QEMU's ``-cpu``. QEMU 7.2 has this one model, which also runs what is compiled for the others."""


def version_of(target: str) -> str:
    """The version that a Halide target string asks for; the oldest one if it asks for none.

    Raises:
        InputError: it is not among those that can be emulated.
    """
    asked = [part.removeprefix("hvx_") for part in target.split("-") if part.startswith("hvx_v")]
    version = asked[-1] if asked else HEXAGON_VERSIONS[0]
    if version not in HEXAGON_VERSIONS:
        raise InputError(
            "this version of Hexagon is not supported",
            where=target,
            expected=", ".join(HEXAGON_VERSIONS),
            found=version,
        )
    return version
