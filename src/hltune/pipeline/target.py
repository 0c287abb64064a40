"""What code is generated for: a Halide target, resolved once and then passed around as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hltune.runtime.worker import Process
from hltune.values.errors import InputError

if TYPE_CHECKING:
    import halide as hl

HOST = "host"
"""Halide's name for the computer that it runs on, and ours for the machine."""
_HALVES, _WHOLE = "avx512_zen4", "avx512_zen5"
"""Features of processors whose units are half as wide as their vectors, and of their successors, which have both."""
_LINKING = {"no_runtime", "user_context", "c_plus_plus_name_mangling"}
"""Features that change how code is linked and called, and not what it does."""


def running_target(name: str) -> str:
    """The target for code that runs where it is compiled, and is linked with nothing."""
    return "-".join(each for each in name.split("-") if each not in _LINKING)


def datapath_bytes(name: str, vector_bytes: int) -> int:
    """Bytes that one step of the vector unit computes: on Zen 4, half of its longest vectors, which take two steps."""
    features = name.split("-")
    return vector_bytes // 2 if _HALVES in features and _WHOLE not in features else vector_bytes


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetJob:
    """Resolves what the user called the target; an `InputError` if Halide knows no such target.

    What it asks of machines is handed in, for a worker that imports all of them takes several times as long to start.

    Attributes:
        host: target of the computers that are to run the code; None for this one.
        names: Halide's target strings by the names that we give them.
        claims: what each kind of machine makes of a target, as `hltune.machine.protocol.MachineKind` has it.
    """

    text: str
    host: str | None
    names: Mapping[str, str]
    claims: tuple[Callable[[hl.Target, hl.Target], TargetInfo | None], ...]

    def run(self, process: Process) -> TargetInfo:
        """Runs in the worker, because it needs Halide."""
        import halide as hl

        process.enter("target", timeout_s=30)
        text = self.names.get(self.text, self.text)
        if self.host is not None and text.partition("-")[0] == HOST:
            text = self.host + text.removeprefix(HOST)
        if not hl.Target.validate_target_string(text):
            raise InputError(
                "unknown target",
                where="--target",
                expected=f"{', '.join(self.names)}, or a Halide target string such as x86-64-linux-avx2",
                found=repr(self.text),
            )
        target = hl.Target(text)
        host = hl.get_host_target() if self.host is None else hl.Target(self.host)
        claimed = (claim(target, host) for claim in self.claims)
        return next((claim for claim in claimed if claim), TargetInfo.of(target, machine=None))
