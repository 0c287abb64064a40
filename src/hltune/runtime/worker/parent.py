"""The caller's side of a worker: hands over jobs, enforces their limits, and replaces processes that failed."""

from __future__ import annotations

import contextlib
import io
import math
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Pipe
from typing import IO, Any, Generic, TypeVar

from hltune.runtime.cgroup import core_limit, memory_limit_bytes
from hltune.runtime.files import ScratchFolder
from hltune.runtime.rlimits import given_bytes
from hltune.runtime.worker.group import Group
from hltune.runtime.worker.messages import LONGEST_WAIT_S, Died, Done, Job, Raised, Stage
from hltune.runtime.worker.waiting import waited_s
from hltune.values.errors import ENDED, KILLED, NO_ROOM, START, Failure, FailureKind, HltuneError, JobFailed, Refused
from hltune.values.limits import LATE

R = TypeVar("R")

_LOG_TAIL_BYTES = 4000
_START_S = 60.0
"""Limit from the start of a job to its first stage: time to spawn, to import and to read the job."""
_MOST_WAITED = 3.0
"""How many times its limit a stage may wait for a processor: whoever waits for the stage has limits, too."""
_AGAIN_S = 1.0
"""After so long, what the system refused is asked for again."""
_MEMORY_SHARE = 0.8
_WORKER_BYTES = 2**30
"""What a process that searches or compiles should have."""
_SAME_ADDRESSES = ("setarch", "-R")
"""A command of util-linux, which every Linux has."""
_KEPT_VARIABLES = ("PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR", "XDG_CACHE_HOME")


def physical_memory_bytes() -> int:
    """All memory of this computer, or of the container."""
    return int(min(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), memory_limit_bytes()))


def memory_share_bytes(processes: int) -> int:
    """Most of the memory, divided among so many processes, of what each may have."""
    return int(_MEMORY_SHARE * min(physical_memory_bytes() / processes, given_bytes()))


def usable_cores() -> int:
    """Cores that this process may run on, all the time: more threads than that would be stopped again and again."""
    return max(1, math.floor(min(len(os.sched_getaffinity(0)), core_limit())))


def usable_workers() -> int:
    """Processes that search, and as many that compile: as many as there are cores and memory for."""
    return max(1, min(usable_cores(), physical_memory_bytes() // _WORKER_BYTES))


class Worker(contextlib.AbstractContextManager["Worker"]):
    """One process that runs one job at a time; replaced when it fails.

    Not thread-safe. Use it as a context manager: leaving ends the process and all that it started, and removes what
    they left in `Process.scratch`.

    Args:
        environment: variables set in the process before anything is imported.
        preload: modules imported at start, while the caller does something else.
        memory_bytes: limit on the memory that the process allocates; most of the machine's, unless told otherwise.
        recycle_after: jobs that one process runs; the next one gets a new process, with all memory given back.
        reproducible: every job finds memory laid out in the same way, byte for byte: each runs in a fork of a process
            that has done nothing but import `preload`, with a fixed hash seed, a bare environment and without
            randomised addresses. Compilers keep sets ordered by address, and emit code in that order.
        spare_main_thread: jobs run on another thread; the main one does what they hand over to it, see
            `Process.on_main_thread`. Threads have heaps of their own, so that of the main one stays as it was.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        preload: tuple[str, ...] = (),
        memory_bytes: int | None = None,
        recycle_after: int | None = None,
        reproducible: bool = False,
        spare_main_thread: bool = False,
    ) -> None:
        self.memory_bytes = memory_bytes or memory_share_bytes(1)
        self._environment = dict(environment or {})
        self._preload = preload
        self._recycle_after = recycle_after
        self._reproducible = reproducible
        self._spare_main_thread = spare_main_thread
        self._log, self._job = _granted(lambda: (_temporary_file(), _temporary_file()))
        self._scratch = _granted(ScratchFolder)
        self._log_start = 0
        self._spawned = self._jobs = 0
        self._pauses: list[tuple[float, float]] = []
        self._running: Running[Any] | None = None
        self._group: Group | None = None
        self._group = _granted(self._spawn)

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, job: Job[R]) -> R:
        """Runs a job to its end.

        Raises:
            JobFailed: it raised, crashed or took too long; the worker is usable again.
            HltuneError: whatever error of ours the job raised.
        """
        return self.start(job).result()

    def start(self, job: Job[R]) -> Running[R]:
        """Hands over a job and returns. The job itself says how long its stages may take.

        Raises:
            RuntimeError: nobody has asked yet what came of the job before, whose answer would be taken for this one's.
            Refused: the system has no process, or no room for the job.
        """
        if self._running is not None and not self._running.known:
            raise RuntimeError("a worker is given a job before anybody knows what came of the one before")
        if self._group is None or self.process is None:
            self._group = _granted(self._spawn)
        data = _pickled(job)  # before anything is begun with, for it may fail
        _granted(lambda: _write(self._job.fileno(), data))
        self._jobs += 1
        self._pauses = []
        self._running = running = Running[R](self, self._group, self._pauses)
        self._log_start = self._log_size()
        # A process that died since the check is reported with the result, with its log.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._group.connection.send(len(data))
        return running

    @property
    def process(self) -> int | None:
        """Number of the process that runs the next job, and remembers those before; None if there will be a new one."""
        if self._group is None or self._group.leader.poll() is not None or self._jobs == self._recycle_after:
            return None
        return self._spawned

    def log(self) -> str:
        """The last lines that the process printed during the present or last job."""
        begin = max(self._log_start, self._log_size() - _LOG_TAIL_BYTES)
        return os.pread(self._log.fileno(), _LOG_TAIL_BYTES, begin).decode(errors="replace")

    def stop(self) -> None:
        """Makes the process stand still until `proceed`."""
        if self._group is not None:
            self._group.signal(signal.SIGSTOP)

    def proceed(self, *, stopped_s: float) -> None:
        """Lets the process go on; the limit of its job stood still since this moment of the monotonic clock."""
        if self._group is not None:
            self._group.signal(signal.SIGCONT)
        self._pauses.append((stopped_s, time.monotonic()))

    def kill(self) -> None:
        """Ends the process, from any thread: whoever waits for its job hears that it died."""
        if self._group is not None:
            self._group.signal(signal.SIGKILL)

    def recycle(self) -> None:
        """Ends the process and all that it remembers; the next job gets a new one."""
        self._running = None
        if self._group is not None:
            self._group.end()
            self._group = None
            self._scratch.empty()

    def close(self) -> None:
        """Ends the process and everything that it started."""
        self.recycle()
        self._scratch.cleanup()
        self._log.close()
        self._job.close()

    def _log_size(self) -> int:
        return os.fstat(self._log.fileno()).st_size

    def _spawn(self) -> Group:
        self.recycle()
        self._spawned += 1
        self._jobs = 0
        self._log.seek(0)
        self._log.truncate()
        connection, theirs = Pipe()
        with theirs:
            files = (theirs.fileno(), self._job.fileno())
            how = (self._reproducible, self._spare_main_thread)
            options = pickle.dumps((self._preload, self.memory_bytes, os.getpid(), self._scratch.name, *how)).hex()
            # -P: a numpy.py in the user's folder must not stand in for the real one.
            # Zeros: of the same length whatever the numbers, for arguments take room in memory.
            arguments = [*(f"{number:08}" for number in files), options.zfill(2000)]
            command = [sys.executable, "-P", "-m", "hltune.runtime.worker.child", *arguments]
            leader = subprocess.Popen(
                [*_SAME_ADDRESSES, *command] if self._reproducible else command,
                stdin=subprocess.DEVNULL,
                stdout=self._log.fileno(),
                stderr=self._log.fileno(),
                env={**(_bare_environment() if self._reproducible else os.environ), **self._environment},
                pass_fds=files,
                start_new_session=True,
            )
        return Group(connection, leader)


def _bare_environment() -> dict[str, str]:
    """What others set must not move anything in memory, nor may it matter whether modules were compiled before."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    no_bytecode = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": os.devnull}
    return {**kept, **no_bytecode, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}


def _granted(call: Callable[[], R]) -> R:
    """What the system refuses for want of processes, memory or room, it may grant a moment later.

    Raises:
        Refused: it does not.
    """
    with contextlib.suppress(OSError):
        return call()
    time.sleep(_AGAIN_S)
    try:
        return call()
    except OSError as error:
        raise Refused.by_system(str(error)) from error


def _temporary_file() -> IO[bytes]:
    """Without a name, so that not even a killed parent leaves it behind."""
    return tempfile.TemporaryFile(prefix="hltune-")


def _write(file: int, data: bytes) -> None:
    """At the beginning of a file, and all of it: a disk that is full takes what it has room for."""
    written = 0
    while written < len(data):
        written += os.pwrite(file, data[written:], written)


def _pickled(job: Job[Any]) -> bytes:
    """Equal jobs become equal bytes, and later the same objects in memory, whichever of their parts are one object."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer)
    pickler.fast = True
    pickler.dump(job)
    return buffer.getvalue()


def _or_refused(failed: JobFailed) -> JobFailed | Refused:
    """What a full disk does is not the job's failure."""
    if not failed.failure.for_want_of_room:
        return failed
    return Refused.by_system(failed.failure.message if NO_ROOM in failed.failure.message else NO_ROOM)


class Running(Generic[R]):
    """A job that a worker has begun with; its limit stands still in the pauses, a list that grows while it runs."""

    def __init__(self, worker: Worker, group: Group, pauses: list[tuple[float, float]]) -> None:
        self.worker = worker
        self.connection = group.connection
        self._group = group
        self._pauses = pauses
        self._stage = Stage(START, _START_S, time.monotonic())
        self._began_s: float | None = None
        self._ended_s: float | None = None
        self._outcome: Done | Raised | JobFailed | None = None

    @property
    def known(self) -> bool:
        """What came of it has been read from the process."""
        return self._outcome is not None

    def result(self) -> R:
        """Waits for the job to end; raises what `Worker.run` raises."""
        while self._outcome is None:
            self._listen(self.remaining_s())
        match self._outcome:
            case JobFailed() as failed:
                raise _or_refused(failed)
            case Raised(ours=HltuneError() as ours):
                raise ours
            case Raised(kind=kind, message=message):
                raise _or_refused(self._failed("memory" if kind == "MemoryError" else "error", message))
            case Done(result=result):
                return result

    def done(self) -> bool:
        """True if it has ended or exceeded its limit, so that `result` returns or raises at once."""
        if self._outcome is None:
            self._listen(0.0)
        return self._outcome is not None

    def remaining_s(self) -> float:
        """The time that the present stage may still take."""
        left_s = self._stage.timeout_s - self._run_s(self._stage.began_s, time.monotonic())
        if left_s <= 0.0 and self._stage.waited_s is not None:
            waited = max(0.0, waited_s(self._stage.process) - self._stage.waited_s)
            left_s += min(waited, _MOST_WAITED * self._stage.timeout_s)
        return max(0.0, left_s)

    def spent_s(self) -> float:
        """For how long it has run since its first stage began, without pauses, whether or not anybody listened."""
        while self._outcome is None and self.connection.poll():
            self._listen(0.0)
        if self._began_s is None:
            return 0.0
        return self._run_s(self._began_s, time.monotonic() if self._ended_s is None else self._ended_s)

    def _run_s(self, began_s: float, ended_s: float) -> float:
        """The time between two moments without the pauses, of which the first one may be older than some."""
        paused_s = sum(max(0.0, min(end_s, ended_s) - max(at_s, began_s)) for at_s, end_s in self._pauses)
        return max(0.0, ended_s - began_s - paused_s)

    def cancel(self) -> None:
        """Ends the process if nobody knows yet what came of the job."""
        if self._outcome is None:
            self.worker.recycle()

    def _listen(self, seconds: float) -> None:
        """Waits for one message, but no longer than this or than the job's limit."""
        if not self.connection.poll(min(seconds, self.remaining_s(), LONGEST_WAIT_S)):
            if self.remaining_s() == 0.0:
                self._ended_s = time.monotonic()
                self._outcome = self._failed("timeout", f"{LATE} of {self._stage.timeout_s:g} s")
                self.worker.recycle()
            return
        try:
            message = self.connection.recv()
        except (EOFError, OSError):  # it is gone, maybe in the middle of a message
            self._ended_s = time.monotonic()
            self._outcome = self._failed(*self._death(self._group.leader.wait()))
            self.worker.recycle()
            return
        match message:
            case Stage():
                self._stage = message
                self._began_s = message.began_s if self._began_s is None else self._began_s
            case Died(code=code):
                self._ended_s = time.monotonic()
                self._outcome = self._failed(*self._death(code))
            case _:
                self._ended_s = message.ended_s
                self._outcome = message

    def _death(self, code: int) -> tuple[FailureKind, str]:
        """What an exit status says, together with the log."""
        if code == -signal.SIGKILL:
            return "memory", KILLED
        if -code in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            return "crash", f"{ENDED} ({signal.Signals(-code).name})"
        log = self.worker.log()
        if "bad_alloc" in log or "out of memory" in log.lower() or "MemoryError" in log:
            return "memory", f"exceeded its memory limit of {self.worker.memory_bytes / 2**20:.0f} MiB"
        reason = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        lines = log.strip().splitlines()
        return "crash", f"the process died ({reason})" + (f": {lines[-1]}" if lines else "")

    def _failed(self, kind: FailureKind, message: str) -> JobFailed:
        return JobFailed(Failure(stage=self._stage.name, kind=kind, message=message, log=self.worker.log()))
