"""Files that only grow: a line of JSON for each value, the newest last."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hltune.runtime.files import cannot_write
from hltune.values.documents import convert
from hltune.values.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def add_line(path: Path, value: "DataclassInstance") -> None:
    """Adds a line; an `InputError` if that cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(asdict(value))}\n")  # whatever a full disk left before it
    except OSError as error:
        raise cannot_write(path, error) from None


def read_lines(path: Path, kind: type[T]) -> Iterator[T]:
    """All values, the oldest first; none if no such file can be read. What a full disk left of a line is skipped."""
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, InputError):
                yield convert(json.loads(line), kind)
