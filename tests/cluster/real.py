"""Nodes that measure with the real machine, though all of them are on this computer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hltune.cluster.node import About, OpenMachine
from hltune.machine.open import open_machine


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenForEachNode(OpenMachine):
    """Each Ray node as if it were a computer with one core."""

    def about(self) -> About:
        import ray

        node = ray.get_runtime_context().get_node_id()
        return replace(OpenMachine.about(self), name=node[:6], computer=node, workers=1)

    def open(self) -> Any:
        return open_machine(self.target, self.options, workers=1)
