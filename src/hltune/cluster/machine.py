"""All nodes of one kind as one machine: what is measured alone runs wherever somebody is free."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Self

from hltune.cluster.connection import RayError, brief
from hltune.cluster.feed import Feed, may_fit_elsewhere
from hltune.cluster.head import Head, Lost, Member, error_of, ready_of, wait_for
from hltune.cluster.outcome import NodeFailed, Outcome, result_of
from hltune.cluster.parcel import decode, encode, pack
from hltune.cluster.queue import COMMON, Queue
from hltune.cluster.speeds import Occasion, Speeds
from hltune.cluster.stream import TOGETHER, Taken
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.reference import ANY_TWO, References
from hltune.machine.verify import Verification
from hltune.runtime.worker import AnyWorker
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.profile import Profile

_LOOK_S = 1.0
_NOTHING: tuple[tuple[Any, ...], dict[str, Any]] = (), {}
"""Arguments of a call that has none."""
_MOST_LOST = 3
"""Nodes that may be lost one after the other."""
_MOST_TOO_LARGE = 8
"""What a round measures once more where there is more memory: a single node does that, and the others wait."""


class ClusterMachine(AbstractContextManager["ClusterMachine"]):
    """A `Machine`: the nodes of a head that measure as it."""

    def __init__(self, head: Head, identity: MachineId, options: MeasureOptions) -> None:
        self.head = head
        self.identity = identity
        self.options = options
        self.speeds = Speeds()

    def __exit__(self, *_: object) -> None:
        """The nodes are their head's."""

    def session(self, spec: PipelineSpec, inputs: Inputs, references: References = ANY_TWO) -> ClusterSession:
        """See `Machine.session`; each node that measures computes what is expected: they share no folder."""
        inputs.assign(spec)
        references = replace(references, memory=None)
        return ClusterSession(self, {"spec": spec, "inputs": inputs, "references": references})


class ClusterSession(AbstractContextManager["ClusterSession"]):
    """A `Session`: side by side on one node, or each on whichever is free."""

    def __init__(self, machine: ClusterMachine, arguments: Mapping[str, Any]) -> None:
        self._head, self._machine, self._options = machine.head, machine.identity, machine.options
        self._parcel = pack(arguments)
        self._number = machine.head.number()
        self._name = f"session {self._number}"
        self._open: dict[Member, Any] = {}
        self._verification: Verification | None = None
        self._settling: Any = None
        self._speeds = machine.speeds
        self._best: tuple[float, Schedule] | None = None
        self._round = 0
        self._common: Schedule | None = None
        self._feeds: dict[Member, Feed] = {}
        self._measured: deque[tuple[str, Measurement]] = deque()
        self._too_large: dict[str, Schedule] = {}
        self._out = set[Member]()
        for member in self._nodes():
            with self._unless_it_fails(member):
                self._begin(member)
        self.side_by_side: bool = self._on_one("side_by_side")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._open:
            if not member.lost:
                with contextlib.suppress(RayError):
                    member.ask("close", self._name)

    def ready(self) -> None:
        """See `Session.ready`."""
        self._on_one("ready")

    def settled(self) -> bool:
        """See `Session.settled`; the first node is asked once, and says so when it is."""
        if self._settling is None:
            ready = [each for each in self._nodes() if self._open.get(each, each) is None]
            if not ready:
                return False
            self._settling = ready[0].call("call", self._name, "ready", parcel=pack(_NOTHING))
        return bool(ready_of([self._settling], timeout_s=0))

    def nodes(self) -> int:
        """See `Session.nodes`."""
        return max(1, len(self._nodes()))

    def has_news(self) -> bool:
        """See `Session.has_news`."""
        taking = self._taking()
        return bool(self._measured) or not taking or bool(ready_of(taking, timeout_s=0))

    def beside(self, workers: Sequence[AnyWorker]) -> AbstractContextManager[None]:  # noqa: ARG002 - they are elsewhere
        """See `Session.beside`; a node has its own workers stand still."""
        return contextlib.nullcontext()

    def waited(self) -> float | None:
        """See `Session.waited`; on the node that waited most."""
        opened = [each for each, opening in self._open.items() if opening is None and not each.lost]
        found: list[float] = []
        with contextlib.suppress(RayError):  # a node that has just gone says nothing
            asked = [each.call("call", self._name, "waited", parcel=pack(_NOTHING)) for each in opened]
            outcomes = [decode(wait_for(each)) for each in asked]
            found = [value for done, value in outcomes if done and value is not None]
        return max(found, default=None)

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
        """See `Session.measure_each`; what was under way on a node that is lost or fails is measured on another one."""
        self._round += 1
        self._common = None if self._best is None else self._best[1]
        queue = Queue(iter(schedules))
        self._feeds = feeds = dict[Member, Feed]()
        self._measured.clear()
        self._too_large.clear()
        try:
            while queue or feeds:
                self._head.look()
                for member in self._timing() if queue else ():
                    if member not in feeds:
                        with self._unless_it_fails(member):
                            feeds[member] = self._feed(member, best)
                self._time_common(feeds, queue)
                self._deal(feeds, queue)
                taking = self._taking()
                heard = self._those_of(ready_of(taking, timeout_s=_LOOK_S) if taking else [], feeds)
                for feed in heard:
                    with self._until_it_fails(feed, feeds, queue):
                        self._take(feed)
                ended = self._release(feeds, queue)
                self._deal(feeds, queue)  # before others do something else for a while
                while self._measured:
                    yield self._measured.popleft()
                for member, (done, value) in ended.items():
                    if not done:
                        self._failed(member, value)
                yield from queue.given_up()
            for key, schedule in self._too_large.items():
                member, found = self._asked("measure", {key: schedule}, largest=True)
                yield key, self._seen(member, schedule, found[key])
        finally:
            for feed in feeds.values():
                with contextlib.suppress(RayError):
                    feed.member.ask("stop", self._name)

    def _nodes(self) -> list[Member]:
        """Those that measure at present, but for whom this pipeline does not run."""
        return [each for each in self._head.timing(self._machine) if each not in self._out]

    def _timing(self) -> list[Member]:
        if not self._nodes():
            self._head.wait(self._machine)
        if not (found := self._nodes()):
            raise HltuneError(
                "no node of the cluster measures",
                where="--cluster",
                found=self._head.idle(),
                todo="start a node, or wait for one; `tune` keeps what was measured, and the same command goes on",
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
        """Of the first node that measures; or of the next one, if it is lost or fails."""
        return self._asked(method, *arguments, **named)[1]

    def _asked(self, method: str, *arguments: Any, largest: bool = False, **named: Any) -> tuple[Member, Any]:
        """As `_on_one`, and who has answered; by choice the node with most memory."""
        parcel = pack((arguments, named))
        for _ in range(_MOST_LOST):
            timing = self._timing()
            member = max(timing, key=lambda each: each.about.memory_bytes) if largest else timing[0]
            try:
                self._opened(member)
                return member, result_of(decode(member.ask("call", self._name, method, parcel=parcel)))
            except (RayError, NodeFailed) as error:
                self._failed(member, error)
        raise HltuneError(f"{_MOST_LOST} nodes were lost, one after the other", where=f"--cluster, {method}")

    def _failed(self, member: Member, error: Exception) -> None:
        """Others do what a node could not do.

        One that is still there measures no more, if that is what is wrong with it, or else nothing of this pipeline.

        Raises:
            HltuneError: it is there, and nobody else measures.
        """
        if isinstance(error, Lost):
            self._open.pop(member, None)
            self._head.lose(member)
        elif all(each is member for each in self._nodes()):
            raise error_of(member, error) from error
        elif not isinstance(error, (RayError, NodeFailed)):
            self._out.add(member)
        elif member.aside is None:
            self._head.set_aside(member, brief(error))

    @contextlib.contextmanager
    def _unless_it_fails(self, member: Member) -> Generator[None]:
        """Another node does it, if this one is lost or fails."""
        try:
            yield
        except (RayError, HltuneError) as error:
            self._failed(member, error)

    def _feed(self, member: Member, best: float | None) -> Feed:
        self._opened(member)
        member.ask("begin", self._name, best)
        # What has turns to come, what is on its way, and some more, or lanes would wait.
        depth = member.about.workers * (self._options.short_turns + 1) + TOGETHER + 1
        return Feed(member, depth)

    def _time_common(self, feeds: dict[Member, Feed], queue: Queue) -> None:
        """Has all nodes time the same schedule as soon as there are several: the best so far, or else the first one."""
        if len(feeds) < 2 or self.side_by_side or queue.suspects_common:
            return
        if self._common is None and (first := queue.first()) is not None and first[1] != Schedule():
            self._common = first[1]  # the default schedule may take for ever
        if (common := self._common) is None:
            return
        for feed in [each for each in feeds.values() if each.open and not each.compared]:
            feed.compared = True
            feed.give(COMMON, common)
            with self._until_it_fails(feed, feeds, queue):
                feed.member.call("feed", self._name, encode([(COMMON, common)]), total=None)

    def _deal(self, feeds: dict[Member, Feed], queue: Queue) -> None:
        """Gives each schedule to the node that has least to do, says to whom no more come, and asks for results.

        Under which schedule nodes are lost shows where one has nothing else in hand.
        """
        given: dict[Feed, list[tuple[str, Schedule]]] = {}
        for feed in [each for each in feeds.values() if each.open and each.idle]:
            if feed.member.aside is None and (suspect := queue.suspect()) is not None:
                feed.give(*suspect)
                feed.last = True
                given[feed] = [suspect]
        open_ = [each for each in feeds.values() if each.open]
        ending = [each for each in open_ if each.member.aside is not None]
        room = [each for each in open_ if each.member.aside is None and each.room]
        while room:
            if (item := queue.next()) is None:
                ending = open_
                break
            feed = min(room, key=lambda each: each.load)
            feed.give(*item)
            given.setdefault(feed, []).append(item)
            if not feed.room:
                room.remove(feed)
        for feed in ending:
            feed.last = True
            given.setdefault(feed, [])
        for feed in [each for each in feeds.values() if each in given or each.unasked]:
            with self._until_it_fails(feed, feeds, queue):
                self._give(feed, given.get(feed))

    def _give(self, feed: Feed, items: list[tuple[str, Schedule]] | None) -> None:
        """In the call that asks for results, if there is one to make: calls are most of what a result costs here."""
        data = None if items is None else encode(items)
        if feed.taking is None:
            feed.taking = feed.member.call("take", self._name, data, total=feed.total)
        else:
            feed.member.call("feed", self._name, data, total=feed.total)

    def _taking(self) -> list[Any]:
        return [each.taking for each in self._feeds.values() if each.end is None and each.taking is not None]

    def _those_of(self, ready: Sequence[Any], feeds: Mapping[Member, Feed]) -> list[Feed]:
        by_reference = {each.taking: each for each in feeds.values()}
        return [by_reference[each] for each in ready]

    def _take(self, feed: Feed) -> None:
        reference, feed.taking = feed.taking, None
        taken: Taken = decode(wait_for(reference))
        feed.hungry, feed.end = taken.hungry, taken.end
        for key, measurement in taken.measured:
            if key == COMMON:
                del feed.under_way[key]
                self._compare(feed.member, measurement)
            else:
                feed.hold(key, measurement)

    def _release(self, feeds: dict[Member, Feed], queue: Queue) -> dict[Member, Outcome]:
        """What nodes have measured counts as soon as they can be compared with the first one; returns who has ended."""
        timing = self._nodes()
        first = feeds.get(timing[0]) if timing else None
        if first is not None and first.times_common:
            return {}
        ended: dict[Member, Outcome] = {}
        for feed in [each for each in feeds.values() if not each.times_common]:
            if feed.member.aside is None:  # else nobody believes it: others measure this again
                for key, (schedule, measurement) in feed.released():
                    again = not self.side_by_side and len(self._too_large) < _MOST_TOO_LARGE
                    if again and may_fit_elsewhere(measurement, feed.member, timing):
                        self._too_large[key] = schedule
                    else:
                        self._measured.append((key, self._seen(feed.member, schedule, measurement)))
            if feed.end is not None:
                ended[feed.member] = feed.end
                feed.give_back(queue)
                del feeds[feed.member]
        return ended

    def _compare(self, member: Member, measurement: Measurement) -> None:
        timing = self._timing()
        nodes = [each.ray_id for each in timing]
        occasion = Occasion(session=self._number, round=self._round)
        changed = self._speeds.saw(occasion, member.ray_id, measurement, nodes=nodes)
        for each in timing:
            if each.ray_id in changed and len(self._timing()) > 1:
                self._head.set_aside(each, changed[each.ray_id])

    def _seen(self, member: Member, schedule: Schedule, measurement: Measurement) -> Measurement:
        member.measured += 1
        measurement = self._speeds.corrected(member.ray_id, measurement, session=self._number)
        if isinstance(measurement, Cost) and (self._best is None or measurement.value < self._best[0]):
            self._best = measurement.value, schedule
        return measurement

    @contextlib.contextmanager
    def _until_it_fails(self, feed: Feed, feeds: dict[Member, Feed], queue: Queue) -> Generator[None]:
        """What is under way on a node that is lost or fails is measured again."""
        try:
            yield
        except RayError as error:
            feeds.pop(feed.member, None)
            feed.give_back(queue, lost=True)
            self._failed(feed.member, error)
