"""Workers on the nodes of a cluster, which the caller uses as its own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from multiprocessing.connection import Connection, Pipe
from typing import Any, Generic, TypeVar

from hltune.cluster.head import Head, Lost, Member, slots
from hltune.cluster.node import result_of
from hltune.cluster.parcel import pack
from hltune.runtime.worker import Job
from hltune.values.errors import Failure, HltuneError, JobFailed

R = TypeVar("R")

_MOST_LOST = 3
"""Nodes that may be lost under one job: it may be the job that takes them down."""
_A_DAY_S = 86_400.0
"""The job's own limits hold where it runs."""


class RemoteWorker:
    """Runs one job at a time in a slot of a node; in another one when the node is lost."""

    def __init__(self, head: Head, member: Member, slot: int) -> None:
        self._head = head
        self.member, self.slot = member, slot

    def run(self, job: Job[R]) -> R:
        """See `hltune.runtime.worker.Worker.run`."""
        return self.start(job).result()

    def start(self, job: Job[R]) -> RemoteRunning[R]:
        """See `hltune.runtime.worker.Worker.start`."""
        if self.member.lost:
            self.move()
        return RemoteRunning[R](self, job)

    def stop(self) -> None:
        """Nothing: a node has its own workers stand still while it times."""

    def proceed(self, *, stopped_s: float) -> None:
        """See `stop`."""

    def lost(self) -> None:
        """The node has gone; from now on another one does the work."""
        self._head.lose(self.member)
        self.move()

    def move(self) -> None:
        """To a slot that nobody uses, or shares one."""
        self._head.look()
        members = self._head.members()
        if not members:
            raise HltuneError("all nodes of the cluster are lost", where="--cluster")
        free = next(slots(self._head), None)
        self.member, self.slot = free or (members[self.slot % len(members)], 0)


class RemoteRunning(Generic[R]):
    """A job on a node; done again elsewhere if the node is lost."""

    def __init__(self, worker: RemoteWorker, job: Job[R]) -> None:
        self.worker = worker
        self._parcel = pack(job)
        self._lost = 0
        self.connection, self._told = Pipe(duplex=False)
        """For whoever waits for several jobs: one of Ray's threads writes to it when this one has ended."""
        self._begin()

    def result(self) -> R:
        """See `hltune.runtime.worker.Running.result`."""
        while True:
            try:
                outcome = self._future.result()
            except Lost:
                self._begin_again()
                continue
            self._end()
            return result_of(outcome)

    def done(self) -> bool:
        """See `hltune.runtime.worker.Running.done`; what was lost is not, and begins anew."""
        if not self._future.done():
            return False
        if isinstance(self._future.exception(), Lost) and self._lost < _MOST_LOST:
            self._begin_again()
            return False
        return True

    def remaining_s(self) -> float:
        """See `hltune.runtime.worker.Running.remaining_s`; the node itself keeps to it."""
        return _A_DAY_S

    def cancel(self) -> None:
        """See `hltune.runtime.worker.Running.cancel`."""
        if not self._future.done():
            self.worker.member.call("kill", self.worker.slot)
        self._end()

    def _begin(self) -> None:
        member, slot = self.worker.member, self.worker.slot
        member.jobs.add(slot)
        self._future: Future[Any] = member.call("run", slot, parcel=self._parcel).future()
        self._future.add_done_callback(partial(_tell, self._told))

    def _begin_again(self) -> None:
        self._lost += 1
        if self._lost > _MOST_LOST:
            message = f"{self._lost} nodes were lost under it"
            raise JobFailed(Failure(stage="run on a node", kind="crash", message=message))
        self.connection.recv_bytes()  # the news of the loss
        self.worker.lost()
        self._begin()

    def _end(self) -> None:
        self.worker.member.jobs.discard(self.worker.slot)


def remote_workers(head: Head) -> Sequence[RemoteWorker]:
    """A worker for each slot."""
    return tuple(RemoteWorker(head, member, slot) for member, slot in slots(head))


def _tell(told: Connection, _: Future[Any]) -> None:
    try:
        told.send_bytes(b"x")
    except OSError:
        return  # nobody waits any more
