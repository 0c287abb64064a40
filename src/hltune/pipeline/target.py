"""What code is generated for: a Halide target, resolved once and then passed around as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import halide as hl

HOST = "host"
"""Halide's name for the computer that it runs on, and ours for the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInfo:
    """A resolved target.

    Attributes:
        name: the full target string, with all CPU features.
        vector_bytes: size of its natural vector of bytes.
        machine: name of the kind of machine that runs its code, or None if we have none.
        float_vectors: whether its vector unit computes floats.
    """

    name: str
    vector_bytes: int
    machine: str | None
    float_vectors: bool = True

    @staticmethod
    def of(target: hl.Target, *, machine: str | None, float_vectors: bool = True) -> TargetInfo:
        """A target of Halide's; in a worker."""
        import halide as hl  # the class is also named in the parent, which starts faster without it

        return TargetInfo(
            name=target.to_string(),
            vector_bytes=target.natural_vector_size(hl.UInt(8)),
            machine=machine,
            float_vectors=float_vectors,
        )
