"""Jobs, and what a worker's process and its caller tell each other about them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from hltune.runtime.worker.waiting import waited_s
from hltune.values.errors import HltuneError

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Job(Protocol[R_co]):
    """What to do, apart from where: a picklable value."""

    def run(self, process: Process) -> R_co:
        """Runs inside the worker. What it returns or raises must be picklable."""
        ...


class MainThread:
    """Runs what a thread that jobs run on hands over to it."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def run(self, call: Callable[[], R]) -> R:
        """For the other thread: waits for the result."""
        future = Future[Any]()
        self._calls.put((future, call))
        return future.result()

    def serve(self) -> None:
        """For the main thread: until the other one calls `leave`."""
        while (item := self._calls.get()) is not None:
            future, call = item
            try:
                future.set_result(call())
            except BaseException as error:  # whoever waits gets it
                future.set_exception(error)

    def leave(self) -> None:
        """For the other thread: there are no more calls."""
        self._calls.put(None)


LONGEST_WAIT_S = 3600.0
"""Nobody waits longer at a time: the system's own limit is 24 days."""


@dataclass(slots=True)
class Process:
    """The worker process as a job sees it.

    Attributes:
        scratch: a folder for temporary files, which the caller removes however this process ends.
        state: where jobs keep what lives as long as the process does, say compiled code.
        stage: what the job does now.
    """

    _connection: Connection
    scratch: Path
    state: dict[str, Any] = field(default_factory=dict[str, Any])
    stage: str = ""
    _main_thread: MainThread | None = None

    def on_main_thread(self, call: Callable[[], R]) -> R:
        """Calls something on the main thread, if jobs run on another one; it does nothing else."""
        return call() if self._main_thread is None else self._main_thread.run(call)

    def enter(self, stage: str, *, timeout_s: float, one_thread: bool = False) -> None:
        """Names what the job does from here on, and how long that may take.

        Args:
            one_thread: one thread does it all, and how long it waits for a processor does not count: others that use
                the cores do not make it take too long.
        """
        self.stage = stage
        waited = waited_s() if one_thread else None
        self._connection.send(Stage(stage, timeout_s, time.monotonic(), waited, os.getpid()))

    def log_position(self) -> int:
        """The present end of this process's log; native code writes to it as well."""
        sys.stderr.flush()
        return os.lseek(2, 0, os.SEEK_CUR)

    def log_since(self, position: int) -> str:
        """What was printed to standard output and error since `log_position`."""
        return os.pread(2, self.log_position() - position, position).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Stage:
    """What a job does from now on; when it began is told by the monotonic clock, which all processes share.

    Attributes:
        waited_s: how long the process that does it had waited for a processor by then, if waiting does not count.
        process: which process that is; 0 as long as nothing has begun.
    """

    name: str
    timeout_s: float
    began_s: float
    waited_s: float | None = None
    process: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """A job returned, at this moment of the monotonic clock."""

    result: Any
    ended_s: float


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception left the job, at this moment of the monotonic clock: ours as it is, others as text."""

    ours: HltuneError | None
    kind: str
    message: str
    ended_s: float


@dataclass(frozen=True, slots=True)
class Died:
    """A fork died; exit status, or the signal's negative number."""

    code: int
