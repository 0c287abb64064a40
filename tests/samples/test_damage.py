"""A store that cannot be used gets one clear message and stays as it is."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hltune.runtime.progress import Silent
from hltune.samples import database
from hltune.samples.database import check_store
from hltune.samples.reader import Reader
from hltune.samples.schema import VERSION
from hltune.samples.writer import Store
from hltune.values.cost import Cost
from hltune.values.errors import InputError
from tests.samples import stored
from tests.samples.values import MACHINE, PIPELINE, sample

FORMER = replace(MACHINE, conditions="")
KEYS = (PIPELINE.hash, MACHINE.key)
FLIPS = 60


@pytest.fixture
def good(path: Path) -> Path:
    """A closed store with 100 samples."""
    with Store(path, progress=Silent(), wait_s=0) as store:
        store.add_pipeline(PIPELINE)
        store.add_all([sample(number) for number in range(100)])
    return path


def use(path: Path) -> None:
    """Everything that can be done with a store."""
    with Store(path, progress=Silent(), wait_s=0) as store:
        read(store)
        store.add_pipeline(PIPELINE)
        store.add(sample(1000))
        store.delete(PIPELINE.hash)


def read(reader: Reader) -> None:
    for key in reader.pipelines():
        stored.pipeline(reader, key)
    stored.machines(reader)
    reader.statistics()
    reader.costs(*KEYS)
    reader.best(*KEYS, 1000)
    list(reader.training_data(*KEYS))
    stored.samples(reader, *KEYS)


def refused(path: Path, *texts: str) -> None:
    """Opening is refused, whatever for, and changes nothing."""
    before = path.read_bytes()
    for opened in (lambda: Reader(path), lambda: Store(path, progress=Silent(), wait_s=0)):
        with pytest.raises(InputError) as caught:
            opened()
        message = str(caught.value)
        assert str(path) in message and "to do" in message
        for text in texts:
            assert text in message
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"x", b"no database\n" * 1000, b"SQLite format 3\0" + b"\0" * 5000])
def test_no_database(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    refused(path, "the sample store is damaged", "move samples.sqlite")


def test_the_database_of_another_program(path: Path) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE samples (id INTEGER PRIMARY KEY)")
    refused(path, "application id 0x0")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99])
def test_truncated(good: Path, share: float) -> None:
    good.write_bytes(good.read_bytes()[: int(good.stat().st_size * share)])
    refused(good, "the sample store is damaged")


def test_another_schema_of_the_same_version(good: Path) -> None:
    with contextlib.closing(sqlite3.connect(good)) as connection:
        connection.execute("ALTER TABLE samples ADD COLUMN colour TEXT")
    refused(good, "another schema")


def test_a_store_of_version_2_is_brought_up_to_date(good: Path) -> None:
    """Its machines had no conditions, and its samples no heap."""
    with contextlib.closing(sqlite3.connect(good)) as connection:
        connection.execute("UPDATE machines SET conditions = '', key = ?", (FORMER.key,))
        for statement in (
            "ALTER TABLE machines DROP COLUMN conditions",
            "ALTER TABLE samples DROP COLUMN heap",
            "DROP TABLE programs",
            "PRAGMA user_version = 2",
        ):
            connection.execute(statement)
        connection.commit()
    with Store(good, progress=Silent(), wait_s=0) as store:
        found = stored.samples(store, PIPELINE.hash, FORMER.key)
        assert [each.machine for each in found] == [FORMER] * 100
        assert all(each.measurement.heap is None for each in found if isinstance(each.measurement, Cost))
        store.add(sample(200))  # today's machine is another one
        assert len(stored.samples(store, PIPELINE.hash, MACHINE.key)) == 1


def test_an_older_store_is_copied_by_who_reads_alone(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is about to write changes it in place, where a copy may not fit into the memory."""

    def full(_: sqlite3.Connection) -> None:
        raise MemoryError

    with contextlib.closing(sqlite3.connect(good)) as connection:
        connection.execute("PRAGMA user_version = 2")
    monkeypatch.setattr(database, "migrate", full)
    check_store(good)
    with pytest.raises(InputError, match=r"no memory for a copy(.|\n)*in place"):
        Reader(good)
    for damage in (b"no store", b""):
        good.write_bytes(damage)
        with pytest.raises(InputError, match="the sample store is damaged"):
            check_store(good)
    good.unlink()
    with pytest.raises(InputError, match="there are no samples here"):
        check_store(good)


def test_a_newer_schema(good: Path) -> None:
    with contextlib.closing(sqlite3.connect(good)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    refused(good, "newer hltune", f"expected: schema version {VERSION}", f"found: schema version {VERSION + 1}")


def test_flipped_bytes_are_an_error_or_do_no_harm(good: Path) -> None:
    content = good.read_bytes()
    rng = random.Random(0)
    errors = 0
    for _ in range(FLIPS):
        damaged = bytearray(content)
        for _ in range(rng.choice([1, 10, 300])):
            damaged[rng.randrange(len(damaged))] ^= rng.randrange(1, 256)
        good.write_bytes(damaged)
        try:
            use(good)
        except InputError as error:
            errors += 1
            assert str(good) in str(error)
        database.wal(good).unlink(missing_ok=True)
    assert errors > FLIPS // 3


def test_a_page_of_junk_is_not_written_over(good: Path) -> None:
    content = bytearray(good.read_bytes())
    content[4096:] = random.Random(0).randbytes(len(content) - 4096)
    good.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        use(good)
    assert good.read_bytes() == content


def test_a_log_without_its_store(good: Path) -> None:
    good.rename(good.with_name("moved"))
    database.wal(good).write_bytes(b"what was not yet in the store")
    with pytest.raises(InputError, match="without its store"):
        Store(good, progress=Silent(), wait_s=0)
    assert database.wal(good).exists() and not good.exists()


def test_another_program_writes(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    with (
        contextlib.closing(sqlite3.connect(good, isolation_level=None)) as shell,
        Store(good, progress=Silent(), wait_s=0) as store,
    ):
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match="another program holds"):
            store.add(sample(1000))


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk(path: Path, good: Path, tmp_path: Path) -> None:
    small = tmp_path / "small" / path.name
    with mounted(small.parent, "size=1m"):
        shutil.copy(good, small)
        added = 0
        with Store(small, progress=Silent(), wait_s=0) as store:
            with pytest.raises(InputError, match="full"):
                while added < 10_000:
                    store.add(sample(1000 + added))
                    added += 1
            assert store.count() == 100 + added
        with Reader(small) as reader:
            assert reader.count() == 100 + added
            read(reader)
        subprocess.run(["mount", "-o", "remount,size=4m", small.parent], check=True)
        with Store(small, progress=Silent(), wait_s=0) as store:
            store.add(sample(1000 + added))
            assert store.count() == 101 + added


def test_no_room_for_a_store(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=32k"):
        with pytest.raises(InputError, match="full"):
            Store(tmp_path / "small" / "samples.sqlite", progress=Silent(), wait_s=0)
        assert not (tmp_path / "small" / "samples.sqlite").exists()


def test_a_read_only_workspace(path: Path, good: Path, tmp_path: Path) -> None:
    fixed = tmp_path / "fixed" / path.name
    with mounted(fixed.parent, "size=4m"):
        shutil.copy(good, fixed)
        with Reader(fixed):
            pass  # leaves an empty log behind
        subprocess.run(["mount", "-o", "remount,ro", fixed.parent], check=True)
        with pytest.raises(InputError, match=r"cannot write here(.|\n)*Read-only"):
            Store(fixed, progress=Silent(), wait_s=0)
        with Reader(fixed) as reader:
            assert reader.count() == 100
            read(reader)
