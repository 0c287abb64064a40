"""The processes of a worker, which end together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

_DYING_S = 0.5
"""How long the end of killed processes is waited for, so that none of them still makes a file."""
_ENDED = frozenset("ZX")
"""States of processes that have ended; see proc(5)."""


@dataclass(frozen=True, slots=True)
class Group:
    """A fresh interpreter that runs jobs and leads a process group, and all that it starts."""

    connection: Connection
    leader: subprocess.Popen[bytes]

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to all processes; the group may outlive its leader by a compiler that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.leader.pid, number)

    def end(self) -> None:
        """Kills all, and waits a moment for their end."""
        self.connection.close()
        self.signal(signal.SIGKILL)
        self.leader.wait()
        end_s = time.monotonic() + _DYING_S
        while self._is_left() and time.monotonic() < end_s:
            time.sleep(0.002)

    def _is_left(self) -> bool:
        """Whether processes that the leader started still run; as long as one is there, nobody else has its number."""
        try:
            os.killpg(self.leader.pid, 0)
        except OSError:
            return False
        return _runs_one_of(self.leader.pid)


def _runs_one_of(group: int) -> bool:
    """Whether a process of a group runs; what has ended may be listed for ever, where nobody asks for its status."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, _, its_group, *_ = file.read_text(errors="replace").rpartition(")")[2].split()
            if int(its_group) == group and state not in _ENDED:
                return True
    return False
