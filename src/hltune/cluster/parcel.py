"""Values on their way to another computer, with the files that they name."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A pickled value.

    Attributes:
        files: those that it names, by their digests: they go to each computer once.
    """

    data: bytes
    files: Mapping[str, Path]


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.files: dict[str, Path] = {}

    def persistent_id(self, obj: Any) -> tuple[str, str, str] | None:
        if not isinstance(obj, Path) or not obj.is_file():
            return None
        digest = hashlib.sha256(obj.read_bytes()).hexdigest()
        self.files[digest] = obj
        return _FILE, digest, obj.name


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder

    def persistent_load(self, pid: Any) -> Path:
        _, digest, name = pid
        return place_of(self._folder, digest) / name


def pack(value: object) -> Parcel:
    """For `unpack`, elsewhere; an OSError if a file cannot be read."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(value)
    return Parcel(data=buffer.getvalue(), files=pickler.files)


def unpack(data: bytes, folder: Path) -> Any:
    """The value, with paths of files that lie in a folder of this computer."""
    return _Unpickler(io.BytesIO(data), folder).load()


def place_of(folder: Path, digest: str) -> Path:
    """Where a file of this digest lies, under its own name, for its suffix says what is in it."""
    return folder / digest
