"""Process life only: spawn, run a job, enforce limits, kill the group, respawn.

A job is any picklable value with a ``run(process)`` method. It runs in a fresh interpreter that leads its own process
group, so that a crash, a hang or a compiler that it started never outlives or harms the caller.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from hltune.errors import Failure, HltuneError, JobFailed

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")

_LOG_TAIL_BYTES = 4000
_PR_SET_PDEATHSIG = 1


class Job(Protocol[R_co]):
    """What to do, apart from where: a picklable value."""

    def run(self, process: Process) -> R_co:
        """Runs inside the worker. What it returns or raises must be picklable."""
        ...


@dataclass(slots=True)
class Process:
    """The worker process as a job sees it.

    Attributes:
        state: lives as long as the process; jobs keep compiled code here.
    """

    _connection: Connection
    state: dict[str, Any] = field(default_factory=dict[str, Any])

    def enter(self, stage: str, *, timeout_s: float) -> None:
        """Names what the job does from here on, and how long that may take."""
        self._connection.send(_Stage(stage, timeout_s))

    def log_position(self) -> int:
        """Where the log of this process stands now; native code writes to it as well."""
        sys.stderr.flush()
        return os.lseek(2, 0, os.SEEK_CUR)

    def log_since(self, position: int) -> str:
        """What was printed to standard output and error since `log_position`."""
        return os.pread(2, self.log_position() - position, position).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class _Stage:
    name: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class _Done:
    result: Any


@dataclass(frozen=True, slots=True)
class _Raised:
    """An exception that left the job: ours as it is, others as text."""

    ours: HltuneError | None
    kind: str
    message: str


class Worker:
    """One process that runs one job at a time; replaced when it fails.

    Not thread-safe. Use it as a context manager: leaving ends the process and all that it started.

    Args:
        environment: variables set in the process before anything is imported.
        preload: modules imported at start, while the caller does something else.
        memory_bytes: limit on the memory that the process allocates.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        preload: tuple[str, ...] = (),
        memory_bytes: int | None = None,
    ) -> None:
        self._environment = dict(environment or {})
        self._preload = preload
        self._memory_bytes = memory_bytes
        # Without a name, so that not even a killed parent leaves it behind.
        self._log = tempfile.TemporaryFile(prefix="hltune-")  # noqa: SIM115 - closed by `close`
        self._popen: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._stage = _Stage("start", 60.0)
        self._deadline = 0.0
        self._spawn()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, job: Job[R], *, timeout_s: float) -> R:
        """Runs a job to its end.

        Raises:
            JobFailed: it raised, crashed or took too long; the worker is usable again.
            HltuneError: whatever error of ours the job raised.
        """
        self.start(job, timeout_s=timeout_s)
        return self.finish(job)

    def start(self, job: Job[Any], *, timeout_s: float) -> None:
        """Hands over a job and returns; `finish` gets its result."""
        if self._popen is None or self._popen.poll() is not None:
            self._spawn()
        assert self._connection is not None
        self._stage = _Stage("start", timeout_s)
        self._deadline = time.monotonic() + timeout_s
        # A process that died since the check is reported by `finish`, with its log.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(job)

    def finish(self, job: Job[R]) -> R:  # noqa: ARG002 - carries the result's type
        """Waits for the job given to `start`; raises what `run` raises."""
        assert self._connection is not None
        while True:
            if not self._connection.poll(max(0.0, self._deadline - time.monotonic())):
                raise self._fail("timeout", f"took longer than its limit of {self._stage.timeout_s:g} s")
            try:
                message = self._connection.recv()
            except (EOFError, ConnectionResetError):
                raise self._fail_dead() from None
            match message:
                case _Stage():
                    self._stage = message
                    self._deadline = time.monotonic() + message.timeout_s
                case _Raised(ours=HltuneError() as ours):
                    raise ours
                case _Raised():
                    kind = "memory" if message.kind == "MemoryError" else "error"
                    raise JobFailed(Failure(stage=self._stage.name, kind=kind, message=message.message, log=self.log()))
                case _Done():
                    return message.result
                case _:
                    raise AssertionError(message)

    def log(self) -> str:
        """The last lines that the process printed."""
        size = os.fstat(self._log.fileno()).st_size
        tail = os.pread(self._log.fileno(), _LOG_TAIL_BYTES, max(0, size - _LOG_TAIL_BYTES))
        return tail.decode(errors="replace")

    def close(self) -> None:
        """Ends the process and everything that it started."""
        self._kill()
        self._log.close()

    def _spawn(self) -> None:
        self._kill()
        self._log.seek(0)
        self._log.truncate()
        self._connection, theirs = Pipe()
        with theirs:
            fd = theirs.fileno()
            options = pickle.dumps((self._preload, self._memory_bytes, os.getpid()))
            # -P: a numpy.py in the user's folder must not stand in for the real one.
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "hltune.worker", str(fd), options.hex()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env={**os.environ, **self._environment},
                pass_fds=[fd],
                start_new_session=True,
            )

    def _kill(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._popen is not None:
            # The group may outlive its leader: a compiler that it started.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
            self._popen = None

    def _fail_dead(self) -> JobFailed:
        assert self._popen is not None
        code = self._popen.wait()
        log = self.log()
        if "bad_alloc" in log or "out of memory" in log.lower() or "MemoryError" in log:
            limit = f" of {self._memory_bytes / 2**20:.0f} MiB" if self._memory_bytes else ""
            return self._fail("memory", f"exceeded its memory limit{limit}")
        reason = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        lines = log.strip().splitlines()
        return self._fail("crash", f"the process died ({reason})" + (f": {lines[-1]}" if lines else ""))

    def _fail(self, kind: Any, message: str) -> JobFailed:
        failure = Failure(stage=self._stage.name, kind=kind, message=message, log=self.log())
        self._kill()
        return JobFailed(failure)


def _main(fd: int, options: str) -> None:
    preload, memory_bytes, parent = pickle.loads(bytes.fromhex(options))
    _die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    for module in preload:
        importlib.import_module(module)
    connection = Connection(fd)
    process = Process(connection)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        connection.send(_outcome(job, process))


def _outcome(job: Job[Any], process: Process) -> _Done | _Raised:
    try:
        return _Done(job.run(process))
    except HltuneError as error:
        return _Raised(error, type(error).__name__, str(error))
    except Exception as error:
        traceback.print_exc()
        sys.stderr.flush()
        return _Raised(None, type(error).__name__, f"{type(error).__name__}: {error}".strip())


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    # The module is imported anew under its real name, so that jobs and messages are the caller's types.
    from hltune import worker

    worker._main(int(sys.argv[1]), sys.argv[2])  # pyright: ignore[reportPrivateUsage]
