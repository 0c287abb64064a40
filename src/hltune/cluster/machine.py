"""All nodes of one kind as one machine: what is measured alone runs wherever somebody is free."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Self

from hltune.cluster.head import Head, Lost, Member, first_of, wait_for
from hltune.cluster.outcome import result_of
from hltune.cluster.parcel import decode, encode, pack
from hltune.cluster.queue import COMMON, Queue
from hltune.cluster.speeds import Speeds
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import MoreSchedules
from hltune.machine.reference_job import Verification
from hltune.machine.task import NumPyReference
from hltune.runtime.worker import AnyWorker
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.profile import Profile

_LOOK_S = 1.0
_MOST_LOST = 3
"""Nodes that may be lost one after the other."""


class ClusterMachine(AbstractContextManager["ClusterMachine"]):
    """A `Machine`: the nodes of a head that measure."""

    def __init__(self, head: Head, identity: MachineId, options: MeasureOptions) -> None:
        self.head = head
        self.identity = identity
        self.options = options

    def __exit__(self, *_: object) -> None:
        """The nodes are their head's."""

    def session(
        self,
        spec: PipelineSpec,
        inputs: Inputs,
        *,
        reference: Schedule | None = None,
        numpy_reference: NumPyReference | None = None,
        more: MoreSchedules | None = None,
    ) -> ClusterSession:
        """See `Machine.session`; what is expected is computed on each node that measures."""
        inputs.assign(spec)
        arguments = {
            "spec": spec,
            "inputs": inputs,
            "reference": reference,
            "numpy_reference": numpy_reference,
            "more": more,
        }
        return ClusterSession(self, arguments)


@dataclass(eq=False, slots=True)
class _Feed:
    """What a node measures at present.

    Attributes:
        under_way: what it was given and has not measured.
        taking: Ray's reference to what it measures next.
        held: measurements of a node whose speed is not known yet.
        last: it was told that nothing more comes.
    """

    member: Member
    depth: int
    taking: Any
    under_way: dict[str, Schedule] = field(default_factory=dict[str, Schedule])
    held: list[tuple[str, Measurement]] = field(default_factory=list[tuple[str, Measurement]])
    last: bool = False


class ClusterSession(AbstractContextManager["ClusterSession"]):
    """A `Session`: side by side on one node, or each on whichever is free."""

    def __init__(self, machine: ClusterMachine, arguments: Mapping[str, Any]) -> None:
        self._head, self._options = machine.head, machine.options
        self._parcel = pack(arguments)
        self._name = f"session {machine.head.number()}"
        self._open: dict[Member, Any] = {}
        self._verification: Verification | None = None
        self._speeds = Speeds()
        self._best: tuple[float, Schedule] | None = None
        for member in self._head.timing():
            with self._unless_lost(member):
                self._begin(member)
        self.side_by_side: bool = self._on_one("side_by_side")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._open:
            if not member.lost:
                with contextlib.suppress(Lost):
                    member.ask("close", self._name)

    def ready(self) -> None:
        """See `Session.ready`."""
        self._on_one("ready")

    def beside(self, workers: Sequence[AnyWorker]) -> AbstractContextManager[None]:  # noqa: ARG002 - they are elsewhere
        """See `Session.beside`; a node has its own workers stand still."""
        return contextlib.nullcontext()

    @property
    def verification(self) -> Verification:
        """See `Session.verification`."""
        if self._verification is None:
            self._verification = self._on_one("verification")
        assert self._verification is not None
        return self._verification

    def measure(self, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        """See `Session.measure`; all of them on one node."""
        return self._on_one("measure", dict(schedules))

    def measure_with_bound(self, schedules: Mapping[str, Schedule]) -> tuple[dict[str, Measurement], Measurement]:
        """See `Session.measure_with_bound`; all of them on one node."""
        return self._on_one("measure_with_bound", dict(schedules))

    def profile(self, schedule: Schedule, *, seconds: float) -> Profile | Failure | None:
        """See `Session.profile`."""
        return self._on_one("profile", schedule, seconds=seconds)

    def measure_each(
        self, schedules: Iterable[tuple[str, Schedule]], *, best: float | None
    ) -> Generator[tuple[str, Measurement]]:
        """See `Session.measure_each`; what was under way on a node that is lost is measured on another one."""
        queue = Queue(iter(schedules))
        feeds: dict[Member, _Feed] = {}
        try:
            while queue or feeds:
                self._head.look()
                for member in self._timing() if queue else ():
                    if member not in feeds:
                        with self._unless_lost(member):
                            feeds[member] = self._feed(member, best)
                for feed in [*feeds.values()]:
                    with self._until_lost(feed, feeds, queue):
                        self._fill(feed, queue)
                found = first_of([each.taking for each in feeds.values()], timeout_s=_LOOK_S) if feeds else None
                feed = next((each for each in feeds.values() if each.taking is found), None)
                if feed is not None:
                    measured: list[tuple[str, Measurement]] = []
                    with self._until_lost(feed, feeds, queue):
                        measured = self._take(feed, feeds, queue)
                    yield from measured
                yield from queue.given_up()
        finally:
            for feed in feeds.values():
                with contextlib.suppress(Lost):
                    feed.member.ask("stop", self._name)

    def _timing(self) -> list[Member]:
        if not self._head.timing():
            self._head.look(wait=True)
        if not (found := self._head.timing()):
            raise HltuneError(
                "no node of the cluster measures",
                where="--cluster",
                found=self._head.idle(),
                todo="what was measured is kept, and the same command goes on when there is one",
            )
        return found

    def _begin(self, member: Member) -> None:
        if member not in self._open:
            self._open[member] = member.call("open", self._name, parcel=self._parcel)

    def _opened(self, member: Member) -> None:
        """Waits until a node is ready for this pipeline."""
        self._begin(member)
        if (opening := self._open[member]) is not None:
            result_of(decode(wait_for(opening)))
            self._open[member] = None

    def _on_one(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Of the first node that measures, or of the next one, if it is lost."""
        parcel = pack((arguments, named))
        for _ in range(_MOST_LOST):
            member = self._timing()[0]
            try:
                self._opened(member)
                return result_of(decode(member.ask("call", self._name, method, parcel=parcel)))
            except Lost:
                self._lose(member)
                self._head.look(wait=True)
        raise HltuneError(f"{_MOST_LOST} nodes were lost, one after the other", where=f"--cluster, {method}")

    def _lose(self, member: Member) -> None:
        self._open.pop(member, None)
        self._head.lose(member)

    @contextlib.contextmanager
    def _unless_lost(self, member: Member) -> Generator[None]:
        """Another node does it, if this one is lost."""
        try:
            yield
        except Lost:
            self._lose(member)

    def _feed(self, member: Member, best: float | None) -> _Feed:
        self._opened(member)
        member.ask("begin", self._name, best)
        # A node holds on to what has turns to come until it is given more, or told that there is nothing more.
        depth = member.about.cores * (self._options.short_turns + 1) + 2
        feed = _Feed(member, depth, member.call("take", self._name))
        if self._best is not None and len(self._timing()) > 1 and not self.side_by_side:
            feed.under_way[COMMON] = self._best[1]
            member.call("feed", self._name, encode([(COMMON, self._best[1])]), last=False)
        return feed

    def _fill(self, feed: _Feed, queue: Queue) -> None:
        """Gives a node what it can hold, and tells it when there is nothing more."""
        if feed.last:
            return
        items: list[tuple[str, Schedule]] = []
        while len(feed.under_way) + len(items) < feed.depth and not feed.last:
            item = queue.next()
            if item is None:
                feed.last = True
            else:
                items.append(item)
        feed.under_way.update(items)
        if items or feed.last:
            feed.member.call("feed", self._name, encode(items), last=feed.last)

    def _take(self, feed: _Feed, feeds: dict[Member, _Feed], queue: Queue) -> list[tuple[str, Measurement]]:
        measured, end = decode(wait_for(feed.taking))
        if end is None:
            feed.taking = feed.member.call("take", self._name)
        else:
            del feeds[feed.member]
            result_of(end)
        for key, measurement in measured:
            if key == COMMON:
                self._compare(feed.member, feed.under_way.pop(key), measurement)
            else:
                feed.held.append((key, measurement))
        if COMMON in feed.under_way and end is None:  # nobody knows yet how fast this node is at present
            return []
        held, feed.held = feed.held, []
        found = [(key, self._seen(feed, key, measurement)) for key, measurement in held]
        if end is not None:  # calls may overtake each other, and what comes after the last one is not measured
            queue.again(feed.under_way)
        return found

    def _compare(self, member: Member, schedule: Schedule, measurement: Measurement) -> None:
        why = self._speeds.saw(schedule, member.ray_id, self._timing()[0].ray_id, measurement)
        if why is not None and len(self._timing()) > 1:
            self._head.set_aside(member, why)

    def _seen(self, feed: _Feed, key: str, measurement: Measurement) -> Measurement:
        schedule = feed.under_way.pop(key)
        feed.member.measured += 1
        measurement = self._speeds.corrected(feed.member.ray_id, measurement)
        if isinstance(measurement, Cost) and (self._best is None or measurement.value < self._best[0]):
            self._best = measurement.value, schedule
        return measurement

    @contextlib.contextmanager
    def _until_lost(self, feed: _Feed, feeds: dict[Member, _Feed], queue: Queue) -> Generator[None]:
        """What is under way on a node that is lost is measured again."""
        try:
            yield
        except Lost:
            self._lose(feed.member)
            feeds.pop(feed.member, None)
            queue.lost(feed.under_way)
