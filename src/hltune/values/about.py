"""What goes with a schedule wherever it is written: what it is for, and where it was found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hltune import __version__
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import BufferArgument, Interval, PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a schedule is for.

    Attributes:
        cost: its least cost on the machine, in seconds; None if it was not measured there.
        least: extents of the outputs below which it does not run, by their names; None if nobody asked.
        day: when it was written, as YYYY-MM-DD.
    """

    spec: PipelineSpec
    machine: MachineId
    cost: float | None
    day: str
    least: dict[str, tuple[int, ...]] | None = None

    @classmethod
    def today(
        cls, spec: PipelineSpec, machine: MachineId, cost: float | None, least: dict[str, tuple[int, ...]] | None = None
    ) -> About:
        """Written now."""
        return cls(spec=spec, machine=machine, cost=cost, least=least, day=time.strftime("%Y-%m-%d"))

    def document(self) -> dict[str, Any]:
        """For scripts."""
        unit = self.machine.unit
        return {
            "pipeline": self.spec.name,
            "hash": self.spec.content_hash,
            "inputs": {
                each.name: _sizes(each.estimate) for each in self.spec.inputs if isinstance(each, BufferArgument)
            },
            "outputs": {each.name: _sizes(each.estimate) for each in self.spec.outputs},
            "least_outputs": self.least and {name: list(extents) for name, extents in self.least.items()},
            "machine": self.machine.document(),
            "cost": unit.from_seconds(self.cost),
            "unit": unit.name,
            "hltune": __version__,
            "day": self.day,
        }

    def lines(self) -> list[str]:
        """For people, as comments."""
        spec, machine = self.spec, self.machine
        reads = [f"{a.name} {_text(_sizes(a.estimate))}" for a in spec.inputs if isinstance(a, BufferArgument)]
        writes = [f"{output.name} {_text(_sizes(output.estimate))}" for output in spec.outputs]
        cost = "not measured" if self.cost is None else f"{machine.unit.text(self.cost)} {machine.unit.label}"
        lines = [
            f"For {spec.name}, version {spec.content_hash[:12]}, of these sizes: {', '.join([*reads, *writes])}.",
            f"For {machine.target}, threads: {machine.threads}; {cost} on {machine.cpu}.",
            f"Written {self.day} by hltune {__version__} with Halide {machine.halide}.",
        ]
        if self.least is not None:
            least = ", ".join(f"{name} {_text(extents)}" for name, extents in self.least.items())
            lines.insert(1, f"It does not run on smaller outputs than {least}.")
        return [" ".join(line.split()) for line in lines]


def _sizes(intervals: Sequence[Interval]) -> list[int]:
    return [extent for _, extent in intervals]


def _text(extents: Sequence[int]) -> str:
    return "x".join(map(str, extents)) or "a single value"
