"""Nodes that measure with the real machine, though all of them are on this computer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hltune.cluster.kinds import Computer
from hltune.cluster.kinds import describe as describe_this_computer
from hltune.cluster.node import About, OpenForItself, OpenMachine
from hltune.machine.open import open_machine
from hltune.values.machine_id import MachineId

OTHER_CPU = "Another 9000"
"""What a node calls its processor whose Ray node has the resource ``other_cpu``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenForEachNode(OpenMachine):
    """Each Ray node as if it were a computer with one core."""

    def about(self) -> About:
        return _as_a_computer(OpenMachine.about(self))

    def open(self) -> Any:
        return open_machine(self.target, replace(self.options, elsewhere=None), workers=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEachForItself(OpenForItself):
    """The same, where those of other kinds measure for themselves."""

    def about(self) -> About:
        return _as_a_computer(OpenForItself.about(self))


def describe() -> Computer:
    """What `hltune.cluster.kinds.describe` says, on each Ray node."""
    found = describe_this_computer()
    return replace(found, kind=_pretended(found.kind))


def _as_a_computer(about: About) -> About:
    import ray

    node = ray.get_runtime_context().get_node_id()
    machine = about.machine and _pretended(about.machine)
    return replace(about, name=node[:6], computer=node, workers=1, kind=_pretended(about.kind), machine=machine)


def _pretended(machine: MachineId) -> MachineId:
    import ray

    own = ray.get_runtime_context().get_node_id()
    (resources,) = (each["Resources"] for each in ray.nodes() if each["NodeID"] == own)
    return replace(machine, cpu=OTHER_CPU) if "other_cpu" in resources else machine
