"""What goes with a schedule wherever it is written: what it is for, and where it was found."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hltune import __version__
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import BufferArgument, Interval, PipelineSpec


class OutputSizes(NamedTuple):
    """On which sizes of outputs a schedule runs, by their names: extents, innermost first."""

    least: dict[str, tuple[int, ...]]
    steps: dict[str, tuple[int, ...]]
    """Larger extents are so by multiples of these; there are none where it is 0."""
    checked: bool = True
    """Code for the target looks at the sizes that it is called with."""
    beyond: Mapping[str, tuple[int, ...]] | None = None
    """How many elements more than the algorithm needs are read of inputs, by their names, on outputs of other sizes."""

    def allow(self, name: str, extents: Sequence[int]) -> bool:
        """An output may be as large as this."""
        rows = zip(extents, self.least[name], self.steps[name], strict=True)
        return all(
            extent == least if step < 1 else extent >= least and (extent - least) % step == 0
            for extent, least, step in rows
        )

    def text(self) -> str:
        """For people: a sentence."""
        told = (self.least, self.steps)
        least, steps = (", ".join(f"{name} {_text(extents)}" for name, extents in each.items()) for each in told)
        any_larger = all(step <= 1 for extents in self.steps.values() for step in extents)
        larger = "" if any_larger else f", and on larger ones only where they are larger by multiples of {steps}"
        if not self.checked:
            outside = "" if any_larger else f", or larger than that by other than multiples of {steps}"
            text = f"It checks no sizes: where outputs are smaller than {least}{outside}, it writes beyond their ends."
        else:
            text = f"It does not run on smaller outputs than {least}{larger}."
        exact = [self._exactly(name) for name, steps in self.steps.items() if min(steps, default=1) < 1]
        if exact:
            others = "of others it computes a part" if not self.checked else "it runs on no others"
            text += f" Outputs have to be just {', '.join(exact)}, where * is any extent; {others}."
        if self.beyond:
            margins = ", ".join(f"{name} {_text(extents)}" for name, extents in self.beyond.items())
            without = "and refuses images without them" if self.checked else "beyond the ends of images"
            text += (
                f" On sizes that its tiles do not divide it may read more than the algorithm does, of {margins}"
                f" elements or more, {without}."
            )
        return text

    def _exactly(self, name: str) -> str:
        """The extents that an output has to have, * for those that it need not."""
        pairs = zip(self.least[name], self.steps[name], strict=True)
        return f"{name} {'x'.join(str(least) if step < 1 else '*' for least, step in pairs)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a schedule is for.

    Attributes:
        target: what it is for, a full Halide target.
        halide: version of Halide.
        measured: on which machine, and its least cost there, in seconds; None if it was not measured.
        runs_on: sizes of the outputs; None if nobody asked.
        day: when it was written, as YYYY-MM-DD.
    """

    spec: PipelineSpec
    target: str
    halide: str
    measured: tuple[MachineId, float] | None
    day: str
    runs_on: OutputSizes | None = None

    @classmethod
    def today(cls, spec: PipelineSpec, machine: MachineId, cost: float | None, *, target: str | None = None) -> About:
        """Written now.

        Args:
            cost: on the machine; None if it was not measured there.
            target: if it is for another one than that machine's.
        """
        return cls(
            spec=spec,
            target=target or machine.target,
            halide=machine.halide,
            measured=None if cost is None else (machine, cost),
            day=time.strftime("%Y-%m-%d"),
        )

    def document(self) -> dict[str, Any]:
        """For scripts."""
        machine, cost = self.measured or (None, None)
        return {
            "pipeline": self.spec.name,
            "hash": self.spec.content_hash,
            "inputs": {
                each.name: _sizes(each.estimate) for each in self.spec.inputs if isinstance(each, BufferArgument)
            },
            "outputs": {each.name: _sizes(each.estimate) for each in self.spec.outputs},
            "least_outputs": self.runs_on and _lists(self.runs_on.least),
            "steps_of_outputs": self.runs_on and _lists(self.runs_on.steps),
            "sizes_are_checked": self.runs_on and self.runs_on.checked,
            "read_beyond": self.runs_on and self.runs_on.beyond and _lists(self.runs_on.beyond),
            "target": self.target,
            "machine": machine and machine.document(),
            "cost": machine and machine.unit.from_seconds(cost),
            "unit": machine and machine.unit.name,
            "hltune": __version__,
            "halide": self.halide,
            "day": self.day,
        }

    def lines(self) -> list[str]:
        """For people, as comments."""
        spec = self.spec
        reads = [f"{a.name} {_text(_sizes(a.estimate))}" for a in spec.inputs if isinstance(a, BufferArgument)]
        writes = [f"{output.name} {_text(_sizes(output.estimate))}" for output in spec.outputs]
        lines = [
            f"For {spec.name}, version {spec.content_hash[:12]}, of these sizes: {', '.join([*reads, *writes])}.",
            f"For {self.target}; {self._cost()}.",
            f"Written {self.day} by hltune {__version__} with Halide {self.halide}.",
        ]
        if self.runs_on is not None:
            lines.insert(1, self.runs_on.text())
        return [" ".join(line.split()) for line in lines]

    def refused(self) -> str | None:
        """For people: outputs of the sizes that it is for, on which it does not run; None if it does on all."""
        allowed, outputs = self.runs_on, {each.name: _sizes(each.estimate) for each in self.spec.outputs}
        if allowed is None or all(allowed.allow(*each) for each in outputs.items()):
            return None
        own = ", ".join(f"{name} {_text(extents)}" for name, extents in outputs.items())
        return f"this schedule does not run on the sizes that it is written for, {own}. {allowed.text()}"

    def _cost(self) -> str:
        if self.measured is None:
            return "not measured"
        machine, cost = self.measured
        text = f"{machine.unit.text(cost)} {machine.unit.label} on {machine.cpu}, threads: {machine.threads}"
        text += f", given {machine.given}" if machine.given else ""
        return text if machine.target == self.target else f"{text}, as {machine.target}"


def _lists(extents: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    return {name: list(each) for name, each in extents.items()}


def _sizes(intervals: Sequence[Interval]) -> list[int]:
    return [extent for _, extent in intervals]


def _text(extents: Sequence[int]) -> str:
    return "x".join(map(str, extents)) or "a single value"
