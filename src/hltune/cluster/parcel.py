"""Values on their way between computers: pickled, compressed, and without what the other computer has already.

Files that a value names, and pipelines, which may be large and go along with every job, are parts: they go to each
computer once, and a value names them by their digests.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hltune.values.pipeline import PipelineSpec

_FILE, _VALUE = "file", "value"
_VALUE_NAME = "value.pickle.zlib"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What goes to each computer once.

    Attributes:
        name: of the file that it is there; its suffix may say what is in it.
        content: a file of this computer, or a pickled value.
    """

    name: str
    content: Path | bytes

    def read(self) -> bytes:
        """What that file holds, which is compressed if it is a value; an OSError if it cannot be read."""
        return self.content.read_bytes() if isinstance(self.content, Path) else zlib.compress(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A value for `unpack`.

    Attributes:
        parts: what has to be there first, by digest.
    """

    data: bytes
    parts: Mapping[str, Part]


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.parts: dict[str, Part] = {}

    def persistent_id(self, obj: Any) -> tuple[str, str, str] | None:
        if isinstance(obj, PipelineSpec):
            data = pickle.dumps(obj, protocol=pickle.HIGHEST_PROTOCOL)
            return self._part(_VALUE, data, Part(name=_VALUE_NAME, content=data))
        if isinstance(obj, Path) and obj.is_file():
            return self._part(_FILE, obj.read_bytes(), Part(name=obj.name, content=obj))
        return None

    def _part(self, kind: str, data: bytes, part: Part) -> tuple[str, str, str]:
        digest = hashlib.sha256(part.name.encode() + b"\0" + data).hexdigest()  # it is there by its own name
        self.parts[digest] = part
        return kind, digest, part.name


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder

    def persistent_load(self, pid: Any) -> Any:
        kind, digest, name = pid
        path = place_of(self._folder, digest) / name
        return path if kind == _FILE else decode(path.read_bytes())


def pack(value: object) -> Parcel:
    """For `unpack`, elsewhere; an OSError if a file cannot be read."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(value)
    return Parcel(data=zlib.compress(buffer.getvalue()), parts=pickler.parts)


def unpack(data: bytes, folder: Path) -> Any:
    """The value, whose parts lie in a folder of this computer."""
    return _Unpickler(io.BytesIO(zlib.decompress(data)), folder).load()


def encode(value: object) -> bytes:
    """A value without parts: schedules, and whatever comes back from a node."""
    return zlib.compress(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))


def decode(data: bytes) -> Any:
    """The inverse of `encode`."""
    return pickle.loads(zlib.decompress(data))


def place_of(folder: Path, digest: str) -> Path:
    """The folder of a part, in which it has its own name."""
    return folder / digest
