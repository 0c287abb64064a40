"""Opening the store's file, and SQLite's errors in words that people can act on."""

import contextlib
import os
import re
import sqlite3
import zlib
from collections.abc import Generator
from pathlib import Path

from hltune.samples.migration import migrate
from hltune.samples.schema import APPLICATION_ID, SCHEMA, VERSION
from hltune.values.errors import InputError

BUSY_TIMEOUT_S = 10.0


def create(path: Path) -> None:
    """Makes an empty store, whole or not at all; the caller holds the writer's lock.

    Raises:
        InputError: the place cannot be written to, or holds the log of a store that was moved away.
    """
    if _has_log(path):
        raise InputError(
            "the log of a store is here without its store",
            where=str(wal(path)),
            expected=f"{path.name} beside it",
            todo="put the store back, or move this file away as well",
        )
    part = path.with_name(f"{path.name}.new")
    for file in (part, wal(part)):
        file.unlink(missing_ok=True)
    with translated(part), contextlib.closing(sqlite3.connect(part, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; {SCHEMA} COMMIT;"
        )
    part.replace(path)


def connect(path: Path, *, writing: bool) -> sqlite3.Connection:
    """Opens a store and checks that it is one.

    Raises:
        InputError: it is damaged, of a newer version, of another program, or cannot be read.
    """
    with decoding(path):
        connection = _open(path, writing=writing)
        with contextlib.ExitStack() as undo:
            undo.callback(connection.close)
            if _version(connection, path) < VERSION:
                connection = _migrated(connection, path, writing=writing)
            if _schema(connection) != _expected_schema():
                raise damaged(path, f"another schema under version {VERSION}")
            connection.execute("PRAGMA foreign_keys = ON")
            # A commit waits for the disk: what was reported as added survives even a power failure.
            connection.execute("PRAGMA synchronous = FULL")
            undo.pop_all()
    return connection


def check_store(path: Path) -> None:
    """Raises what `check_exists` and `connect` do, as far as it shows without bringing an older store up to date."""
    check_exists(path)
    file = path.resolve()
    with decoding(file), contextlib.closing(_open(file, writing=False)) as connection:
        _version(connection, file)


def check_exists(path: Path) -> None:
    """Raises an `InputError` if there is no store."""
    if not path.exists():
        raise InputError(
            "there are no samples here",
            where=str(path),
            expected="a sample store",
            todo="tune or import first, or give another --workspace",
        )


def _open(path: Path, *, writing: bool) -> sqlite3.Connection:
    mode = "rw" if writing else "ro"
    if not writing and not os.access(path.parent, os.W_OK) and not _has_log(path):
        mode = "ro&immutable=1"  # without it SQLite wants to create a log
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S)


def wal(path: Path) -> Path:
    """SQLite's write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")


def _has_log(path: Path) -> bool:
    log = wal(path)
    return log.exists() and log.stat().st_size > 0


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Version of the schema, of a file that is a store."""
    if not path.stat().st_size:
        raise damaged(path, "an empty file")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise damaged(path, f"an SQLite database with application id {application:#x}, not {APPLICATION_ID:#x}")
    if version > VERSION:
        raise InputError(
            "this store was written by a newer hltune",
            where=str(path),
            expected=f"schema version {VERSION}",
            found=f"schema version {version}",
            todo="use the newer hltune, or another --workspace",
        )
    if version < 1:
        raise damaged(path, f"another schema under version {version}")
    _check_length(connection, path)
    return version


def _migrated(connection: sqlite3.Connection, path: Path, *, writing: bool) -> sqlite3.Connection:
    """The same store in the present schema: changed in place by the one who may write, in a copy by all others."""
    if writing:
        migrate(connection)
        return connection
    try:
        with contextlib.closing(connection) as old:
            connection = sqlite3.connect(":memory:", isolation_level=None)
            old.backup(connection)
        migrate(connection)
    except MemoryError:
        raise InputError(
            "no memory for a copy of this store, which an earlier version of hltune wrote",
            where=str(path),
            todo="`hltune tune`, `samples featurize` or `samples delete`, which write, bring it up to date in place",
        ) from None
    return connection


def _check_length(connection: sqlite3.Connection, path: Path) -> None:
    """SQLite itself does not miss a part of the last page."""
    if _has_log(path):
        return  # a part of the pages is still in the log
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    found = path.stat().st_size
    if found < pages * page_bytes:
        raise damaged(path, f"{found} bytes, {pages * page_bytes - found} less than there were")


def _expected_schema() -> set[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        return _schema(connection)


def _schema(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
    # A migrated table has other white space than a new one.
    return {(name, re.sub(r"\s+", "", sql)) for name, sql in rows}


def damaged(path: Path, found: str) -> InputError:
    """The error of a store whose content is not to be trusted."""
    return InputError(
        "the sample store is damaged",
        where=str(path),
        expected=f"a sample store of hltune, schema version {VERSION}",
        found=found,
        todo=f"move {path.name} and {path.name}-wal away, and a new store is made; "
        "`sqlite3 FILE .recover` may save samples from the old one",
    )


@contextlib.contextmanager
def translated(path: Path) -> Generator[None]:
    """Turns SQLite's errors about the file into errors for people; errors of ours pass.

    Raises:
        InputError: the file is damaged, or the disk is full, read-only or failing.
    """
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.Error as error:
        raise _in_words(path, error) from error


@contextlib.contextmanager
def decoding(path: Path) -> Generator[None]:
    """Around code that only decodes what SQLite returned: what does not decode was damaged.

    Raises:
        InputError: the file is damaged, or cannot be read.
    """
    try:
        with translated(path):
            yield
    except (ValueError, TypeError, KeyError, OverflowError, zlib.error) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error
    except InputError as error:
        if error.where == str(path):
            raise
        raise damaged(path, str(error)) from error


def _in_words(path: Path, error: sqlite3.Error) -> InputError:
    name: str = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT")  # without one: text that is no UTF-8
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return InputError(
            "cannot write: the disk is full or failing; all samples reported before are kept",
            where=str(path),
            found=f"{error} ({name})",
            todo="make room, then run the same command again, but `tune` without --fresh and --discard",
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return InputError(
            "cannot open or write here",
            where=str(path),
            found=f"{error} ({name})",
            todo="choose another --workspace or change its permissions",
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return InputError(
            "another program holds the sample store",
            where=str(path),
            found=f"still locked after {BUSY_TIMEOUT_S:g} s",
            todo="close it, for example an sqlite3 shell",
        )
    return damaged(path, f"{error} ({name})")
