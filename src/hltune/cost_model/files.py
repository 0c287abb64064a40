"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hltune.errors import InputError


def write_bytes(path: Path, data: bytes) -> None:
    """Replaces a file in one step; it is on the disk when this returns.

    Raises:
        InputError: the place cannot be written to.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise InputError(
            "cannot write here", where=str(path), found=error.strerror, todo="choose another place or make room"
        ) from None
