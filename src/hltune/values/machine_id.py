"""Which machine a measurement belongs to; samples of different machines are never mixed."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from hltune.values.errors import InputError
from hltune.values.unit import MILLISECONDS, Unit

_GIVEN = "given "


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineId:
    """What has to agree before two measurements may be compared.

    Attributes:
        cpu: model of the processor, or what an emulator counts and with which tools.
        target: the full Halide target string, with all CPU features.
        threads: size of the thread pool.
        halide: version of Halide.
        conditions: under which it measures, where that is no matter of course; empty for measurements of before, whose
            keys stay what they were. At the end, what people gave in place of the usual data and tolerances.
        former_conditions: the usual ones, if people gave something; then those under which earlier versions measured on
            this machine, the latest first.
        unit: what people see its costs in.
    """

    cpu: str
    target: str
    threads: int
    halide: str
    conditions: str = ""
    former_conditions: tuple[str, ...] = field(default=(), compare=False)
    unit: Unit = field(default=MILLISECONDS, compare=False)

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise InputError("not a machine: bad threads", expected="1 or more", found=str(self.threads))

    def document(self) -> dict[str, Any]:
        """What identifies it, by name."""
        document = {"cpu": self.cpu, "target": self.target, "threads": self.threads, "halide": self.halide}
        return {**document, "conditions": self.conditions} if self.conditions else document

    @property
    def former(self) -> "MachineId | None":
        """The same machine as the version before measured on it; None if this was the first."""
        if not self.former_conditions:
            return None
        conditions, *earlier = self.former_conditions
        return replace(self, conditions=conditions, former_conditions=tuple(earlier))

    def with_given(self, given: str) -> "MachineId":
        """The same machine on data, or with tolerances, that people gave; itself if they gave nothing."""
        if not given:
            return self
        former = (self.conditions, *self.former_conditions)
        return replace(self, conditions=f"{self._before_given}{given}", former_conditions=former)

    @property
    def given(self) -> str:
        """What people gave; empty for the usual data and tolerances."""
        return self.conditions.partition(_GIVEN)[2]

    def given_under(self, conditions: str) -> str:
        """What people gave under conditions that are these but for that; empty if it is anything else."""
        before = self._before_given
        return conditions.removeprefix(before) if conditions.startswith(before) else ""

    @property
    def _before_given(self) -> str:
        return "; ".join(filter(None, (self.conditions, _GIVEN)))

    @property
    def key(self) -> str:
        """Short and usable as the name of a directory."""
        return hashlib.sha256(repr(self.document()).encode()).hexdigest()[:12]
