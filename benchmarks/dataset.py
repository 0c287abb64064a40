"""Samples as one small file: ``python -m benchmarks.dataset keep WORKSPACE FILE``, and ``restore FILE WORKSPACE``.

What the ranker in the package has learned from is in ``benchmarks/data/programs.sqlite.xz``, so that it can be made
anew when features change, without hours of measuring; ``hltune pretrain`` with another ``--seed`` adds programs to what
is restored. The file is the store of the workspace without features of lowered programs, which are computed again, and
with its columns uncompressed, so that xz finds what rows have in common.
"""

from __future__ import annotations

import contextlib
import lzma
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from hltune.samples import database
from hltune.values.errors import InputError
from hltune.workspace.records import Workspace

_COMPRESSED = (("schedules", "directives"), ("features", "data"), ("samples", "schedule_features"))


def main() -> None:
    match sys.argv[1:]:
        case ["keep", workspace, file]:
            keep(Workspace(Path(workspace)), Path(file))
        case ["restore", file, workspace]:
            restore(Path(file), Workspace(Path(workspace)))
        case _:
            raise SystemExit(__doc__)


def keep(workspace: Workspace, file: Path) -> None:
    """Writes the samples of a workspace."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "samples.sqlite")
        with contextlib.closing(database.connect(workspace.samples, writing=False)) as store:
            store.execute("VACUUM INTO ?", (str(copy),))
        convert(copy, zlib.decompress, "DELETE FROM programs")
        file.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("rb") as plain, lzma.open(file, "wb", preset=9 | lzma.PRESET_EXTREME) as packed:
            shutil.copyfileobj(plain, packed)


def restore(file: Path, workspace: Workspace) -> None:
    """Makes a new workspace with these samples.

    Raises:
        InputError: it has samples already.
    """
    if workspace.samples.exists():
        raise InputError("there are samples already", where=str(workspace.samples), todo="name a new workspace")
    workspace.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workspace.root) as folder:
        copy = Path(folder, "samples.sqlite")
        with lzma.open(file) as packed, copy.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        convert(copy, zlib.compress)
        copy.rename(workspace.samples)


def convert(path: Path, column: Callable[[bytes], bytes], *statements: str) -> None:
    """Compresses or decompresses the columns of a store that are kept so."""
    with contextlib.closing(database.connect(path, writing=True)) as store:
        store.create_function("converted", 1, lambda data: None if data is None else column(data))
        for statement in statements:
            store.execute(statement)
        for table, name in _COMPRESSED:
            store.execute(f"UPDATE {table} SET {name} = converted({name})")
        store.execute("VACUUM")


if __name__ == "__main__":
    main()
