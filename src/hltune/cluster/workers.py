"""Workers on the nodes of a cluster, which the caller uses as its own."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from multiprocessing.connection import Pipe
from typing import Any, Generic, TypeVar, overload

from hltune.cluster.connection import RayError
from hltune.cluster.head import Head, Member
from hltune.cluster.outcome import NodeFailed, Outcome, result_of
from hltune.cluster.parcel import decode, pack
from hltune.runtime.worker import Job
from hltune.values.errors import Failure, HltuneError, JobFailed

R = TypeVar("R")

_MOST_LOST = 3
"""Nodes that may be lost under one job: it may be the job that takes them down."""
_A_DAY_S = 86_400.0
"""The job's own limits hold where it runs."""


class RemoteWorkers(Sequence["RemoteWorker"]):
    """A worker for each slot of a cluster: there are more of them as soon as a node has joined.

    They never become fewer: after a loss, some share a slot until another node joins.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._workers: list[RemoteWorker] = []

    def __len__(self) -> int:
        self._head.look()
        slots = sum(member.about.workers for member in self._head.members())
        self._workers += (RemoteWorker(self._head) for _ in range(slots - len(self._workers)))
        return len(self._workers)

    def __iter__(self) -> Iterator[RemoteWorker]:
        return iter(self._workers[: len(self)])

    @overload
    def __getitem__(self, index: int) -> RemoteWorker: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RemoteWorker]: ...
    def __getitem__(self, index: int | slice) -> RemoteWorker | Sequence[RemoteWorker]:
        return [*self][index]


class RemoteWorker:
    """Runs one job at a time, each in the slot that has least to do."""

    def __init__(self, head: Head) -> None:
        self.head = head

    def run(self, job: Job[R]) -> R:
        """See `hltune.runtime.worker.Worker.run`."""
        return self.start(job).result()

    def start(self, job: Job[R]) -> RemoteRunning[R]:
        """See `hltune.runtime.worker.Worker.start`."""
        return RemoteRunning[R](self, job)

    def stop(self) -> None:
        """Nothing: a node has its own workers stand still while it times."""

    def proceed(self, *, stopped_s: float) -> None:
        """See `stop`."""


class RemoteRunning(Generic[R]):
    """A job on a node; done again elsewhere if the node is lost."""

    def __init__(self, worker: RemoteWorker, job: Job[R]) -> None:
        self.worker = worker
        self._head = worker.head
        self._number = worker.head.number()
        self._parcel = pack(job)
        self._lost = 0
        self._outcome: Outcome | None = None
        self.connection, self._told = Pipe(duplex=False)
        """For whoever waits for several jobs: one of Ray's threads writes to it when this one has ended."""
        self._begin()

    def result(self) -> R:
        """See `hltune.runtime.worker.Running.result`."""
        while (error := self._node_error()) is not None:
            self._begin_again(error)
        self._end()
        assert self._outcome is not None
        return result_of(self._outcome)

    def done(self) -> bool:
        """See `hltune.runtime.worker.Running.done`; what was lost is not, and begins anew."""
        if not self._future.done():
            return False
        error = self._node_error()
        if error is None or self._lost + 1 >= _MOST_LOST:
            return True
        self._begin_again(error)
        return False

    def remaining_s(self) -> float:
        """See `hltune.runtime.worker.Running.remaining_s`; the node itself keeps to it."""
        return _A_DAY_S

    def spent_s(self) -> float:
        """Since a node has it, or has had it: what happens there is not known here."""
        return max(0.0, min(time.monotonic(), self._ended_s) - self._began_s)

    def cancel(self) -> None:
        """See `hltune.runtime.worker.Running.cancel`."""
        if not self._future.done():
            self._member.call("cancel", self._number)
        self._end()

    def _node_error(self) -> Exception | None:
        """Waits for what comes of the job; an error if that is nothing, for reasons of the node."""
        try:
            outcome: Outcome = self._outcome or decode(self._future.result())
        except RayError as error:
            return error
        self._outcome = outcome
        _, value = outcome
        return value if isinstance(value, NodeFailed) else None

    def _begin(self) -> None:
        while True:
            self._member, self._slot = _least_busy(self._head)
            try:
                reference = self._member.call("run", self._slot, self._number, parcel=self._parcel)
            except RayError as error:  # before it has anything of the job
                self._head.fail(self._member, error)
                continue
            self._member.jobs.append(self._slot)
            self._outcome = None
            self._began_s, self._ended_s = time.monotonic(), math.inf
            self._future: Future[Any] = reference.future()
            self._future.add_done_callback(self._tell)
            return

    def _begin_again(self, error: Exception) -> None:
        self._end()
        self._lost += 1
        self._head.fail(self._member, error)
        if self._lost >= _MOST_LOST:
            message = f"{_MOST_LOST} nodes were lost under it"
            raise JobFailed(Failure(stage="run on a node", kind="crash", message=message))
        self.connection.recv_bytes()  # the news of the loss
        self._begin()

    def _tell(self, _: Future[Any]) -> None:
        self._ended_s = time.monotonic()
        try:
            self._told.send_bytes(b"x")
        except OSError:
            return  # nobody waits any more

    def _end(self) -> None:
        if self._slot in self._member.jobs:
            self._member.jobs.remove(self._slot)


def _least_busy(head: Head) -> tuple[Member, int]:
    """The node with the smallest share of its slots in use, and its slot with the fewest jobs."""
    head.look()
    if not head.members():
        head.wait()
    if not (members := head.members()):
        raise HltuneError("all nodes of the cluster are lost", where="--cluster")
    member = min(members, key=lambda each: len(each.jobs) / each.about.workers)
    return member, min(range(member.about.workers), key=member.jobs.count)
