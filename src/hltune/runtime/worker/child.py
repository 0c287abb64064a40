"""The process side of a worker: takes jobs from a file, runs them, and says what came of them."""

import contextlib
import ctypes
import errno
import importlib
import math
import os
import pickle
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from hltune.runtime.files import SCRATCH
from hltune.runtime.rlimits import limit
from hltune.runtime.worker.messages import Died, Done, Job, MainThread, Process, Raised
from hltune.values.errors import START, HltuneError, Refused

_PR_SET_PDEATHSIG = 1
_STACK_BYTES = 64 * 2**20
"""Of a thread that jobs run on: a compiler recurses deeply."""
_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
_HUNG_UP = 93
"""Exit status of a fork that got no job."""


class _Caller(NamedTuple):
    """What the caller has given: where it is heard and told, the file of jobs, and a folder for temporary files."""

    connection: Connection
    job_file: int
    scratch: Path


def main(fd: int, job_file: int, options: str) -> None:
    """Runs the jobs in a file until the caller hangs up; the options are pickled, as padded hexadecimal digits."""
    given: tuple[Any, ...] = pickle.loads(bytes.fromhex(options.lstrip("0")))
    preload, memory_bytes, parent, scratch, reproducible, spare_main_thread = given
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit(resource.RLIMIT_DATA, memory_bytes)
    caller = _Caller(Connection(fd), job_file, Path(scratch))
    if spare_main_thread:
        _beside_main_thread(caller, preload)
    for module in preload:
        importlib.import_module(module)
    if not reproducible:
        _serve(caller)
    while reproducible:
        _in_fork(caller)


def _beside_main_thread(caller: _Caller, preload: Sequence[str]) -> NoReturn:
    """Runs all jobs on another thread, from the first import on, so that the main thread's heap stays as it is."""
    main_thread = MainThread()

    def work() -> None:
        try:
            for module in preload:
                importlib.import_module(module)
            _serve(caller, main_thread=main_thread)
        finally:
            main_thread.leave()

    threading.stack_size(_STACK_BYTES)
    threading.Thread(target=work).start()
    main_thread.serve()
    sys.exit()


def _serve(caller: _Caller, jobs: float = math.inf, main_thread: MainThread | None = None) -> None:
    """Runs jobs, at most so many, until the caller hangs up."""
    connection = caller.connection
    process = Process(connection, caller.scratch, _main_thread=main_thread)
    while jobs > 0:
        try:
            size = connection.recv()
        except EOFError:
            sys.exit()
        # From a file, for a connection delivers in pieces, each of which takes memory.
        job = pickle.loads(os.pread(caller.job_file, size, 0))
        process.stage = START
        connection.send(_outcome(job, process))
        jobs -= 1


def _in_fork(caller: _Caller) -> None:
    """Runs one job in a fork; if that dies, says so in its place."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        die_with_parent(parent)
        with contextlib.suppress(SystemExit):
            _serve(caller, jobs=1)
            sys.stdout.flush()
            os._exit(0)
        os._exit(_HUNG_UP)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == _HUNG_UP:
        sys.exit()
    if code:  # said by another fork, which leaves no trace in the memory of this process
        teller = os.fork()
        if teller == 0:
            caller.connection.send(Died(code))
            os._exit(0)
        os.waitpid(teller, 0)


def _outcome(job: Job[Any], process: Process) -> Done | Raised:
    try:
        return Done(job.run(process), time.monotonic())
    except HltuneError as error:
        return Raised(error, type(error).__name__, str(error), time.monotonic())
    except Exception as error:
        traceback.print_exc()
        sys.stderr.flush()
        refused = Refused.by_system(str(error)) if _is_the_systems(error) else None
        return Raised(refused, type(error).__name__, f"{type(error).__name__}: {error}".strip(), time.monotonic())


def _is_the_systems(error: Exception) -> bool:
    """It has no room, memory or files left, or somebody has removed our temporary ones."""
    if not isinstance(error, OSError):
        return False
    gone = error.errno == errno.ENOENT and isinstance(error.filename, str | bytes)
    return error.errno in _REFUSALS or (gone and SCRATCH in os.fsdecode(error.filename))


def die_with_parent(parent: int) -> None:
    """This process ends when its parent does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
