"""The head of a cluster: finds computers, starts a node on each, and notices when they come and go.

Ray does placement, transport and the detection of failures. There is one node per computer, an actor that is bound to
it, and whoever shares a computer shares its node: so only one at a time is timed there.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

from hltune import __version__
from hltune.cluster.connection import NAMESPACE, RayError, brief, connect, ray
from hltune.cluster.kinds import Kinds
from hltune.cluster.node import About, Node, Opener
from hltune.cluster.parcel import Parcel
from hltune.values.errors import HltuneError
from hltune.values.machine_id import MachineId

Lost: type[Exception] = ray.exceptions.RayActorError
"""What a call of a node raises that has gone."""
_LOOK_EVERY_S = 2.0
START_S = 120.0
"""A node imports Halide; the first one on a computer reads it from disk."""
_AGAIN_S = 0.5
_CALLS = 1024
"""Calls of a node that are under way at a time: a few, and one for each job."""
_BACK_S = 30.0
"""How long a node that was the only one is waited for."""


@dataclass(eq=False)
class Member:
    """A node, as its head sees it.

    Attributes:
        ray_id: the Ray node that it runs on.
        lost: it has gone.
        aside: why it does not time, or does so no more; None if it does.
        jobs: slots of all jobs that it has; one may be there more than once.
        measured: how many measurements it has made.
        joined_s: when, by the monotonic clock.
        claiming: Ray's reference to whether it has its computer to itself by now; None if nobody has asked.
    """

    ray_id: str
    actor: Any
    about: About
    lost: bool = False
    aside: str | None = None
    jobs: list[int] = field(default_factory=list[int])
    measured: int = 0
    joined_s: float = field(default_factory=time.monotonic)
    claiming: Any = None
    _parts: set[str] = field(default_factory=set[str])

    def call(self, method: str, *arguments: Any, parcel: Parcel | None = None, **named: Any) -> Any:
        """Begins with a call and returns Ray's reference to its result; what is new of a parcel's parts goes first.

        Raises:
            Lost: the node has gone before it had the parts.
        """
        if parcel is not None:
            self._send(parcel)
            arguments = (*arguments, parcel.data)
        return getattr(self.actor, method).remote(*arguments, **named)

    def ask(self, method: str, *arguments: Any, parcel: Parcel | None = None, **named: Any) -> Any:
        """The result of a call; `Lost` if the node goes meanwhile."""
        return wait_for(self.call(method, *arguments, parcel=parcel, **named))

    def _send(self, parcel: Parcel) -> None:
        for digest, part in parcel.parts.items():
            if digest not in self._parts:
                self.ask("keep", digest, part.name, part.read())
                self._parts.add(digest)


class Head:
    """Nodes for one kind of machine. Used by one thread; leaving the context ends all nodes.

    Args:
        address: ``local`` for a cluster of this computer alone, ``auto`` for the one that runs here, or an address.
        opener: opens the machine of a node, there.
        wanted: the machine that is measured on; nodes of other kinds search and lower, if their versions of Halide and
            hltune are the same.
        note: is told about nodes that come, go, or are set aside.
        others: nodes of other kinds measure, too, each kind for itself.
        place: where that machine is wanted, for notes.
    """

    def __init__(
        self,
        address: str,
        opener: Opener,
        wanted: MachineId,
        note: Callable[[str], None],
        *,
        others: bool = False,
        place: str = "here",
    ) -> None:
        self._opener = opener
        self._wanted = wanted
        self._note = note
        self._members: dict[str, Member] = {}
        self._starting: dict[str, tuple[Any, Any]] = {}
        self._refused: dict[str, bool] = {}
        """Ray nodes that are not used, and whether only because another one on the same computer is."""
        self._unused: list[str] = []
        """Why computers are not used."""
        self._looked_s = -math.inf
        self._numbers = itertools.count()
        self._kinds = Kinds(wanted, opener.hardware(), others=others, place=place)
        self._own = connect(address)
        self.look(wait=True)
        if not self.members():
            self.__exit__()
            raise HltuneError(
                "no node of the cluster can be used",
                where=f"--cluster {address}",
                expected="a computer with the same Halide and hltune as here, in the Python that `ray start` ran with",
                found="; ".join(self._unused) or "no computer has answered",
                todo="install them there, and `ray start` again; or give another --cluster",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members():
            if member.measured:
                minutes = (time.monotonic() - member.joined_s) / 60
                self._note(
                    f"node {member.about.name}: {member.measured} measured, {member.measured / minutes:.0f} per minute"
                )
            with contextlib.suppress(RayError, TimeoutError):
                ray.get(member.actor.end.remote(), timeout=10)
            with contextlib.suppress(RayError):
                ray.kill(member.actor)
        if self._own:
            ray.shutdown()

    def number(self) -> int:
        """One that nobody else has."""
        return next(self._numbers)

    def members(self) -> list[Member]:
        """Those that are there."""
        return [*self._members.values()]

    def timing(self, machine: MachineId | None = None) -> list[Member]:
        """Those that measure as a machine: by default the one of the run."""
        wanted = machine or self._wanted
        return [each for each in self._members.values() if each.aside is None and each.about.machine == wanted]

    def others(self) -> list[MachineId]:
        """Other machines that nodes measure as at present."""
        return [each for each in self._kinds.others() if self.timing(each)]

    def idle(self) -> str:
        """Why nobody measures, for people."""
        why = (f"{each.about.name} {each.aside or self._kinds.role(each.about)}" for each in self.members())
        return "; ".join(why) or "there are none"

    def look(self, *, wait: bool = False) -> None:
        """Notices, from time to time, which computers have come and gone.

        Args:
            wait: until those that are there have started.
        """
        now_s = time.monotonic()
        if not wait and now_s < self._looked_s + _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        alive = {each["NodeID"]: each for each in ray.nodes() if each["Alive"]}
        for ray_id in alive:
            if ray_id not in self._members and ray_id not in self._starting and ray_id not in self._refused:
                self._start(ray_id)
        for member in self.members():
            if member.ray_id not in alive:
                self.lose(member)
        end_s = now_s + (START_S if wait else 0.0)  # all of them start at once
        for ray_id in [*self._starting]:
            self._join(ray_id, timeout_s=max(0.0, end_s - time.monotonic()))
        self._claim_again()

    def wait(self, machine: MachineId | None = None) -> None:
        """Waits until the nodes that are there have started, and for a while until there is one, if all are lost.

        Args:
            machine: one that measures as it, too, as long as another run measures on some computer.
        """
        end_s = time.monotonic() + _BACK_S
        self.look(wait=True)
        while self._may_change(machine) and time.monotonic() < end_s:
            time.sleep(_AGAIN_S)
            self.look(wait=True)

    def _may_change(self, machine: MachineId | None) -> bool:
        if machine is None or not self._members:
            return not self._members
        return not self.timing(machine) and any(not each.about.alone for each in self.members())

    def lose(self, member: Member) -> None:
        """A node has gone; what it was doing is to be done elsewhere."""
        if not member.lost:
            self._remove(member)
            self._note(f"node {member.about.name} is lost; what it was doing is done again elsewhere")
            self._refused = {ray_id: shares for ray_id, shares in self._refused.items() if not shares}
            self._looked_s = -math.inf

    def fail(self, member: Member, error: Exception) -> None:
        """A node could not do what it was asked: it has gone, or is left out from now on, unless it is the only one.

        Raises:
            HltuneError: it is the only one.
        """
        if isinstance(error, Lost):
            self.lose(member)
        elif not member.lost:
            if len(self._members) == 1:
                raise error_of(member, error) from error
            self._remove(member)
            self._refused[member.ray_id] = False
            self._note(f"node {member.about.name} is left out: {brief(error)}")

    def set_aside(self, member: Member, why: str) -> None:
        """A node measures no more; it goes on to search and to lower."""
        member.aside = why
        self._note(f"node {member.about.name} measures no more: {why}")

    def _remove(self, member: Member) -> None:
        member.lost = True
        del self._members[member.ray_id]
        with contextlib.suppress(RayError):
            ray.kill(member.actor)  # whoever cannot be reached may be there, and have the computer's lock

    def _start(self, ray_id: str) -> None:
        options: dict[str, Any] = {
            "num_cpus": 0,  # it takes all cores, for its own slots
            "max_concurrency": _CALLS,
            "scheduling_strategy": on_node(ray_id),
            "max_restarts": 0,
            "enable_task_events": False,  # which nobody looks at, and each call would tell
        }
        options |= {"name": uuid.uuid4().hex, "namespace": NAMESPACE}
        actor: Any = ray.remote(**options)(Node).remote(self._opener)
        self._starting[ray_id] = actor, actor.about.remote()

    def _join(self, ray_id: str, *, timeout_s: float) -> None:
        actor, told = self._starting[ray_id]
        ready, _ = ray.wait([told], timeout=timeout_s)
        if not ready:
            return
        del self._starting[ray_id]
        try:
            self._accept(ray_id, actor, ray.get(told))
        except RayError as error:
            self._refused[ray_id] = True  # others may have better luck, when somebody is lost
            ray.kill(actor)
            self._leave_out(f"a node does not start{_place_of(ray_id)}: {brief(error)}")

    def _accept(self, ray_id: str, actor: Any, about: About) -> None:
        shares = any(each.about.computer == about.computer for each in self.members())
        different = _other_versions(about, self._wanted)
        if shares or different:
            self._refused[ray_id] = shares
            ray.kill(actor)
            if not shares:
                self._leave_out(f"node {about.name} is left out: {different}")
            return
        about = ray.get(actor.claim.remote())
        self._members[ray_id] = member = Member(ray_id, actor, about)
        self._judge(member, about)

    def _judge(self, member: Member, about: About) -> None:
        member.about, member.aside = about, self._kinds.why_not(about)
        self._note(f"node {about.name}, {about.cores} cores: {member.aside or self._kinds.role(about)}")

    def _claim_again(self) -> None:
        """Another run may have ended that measured on a computer."""
        for member in self.members():
            if member.about.alone or self._kinds.why_not(replace(member.about, alone=True)) is not None:
                continue
            if member.claiming is None:
                member.claiming = member.call("claim")
            if ready_of([member.claiming], timeout_s=0):
                claimed, member.claiming = member.claiming, None
                with contextlib.suppress(RayError):  # it has just gone, which is noticed elsewhere
                    if (about := wait_for(claimed)).alone:
                        # Last, for others are compared with the first one that measures.
                        self._members[member.ray_id] = self._members.pop(member.ray_id)
                        self._judge(member, about)

    def _leave_out(self, why: str) -> None:
        self._unused.append(why)
        self._note(why)


def error_of(member: Member, error: Exception) -> HltuneError:
    """An error of ours as it is, and others with the node that they come from."""
    return error if isinstance(error, HltuneError) else HltuneError(brief(error), where=f"node {member.about.name}")


def on_node(ray_id: str) -> Any:
    """Has Ray run something on one of its nodes, and nowhere else."""
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray_id, soft=False)


def wait_for(reference: Any) -> Any:
    """The result of a call that was begun with; `Lost` if the node goes meanwhile."""
    return ray.get(reference)


def ready_of(references: list[Any], *, timeout_s: float) -> list[Any]:
    """All results that are there, as soon as there is one; none if there is none in time."""
    first, others = ray.wait(references, num_returns=1, timeout=timeout_s)
    return first + (ray.wait(others, num_returns=len(others), timeout=0)[0] if first and others else [])


def _place_of(ray_id: str) -> str:
    """What people call the computer of a Ray node; nothing if it has just gone."""
    return "".join(f" on {each['NodeManagerHostname']}" for each in ray.nodes() if each["NodeID"] == ray_id)


def _other_versions(about: About, wanted: MachineId) -> str | None:
    """What a node has other versions of, so that it can do nothing for us; None if it has the same."""
    versions = {"Halide": (about.halide, wanted.halide), "hltune": (about.hltune, __version__)}
    different = [f"{name} {theirs}, and {ours} here" for name, (theirs, ours) in versions.items() if theirs != ours]
    return "; ".join(different) or None
