"""Process life only: spawn, run a job, enforce limits, kill the group, respawn.

A job is any picklable value with a ``run(process)`` method. It runs in a fresh interpreter that leads its own process
group, so that a crash, a hang or a compiler that it started never outlives or harms the caller.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import math
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from hltune.values.errors import Failure, FailureKind, HltuneError, JobFailed

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
K = TypeVar("K")

_LOG_TAIL_BYTES = 4000
_START_S = 60.0
"""From the start of a job to its first stage: time to spawn, to import and to read the job."""
_MEMORY_SHARE = 0.8
_PR_SET_PDEATHSIG = 1
_HUNG_UP = 93
"""Exit status of a fork that got no job."""
_SAME_ADDRESSES = ("setarch", "-R")
"""Of util-linux, which every Linux has."""
_KEPT_VARIABLES = ("PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR", "XDG_CACHE_HOME")


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
        self._connection.send(_Stage(stage, timeout_s, time.monotonic()))

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
    began_s: float
    """By the monotonic clock, which all processes of a machine share: a limit runs whether or not anybody listens."""


@dataclass(frozen=True, slots=True)
class _Done:
    result: Any


@dataclass(frozen=True, slots=True)
class _Raised:
    """An exception that left the job: ours as it is, others as text."""

    ours: HltuneError | None
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class _Died:
    """A fork died; exit status, or the signal's negative number."""

    code: int


class Worker:
    """One process that runs one job at a time; replaced when it fails.

    Not thread-safe. Use it as a context manager: leaving ends the process and all that it started.

    Args:
        environment: variables set in the process before anything is imported.
        preload: modules imported at start, while the caller does something else.
        memory_bytes: limit on the memory that the process allocates; most of the machine's, unless told otherwise.
        recycle_after: jobs that one process runs; the next one gets a new process, with all memory given back.
        reproducible: every job finds memory laid out in the same way, byte for byte: each runs in a fork of a process
            that has done nothing but import `preload`, with a fixed hash seed, a bare environment and without
            randomised addresses. Compilers keep sets ordered by address, and emit code in that order.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        preload: tuple[str, ...] = (),
        memory_bytes: int | None = None,
        recycle_after: int | None = None,
        reproducible: bool = False,
    ) -> None:
        self._recycle_after = recycle_after
        self._reproducible = reproducible
        self._jobs = 0
        self._environment = dict(environment or {})
        self._preload = preload
        self._memory_bytes = memory_bytes or memory_share_bytes(1)
        # Without a name, so that not even a killed parent leaves it behind.
        self._log = tempfile.TemporaryFile(prefix="hltune-")  # noqa: SIM115 - closed by `close`
        self._job = tempfile.TemporaryFile(prefix="hltune-")  # noqa: SIM115 - closed by `close`
        self._popen: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._stage = _Stage("start", _START_S, 0.0)
        self._pauses: list[tuple[float, float]] = []
        self._log_start = 0
        self._outcome: _Done | _Raised | JobFailed | None = None
        self._spawn()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, job: Job[R]) -> R:
        """Runs a job to its end.

        Raises:
            JobFailed: it raised, crashed or took too long; the worker is usable again.
            HltuneError: whatever error of ours the job raised.
        """
        self.start(job)
        return self.finish(job)

    def start(self, job: Job[Any]) -> None:
        """Hands over a job and returns; `finish` gets its result. The job itself says how long its stages may take."""
        if self._popen is None or self._popen.poll() is not None or self._jobs == self._recycle_after:
            self._spawn()
        self._jobs += 1
        assert self._connection is not None
        self._outcome = None
        self._stage = _Stage("start", _START_S, time.monotonic())
        self._pauses = []
        self._log_start = self._log_size()
        pickled = _pickled(job)
        os.pwrite(self._job.fileno(), pickled, 0)
        # A process that died since the check is reported by `finish`, with its log.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(len(pickled))

    def finish(self, job: Job[R]) -> R:  # noqa: ARG002 - carries the result's type
        """Waits for the job given to `start`; raises what `run` raises."""
        while self._outcome is None:
            self._listen(self._remaining_s())
        match self._outcome:
            case JobFailed() as failed:
                raise failed
            case _Raised(ours=HltuneError() as ours):
                raise ours
            case _Raised(kind=kind, message=message):
                raise JobFailed(self._failure("memory" if kind == "MemoryError" else "error", message))
            case _Done(result=result):
                return result

    def _listen(self, seconds: float) -> None:
        """Waits for one message, but no longer than this or than the job's limit."""
        assert self._connection is not None
        if not self._connection.poll(min(seconds, self._remaining_s())):
            if self._remaining_s() == 0.0:
                limit = self._stage.timeout_s
                self._outcome = self._fail("timeout", f"took longer than its limit of {limit:g} s")
            return
        try:
            message = self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._outcome = self._fail_dead()
            return
        match message:
            case _Stage():
                self._stage = message
            case _Died(code=code):
                self._outcome = JobFailed(self._failure(*self._death(code)))
            case _:
                self._outcome = message

    def _remaining_s(self) -> float:
        began_s = self._stage.began_s
        # The message that a stage begins may be older than a pause and read after it.
        paused_s = sum(max(0.0, end_s - max(at_s, began_s)) for at_s, end_s in self._pauses)
        return max(0.0, began_s + paused_s + self._stage.timeout_s - time.monotonic())

    def log(self) -> str:
        """The last lines that the process printed during the present or last job."""
        begin = max(self._log_start, self._log_size() - _LOG_TAIL_BYTES)
        return os.pread(self._log.fileno(), _LOG_TAIL_BYTES, begin).decode(errors="replace")

    def _log_size(self) -> int:
        return os.fstat(self._log.fileno()).st_size

    def recycle(self) -> None:
        """Ends the process and all that it remembers; the next job gets a new one."""
        self._kill()

    def close(self) -> None:
        """Ends the process and everything that it started."""
        self._kill()
        self._log.close()
        self._job.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._popen is not None:
            # The group may outlive its leader: a compiler that it started.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)

    def _spawn(self) -> None:
        self._kill()
        self._jobs = 0
        self._log.seek(0)
        self._log.truncate()
        self._connection, theirs = Pipe()
        with theirs:
            fd = theirs.fileno()
            options = pickle.dumps((self._preload, self._memory_bytes, os.getpid(), self._reproducible))
            # -P: a numpy.py in the user's folder must not stand in for the real one.
            # Zeros: of the same length whatever the numbers, for arguments take room in memory.
            files = [f"{number:08}" for number in (fd, self._job.fileno())]
            command = [sys.executable, "-P", "-m", "hltune.runtime.worker", *files, options.hex().zfill(2000)]
            self._popen = subprocess.Popen(
                [*_SAME_ADDRESSES, *command] if self._reproducible else command,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env={**(_bare_environment() if self._reproducible else os.environ), **self._environment},
                pass_fds=[fd, self._job.fileno()],
                start_new_session=True,
            )

    def _kill(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._popen is not None:
            self._signal(signal.SIGKILL)
            self._popen.wait()
            self._popen = None

    def _fail_dead(self) -> JobFailed:
        assert self._popen is not None
        return self._fail(*self._death(self._popen.wait()))

    def _death(self, code: int) -> tuple[FailureKind, str]:
        """What an exit status says, together with the log."""
        log = self.log()
        if "bad_alloc" in log or "out of memory" in log.lower() or "MemoryError" in log:
            return "memory", f"exceeded its memory limit of {self._memory_bytes / 2**20:.0f} MiB"
        reason = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        lines = log.strip().splitlines()
        return "crash", f"the process died ({reason})" + (f": {lines[-1]}" if lines else "")

    def _fail(self, kind: FailureKind, message: str) -> JobFailed:
        failure = self._failure(kind, message)
        self._kill()
        return JobFailed(failure)

    def _failure(self, kind: FailureKind, message: str) -> Failure:
        return Failure(stage=self._stage.name, kind=kind, message=message, log=self.log())

    @staticmethod
    @contextlib.contextmanager
    def paused(workers: Sequence[Worker]) -> Generator[None]:
        """Stops processes while the context lasts, so that they do not disturb a timing; their limits stop as well."""
        began_s = time.monotonic()
        try:
            for worker in workers:
                worker._signal(signal.SIGSTOP)
            yield
        finally:
            for worker in workers:
                worker._signal(signal.SIGCONT)
                worker._pauses.append((began_s, time.monotonic()))

    @staticmethod
    def wait_any(workers: Sequence[Worker]) -> Worker:
        """Waits until one of these has finished its job or exceeded its limit; its `finish` then returns at once."""
        while True:
            for worker in workers:
                if worker._outcome is None:
                    worker._listen(0.0)
                if worker._outcome is not None:
                    return worker
            connections = [worker._connection for worker in workers if worker._connection is not None]
            wait(connections, timeout=min(worker._remaining_s() for worker in workers))


def run_each(jobs: Iterable[tuple[K, Job[R]]], workers: Sequence[Worker]) -> Generator[tuple[K, R | Failure]]:
    """Runs jobs side by side, each on the next worker that is free, and yields results by their keys as they are done.

    Jobs are asked for when a worker is free. Whoever leaves early leaves no worker busy.

    Raises:
        HltuneError: whatever error of ours a job raised.
    """
    waiting = iter(jobs)
    busy: dict[Worker, tuple[K, Job[R]]] = {}

    def start_next(worker: Worker) -> None:
        following = next(waiting, None)
        if following is not None:
            worker.start(following[1])
            busy[worker] = following

    try:
        for worker in workers:
            start_next(worker)
        while busy:
            worker = Worker.wait_any(list(busy))
            key, job = busy.pop(worker)
            try:
                result: R | Failure = worker.finish(job)
            except JobFailed as failed:
                result = failed.failure
            start_next(worker)
            yield key, result
    finally:
        for worker in busy:
            worker.recycle()


def run_all(jobs: Sequence[Job[R]], workers: Sequence[Worker]) -> list[R | Failure]:
    """`run_each`, with the results of all jobs in the order of the jobs."""
    results = dict(run_each(enumerate(jobs), workers))
    return [results[number] for number in range(len(jobs))]


def physical_memory_bytes() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def memory_share_bytes(processes: int) -> int:
    """Most of this machine's memory, divided among so many processes."""
    return int(physical_memory_bytes() * _MEMORY_SHARE) // processes


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def _bare_environment() -> dict[str, str]:
    """What others set must not move anything in memory, nor may it matter whether modules were compiled before."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    no_bytecode = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": os.devnull}
    return {**kept, **no_bytecode, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}


def _pickled(job: Job[Any]) -> bytes:
    """Equal jobs become equal bytes, and later the same objects in memory, whichever of their parts are one object."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer)
    pickler.fast = True
    pickler.dump(job)
    return buffer.getvalue()


def _main(fd: int, job_file: int, options: str) -> None:
    preload, memory_bytes, parent, reproducible = pickle.loads(bytes.fromhex(options.lstrip("0")))
    _die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    for module in preload:
        importlib.import_module(module)
    connection = Connection(fd)
    if not reproducible:
        _serve(connection, job_file)
    while reproducible:
        _in_fork(connection, job_file)


def _serve(connection: Connection, job_file: int, jobs: float = math.inf) -> None:
    """Runs jobs, at most so many, until the caller hangs up."""
    process = Process(connection)
    while jobs > 0:
        try:
            size = connection.recv()
        except EOFError:
            sys.exit()
        # From a file, for a connection delivers in pieces, each of which takes memory.
        job = pickle.loads(os.pread(job_file, size, 0))
        connection.send(_outcome(job, process))
        jobs -= 1


def _in_fork(connection: Connection, job_file: int) -> None:
    """Runs one job in a fork; if that dies, says so in its place."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _die_with_parent(parent)
        with contextlib.suppress(SystemExit):
            _serve(connection, job_file, jobs=1)
            sys.stdout.flush()
            os._exit(0)
        os._exit(_HUNG_UP)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == _HUNG_UP:
        sys.exit()
    if code:
        _in_silence(lambda: connection.send(_Died(code)))


def _in_silence(action: Callable[[], None]) -> None:
    """In a fork of its own, which leaves no trace in the memory of this process."""
    child = os.fork()
    if child == 0:
        action()
        os._exit(0)
    os.waitpid(child, 0)


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
    from hltune.runtime import worker

    worker._main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])  # pyright: ignore[reportPrivateUsage]
