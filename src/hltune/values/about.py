"""What an exported schedule says of itself: for which pipeline and machine it was found, and what it took there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hltune.values.machine_id import MachineId
from hltune.values.pipeline import BufferArgument, Interval, OutputArgument, PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Facts for people, and for scripts; nothing depends on them.

    Attributes:
        pipeline_hash: identity of algorithm, estimates and promises.
        sizes: of images, as WxH, by their names: what the schedule was found for.
        schedule: its name.
        measured: what it costs, with its unit; None if it was not measured.
        made: when, in UTC.
    """

    pipeline: str
    pipeline_hash: str
    sizes: Mapping[str, str]
    target: str
    cpu: str
    threads: int
    halide: str
    hltune: str
    schedule: str
    measured: str | None
    made: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))

    @classmethod
    def of(
        cls, spec: PipelineSpec, target: str, machine: MachineId, *, hltune: str, schedule: str, seconds: float | None
    ) -> About:
        """About a schedule of a pipeline that takes so many seconds on a machine."""
        images = [*spec.buffers(), *spec.outputs]
        return cls(
            pipeline=spec.name,
            pipeline_hash=spec.content_hash,
            sizes={each.name: _size(each) for each in images},
            target=target,
            cpu=machine.cpu,
            threads=machine.threads,
            halide=machine.halide,
            hltune=hltune,
            schedule=schedule,
            measured=None if seconds is None else f"{machine.unit.text(seconds)} {machine.unit.label}",
        )

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For comments."""
        sizes = ", ".join(f"{name} {size}" for name, size in self.sizes.items())
        took = "not measured" if self.measured is None else f"{self.measured} per call, output verified"
        return [
            f"Pipeline {self.pipeline} ({self.pipeline_hash[:12]}), {sizes}; schedule {self.schedule}: {took}",
            f"on {self.cpu}, threads: {self.threads}, target {self.target}.",
            f"hltune {self.hltune}, Halide {self.halide}, {self.made}.",
        ]


def _size(argument: BufferArgument | OutputArgument) -> str:
    return "x".join(map(_extent, argument.estimate)) or "one value"


def _extent(interval: Interval) -> str:
    return str(interval[1])
