"""One process at a time writes to a store."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from hltune.runtime.files import cannot_write
from hltune.runtime.progress import Progress
from hltune.values.errors import InputError

_POLL_S = 0.1


def lock_of(store: Path) -> Path:
    """The file beside a store whose lock says who writes to it."""
    file = store.resolve()  # of several links to one store, one process writes to it
    return file.with_name(f"{file.name}.lock")


class WriterLock:
    """Held until closed or until the process ends, however it ends.

    The file names the process that holds the lock, for people; what counts is the kernel's lock on it, which children
    do not inherit unless they are forked without an exec.
    """

    def __init__(self, path: Path, *, wait_s: float, progress: Progress) -> None:
        """Takes the lock, after waiting for another process at most ``wait_s``.

        Raises:
            InputError: another process holds it, or the place cannot be written to.
        """
        self.path = path
        self._file: int | None = None
        while self._file is None or not _is_at(path, self._file):  # else who held it has removed it
            self.close()
            self._file = _open(path)
            with contextlib.ExitStack() as undo:
                undo.callback(self.close)
                _acquire(path, self._file, wait_s, progress)
                undo.pop_all()
        _sign(self._file)

    def remove(self) -> None:
        """Removes the file, if it is still held, where nothing was written after all; `close` comes next."""
        if self._file is not None:
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets the next process write; closing again does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from None


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _acquire(path: Path, file: int, wait_s: float, progress: Progress) -> None:
    deadline = time.monotonic() + wait_s
    waiting = False
    while not _locked(path, file):
        if time.monotonic() >= deadline:
            raise InputError(
                "another run writes to this workspace",
                where=str(path),
                found=_holder(file),
                todo="wait for it to end, or give another --workspace",
            )
        if not waiting:
            progress.note(f"waiting for {_holder(file)}, which writes to {path.parent}")
            waiting = True
        time.sleep(_POLL_S)


def _locked(path: Path, file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise InputError(
            "files here cannot be locked, and two runs could write at once",
            where=str(path),
            found=error.strerror,
            todo="give a --workspace on a local disk",
        ) from None
    return True


def _sign(file: int) -> None:
    # A full disk does not matter here: the lock holds all the same, and the store will tell.
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)


def _holder(file: int) -> str:
    pid = os.pread(file, 20, 0).decode(errors="replace").strip()
    return f"process {pid}" if pid else "a process that did not leave its number"
