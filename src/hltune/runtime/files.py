"""Files that are written whole or not at all, numbered ones, and folders that end with their process."""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from hltune.values.errors import InputError


def write_bytes(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Replaces a file in one step, and makes the folders above it.

    What is durable is on the disk when this returns, and survives a power failure.

    Raises:
        InputError: the place cannot be written to.
    """
    part = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise cannot_write(path, error) from None


def part_of(path: Path) -> Path:
    """Where a file is written before it replaces this one; no other process has the same, in whatever container."""
    return path.with_name(f".{path.name}.{os.urandom(4).hex()}")


def numbered(directory: Path, pattern: str) -> dict[int, Path]:
    """The files of a folder whose whole names match, by the number that the pattern's group is."""
    found = ((re.fullmatch(pattern, path.name), path) for path in directory.glob("*"))
    return {int(match[1]): path for match, path in found if match}


def newest(files: Mapping[int, Path]) -> Path | None:
    """The one with the largest number, or None."""
    return files[max(files)] if files else None


def check_writable(directory: Path) -> None:
    """Raises an `InputError` early if no file can be made in a directory, before hours of work end in one."""
    try:
        taken = next((each for each in (directory, *directory.parents) if each.exists()), directory)
        if taken.is_file():
            todo = "choose another place, or remove the file"
            raise InputError(
                "cannot write here", where=str(directory), expected="a folder", found=f"a file, {taken}", todo=todo
            )
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise cannot_write(directory, error) from None


def check_file(path: Path) -> None:
    """Raises an `InputError` early if a file cannot be written, or is a folder."""
    if path.is_dir():
        raise InputError("this is a folder", where=str(path), expected="a file to write", todo="name a file in it")
    check_writable(path.absolute().parent)


def cannot_write(path: Path, error: OSError) -> InputError:
    """The error of a place that cannot be written to."""
    return InputError(
        "cannot write here", where=str(path), found=error.strerror, todo="choose another place or make room"
    )


SCRATCH, _LOCK = "hltune-scratch-", ".lock"
"""With what the names of our temporary folders begin, and the file in them whose lock says that somebody uses one."""
_RANDOM_CHARACTERS = 8
"""At the end of a temporary folder's name: others may have named theirs alike."""


class ScratchFolder(tempfile.TemporaryDirectory[str]):
    """A temporary folder; what killed processes have left of theirs in the same place is removed first.

    A lock, which the kernel releases however a process ends, says that a folder is in use.

    Args:
        place: the folder that it is made in; the usual one for temporary files unless given.
    """

    def __init__(self, place: Path | None = None) -> None:
        prefix = SCRATCH if place is None else f".{SCRATCH}"
        _sweep(Path(tempfile.gettempdir()) if place is None else place, prefix)
        super().__init__(prefix=prefix, dir=place, ignore_cleanup_errors=True)
        made = Path(self.name, "made")
        self._lock = made.open("w")
        with contextlib.suppress(OSError):  # a file system without locks, where nobody can sweep either
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        made.rename(made.with_name(_LOCK))  # nobody finds it before it is locked

    def empty(self) -> None:
        """Removes all that is in it; if others have removed it, it is there again."""
        Path(self.name).mkdir(mode=0o700, exist_ok=True)
        for path in Path(self.name).iterdir():
            if path.name == _LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def cleanup(self) -> None:
        """See `tempfile.TemporaryDirectory`."""
        super().cleanup()
        self._lock.close()


def move_into(folder: Path, files: Iterable[Path]) -> tuple[Path, ...]:
    """Moves files into a folder, from other file systems as well; they appear there, one by one, when all are whole.

    Raises:
        OSError: the folder cannot be written to.
    """
    with ScratchFolder(folder) as near:
        whole = [Path(shutil.move(file, near)) for file in files]
        return tuple(file.replace(folder / file.name) for file in whole)


def _sweep(place: Path, prefix: str) -> None:
    ours = f"{prefix}{'[a-z0-9_]' * _RANDOM_CHARACTERS}"
    for lock in place.glob(f"{ours}/{_LOCK}"):
        with contextlib.suppress(OSError), lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
