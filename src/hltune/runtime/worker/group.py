"""A process group: one fresh interpreter that runs jobs, and all that it starts."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Pipe

_SAME_ADDRESSES = ("setarch", "-R")
"""A command of util-linux, which every Linux has."""
_KEPT_VARIABLES = ("PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR", "XDG_CACHE_HOME")


class ProcessGroup:
    """Starts at once; `end` has to be called. See `Worker` for what is not explained here.

    Args:
        log: number of the file that takes all that it prints.
        job: number of the file that it reads jobs from.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        preload: tuple[str, ...],
        memory_bytes: int,
        reproducible: bool,
        log: int,
        job: int,
    ) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            fd = theirs.fileno()
            pickled = pickle.dumps((preload, memory_bytes, os.getpid(), reproducible))
            # -P: a numpy.py in the user's folder must not stand in for the real one.
            # Zeros: of the same length whatever the numbers, for arguments take room in memory.
            files = [f"{number:08}" for number in (fd, job)]
            command = [sys.executable, "-P", "-m", "hltune.runtime.worker.child", *files, pickled.hex().zfill(2000)]
            self._popen = subprocess.Popen(
                [*_SAME_ADDRESSES, *command] if reproducible else command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**(_bare_environment() if reproducible else os.environ), **environment},
                pass_fds=[fd, job],
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """True until the interpreter ends."""
        return self._popen.poll() is None

    def exit_status(self) -> int:
        """Waits for the interpreter to end; its status, or the signal's negative number."""
        return self._popen.wait()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to all processes; the group may outlive its leader by a compiler that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, number)

    def end(self) -> None:
        """Ends all processes."""
        self.connection.close()
        self.signal(signal.SIGKILL)
        self._popen.wait()


def _bare_environment() -> dict[str, str]:
    """What others set must not move anything in memory, nor may it matter whether modules were compiled before."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    no_bytecode = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": os.devnull}
    return {**kept, **no_bytecode, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
