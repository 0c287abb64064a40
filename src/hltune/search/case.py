"""A schedule of a pipeline, and what its program spends: what is looked at for faults."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import NamedTuple

from hltune.lowered.account import Account, Body
from hltune.lowered.memory import HEAP
from hltune.lowered.names import func_of
from hltune.search.remedies import Patient
from hltune.values.directives import Schedule, StoreIn
from hltune.values.pipeline import PipelineSpec
from hltune.values.roles import Stage

_LEAST = 0.05
"""Share of the time that a fault is about: what is about less is not said."""


class Taken(NamedTuple):
    """What a Func takes from the heap, all buffers of a Tuple and all copies of a loop together.

    Attributes:
        runs: how often.
        bytes: all in all.
        largest: bytes of the largest buffer.
    """

    runs: float
    bytes: float
    largest: float


@dataclass(frozen=True, kw_only=True)
class Case:
    """A schedule, and what its program spends.

    Attributes:
        root: what the program spends that computes every Func once, in full.
        cores: threads that share the tasks.
        caches: bytes of the machine's caches, the smallest first; empty where nobody knows.
        counted: what is measured is how much is done, not how long it takes, so that waiting for memory costs nothing.
    """

    spec: PipelineSpec
    schedule: Schedule
    account: Account
    root: Account
    cores: int
    vector_bytes: int
    caches: tuple[int, ...]
    counted: bool = False

    @cached_property
    def patient(self) -> Patient:
        """The same for whoever changes it."""
        consumers: dict[str, set[str]] = {}
        for body in self.root.bodies:
            for read in body.reads - {body.stage.func}:
                consumers.setdefault(read, set()).add(body.stage.func)
        return Patient(
            spec=self.spec,
            schedule=self.schedule,
            consumers={func: frozenset(each) for func, each in consumers.items()},
            vector_bytes=self.vector_bytes,
        )

    @cached_property
    def stages(self) -> Mapping[Stage, list[Body]]:
        """The bodies of each stage."""
        found: dict[Stage, list[Body]] = {}
        for body in self.account.bodies:
            found.setdefault(body.stage, []).append(body)
        return found

    @cached_property
    def funcs(self) -> frozenset[str]:
        """Funcs that have a buffer."""
        return frozenset(stage.func for stage in self.stages)

    @property
    def shares(self) -> Mapping[str, float]:
        """What each Func with a buffer takes of the time."""
        found, total = dict.fromkeys(self.funcs, 0.0), self.account.seconds or 1.0
        for body in self.account.bodies:
            found[body.stage.func] += body.seconds / total
        return found

    @cached_property
    def sizes(self) -> Mapping[str, float]:
        """Bytes that the values of each Func with a buffer take at a time."""
        found: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for each in self.account.allocations:
            buffers = found[func_of(each.buffer)]
            buffers[each.buffer] = max(each.bytes, buffers.get(each.buffer, 0.0))
        return {func: sum(buffers.values()) for func, buffers in found.items()}

    @cached_property
    def taken(self) -> Mapping[str, Taken]:
        """What each Func takes from the heap."""
        found: dict[str, Taken] = {}
        for each in self.account.allocations:
            if each.memory in HEAP:
                func = func_of(each.buffer)
                runs, size, largest = found.get(func, (0.0, 0.0, 0.0))
                found[func] = Taken(runs + each.runs, size + each.runs * each.bytes, max(largest, each.bytes))
        return found

    @cached_property
    def repeats(self) -> Mapping[str, float]:
        """How often each point of a Func is computed for its consumers: once where it has a buffer.

        Of a Tuple, each of whose elements has consumers of its own, it is the element that is computed most often.
        """
        found = dict.fromkeys(self.funcs, 1.0)
        points, loads = self._points, self._loads
        funcs = {func.name for func in self.spec.funcs} | {each.stage.func for each in self.root.bodies}
        consumers = {func: self.patient.consumers.get(func, frozenset()) for func in funcs}
        for func in TopologicalSorter(consumers).static_order():  # consumers come first; a chain may be long
            if func not in found:
                wanted = {
                    buffer: sum(count * found[user] for user, count in loads.get(buffer, ()))
                    for buffer in points.get(func, ())
                }
                found[func] = max((wanted[buffer] / points[func][buffer] for buffer in wanted), default=1.0)
        return found

    @property
    def _points(self) -> Mapping[str, Mapping[str, float]]:
        """Elements of each buffer of each Func, as its pure definition computes them once."""
        found: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        for body in self.root.bodies:
            if body.stage.update is None and body.features["points"]:
                found[body.stage.func][body.buffer] += body.features["points"]
        return found

    @property
    def _loads(self) -> Mapping[str, Sequence[tuple[str, float]]]:
        """Who reads how many elements of each buffer, where every Func is computed once."""
        found: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
        for body in self.root.bodies:
            for buffer, count in body.loaded.items():
                if func_of(buffer) != body.stage.func:
                    found[buffer].append((body.stage.func, count))
        return found

    @cached_property
    def computing(self) -> Mapping[str, float]:
        """Seconds of T0 for computing each Func as often as it is, wherever it is inlined."""
        work = {func: computing_s(self.root.of(func)) * times for func, times in self.repeats.items()}
        total = sum(work.values())
        scale = computing_s(self.account.bodies) / total if total else 0.0
        return {func: scale * each for func, each in work.items()}

    def says_memory(self, func: str) -> bool:
        """The schedule says in which memory a Func goes."""
        return any(isinstance(each, StoreIn) and each.stage.func == func for each in self.schedule.directives)

    def is_told(self, changed: Account) -> bool:
        """T0 says what a change costs: it wants no buffer on the stack that does not go there."""
        before, after = (
            {each.buffer for each in account.allocations if each.beyond_stack} for account in (self.account, changed)
        )
        return after <= before

    def matters(self, seconds: float) -> bool:
        """So much of the time is worth a word."""
        return seconds >= _LEAST * self.account.seconds


def computing_s(bodies: Iterable[Body]) -> float:
    """What these compute, in seconds of T0."""
    return sum(each.terms["compute"] for each in bodies)


def cache_of(size: float, caches: Sequence[int]) -> str | None:
    """The smallest cache that holds so many bytes, such as ``L2``; None if none does."""
    return next((f"L{number}" for number, cache in enumerate(caches, start=1) if size <= cache), None)
