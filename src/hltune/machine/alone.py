"""Who times on this computer: one process of hltune's at a time, for two would only measure each other."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import platform
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def computer() -> str:
    """Equal for all processes that run on this computer, in whichever container."""
    return (_BOOT.read_text().strip() if _BOOT.exists() else "") or platform.node()


@contextlib.contextmanager
def alone(name: str | None = None) -> Generator[bool]:
    """True if nobody else measures on this computer meanwhile, whatever user or cluster he belongs to.

    Args:
        name: what `computer` says of it.
    """
    try:
        file = _lock_file(lock_path(name or computer()))
    except OSError:  # of a user who lets nobody read it, and may be measuring; or nobody can write there
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        except OSError as error:  # a file system without locks: nobody can tell, but of a file that is not ours to lock
            yield error.errno != errno.EBADF
        else:
            yield True


def lock_path(name: str) -> Path:
    """The file by which processes know one another, if they have the same folder for temporary files."""
    return Path(tempfile.gettempdir(), f"hltune-{name}.lock")


def _lock_file(path: Path) -> IO[str]:
    """The file, which any user may have made: if only for reading, that is enough for locks, but for those of NFS."""
    with contextlib.suppress(FileNotFoundError):
        try:
            return path.open("r+")
        except PermissionError:
            return path.open()
    file = path.open("a")
    path.chmod(0o644)
    return file
