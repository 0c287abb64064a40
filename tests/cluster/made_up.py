"""A machine that takes its time and does nothing, for nodes of a cluster that are all on this computer."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from hltune import __version__
from hltune.cluster.node import About
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.machine_id import MachineId
from tests.tuning.recorded import RecordedSession

if TYPE_CHECKING:
    from hltune.cluster.head import Head
    from hltune.cluster.machine import ClusterSession

MADE_UP = MachineId(cpu="made up", target="host", threads=2, halide="21.0.0")
ANOTHER = replace(MADE_UP, cpu="another")


class MadeUpSession(RecordedSession):
    """Takes so many seconds for each schedule, on a computer that is so much slower than others."""

    def __init__(self, seconds: float, slower: float, fails_after: float) -> None:
        super().__init__()
        self._seconds, self._slower, self._left = seconds, slower, fails_after

    def measure_each(
        self, schedules: Iterable[tuple[str, Schedule]], *, best: float | None
    ) -> Generator[tuple[str, Measurement]]:
        for key, measurement in super().measure_each(schedules, best=best):
            time.sleep(self._seconds)
            yield key, measurement
            self._left -= 1
            if self._left == 0:
                raise OSError("no space left on device")

    def cost(self, schedule: Schedule) -> Measurement:
        cost = super().cost(schedule)
        if not isinstance(cost, Cost):
            return cost
        return replace(cost, turns=tuple(tuple(each * self._slower for each in turn) for turn in cost.turns))


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpMachine:
    identity: MachineId
    seconds: float
    slower: float
    fails_after: float = math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def session(self, **_: Any) -> MadeUpSession:
        return MadeUpSession(self.seconds, self.slower, self.fails_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpOpener:
    """What a Ray node's own resources say.

    They are ``other_cpu``, ``other_hardware``, ``other_halide``, ``other_hltune``; ``slower`` in percent;
    ``fails_after`` measurements.
    """

    seconds: float = 0.0
    cores: int = 1

    def about(self) -> About:
        node, resources = _here()
        machine = replace(MADE_UP, cpu="another" if "other_cpu" in resources else MADE_UP.cpu)
        halide = "20.0.0" if "other_halide" in resources else MADE_UP.halide
        hltune = "0.0" if "other_hltune" in resources else __version__
        return About(
            name=node[:6],
            computer=node,
            kind=machine,
            machine=machine,
            cores=self.cores,
            workers=self.cores,
            hardware="other cores" if "other_hardware" in resources else self.hardware(),
            halide=halide,
            hltune=hltune,
        )

    def hardware(self) -> str:
        return "cores"

    def open(self) -> Any:
        _, resources = _here()
        slower, fails_after = resources.get("slower", 100.0) / 100, resources.get("fails_after", math.inf)
        return MadeUpMachine(identity=MADE_UP, seconds=self.seconds, slower=slower, fails_after=fails_after)


def _here() -> tuple[str, dict[str, float]]:
    """The Ray node that this process is on, and its resources; a made-up one without Ray."""
    import ray

    if not ray.is_initialized():
        return "here", {}
    own = ray.get_runtime_context().get_node_id()
    return own, next(each["Resources"] for each in ray.nodes() if each["NodeID"] == own)


def assert_each_measures_its_own(
    head: Head, own: ClusterSession, other: ClusterSession, ours: Mapping[str, Schedule], theirs: Mapping[str, Schedule]
) -> None:
    """A node of the run's kind and two of another one measure side by side, each kind what it was given."""
    assert (own.nodes(), other.nodes()) == (1, 2)
    one, two = own.measure_each(ours.items(), best=None), other.measure_each(theirs.items(), best=None)
    found = [key for pair in itertools.zip_longest(one, two) for key, _ in filter(None, pair)]
    assert sorted(found) == sorted([*ours, *theirs])
    measuring = [each for each in head.members() if each.aside is None]
    assert {each.about.machine: each.measured > 0 for each in measuring} == {MADE_UP: True, ANOTHER: True}
    assert sum(each.measured for each in head.timing(MADE_UP)) == len(ours)
