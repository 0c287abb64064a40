"""Processes that are killed, and processes that meet."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hltune.runtime.progress import Silent
from hltune.samples.reader import Reader
from hltune.samples.writer import Store
from hltune.values.errors import InputError
from tests.samples import stored
from tests.samples.values import MACHINE, PIPELINE, sample

ROOT = Path(__file__).parents[2]
KILLS = 20


class Notes(Silent):
    """Remembers notes, and does something when there is one."""

    def __init__(self, do: Callable[[], None]) -> None:
        self.notes: list[str] = []
        self._do = do

    def note(self, text: str) -> None:
        self.notes.append(text)
        self._do()


@contextlib.contextmanager
def writer(path: Path, first: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.samples.writer", str(path), str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.long
def test_kill_9_loses_nothing_that_was_reported(path: Path) -> None:
    rng = random.Random(0)
    reported: list[int] = []
    kills = 0
    while kills < KILLS or len(reported) <= 3 * KILLS:  # a slow disk makes it take longer
        kills += 1
        assert kills <= 10 * KILLS
        started = len(reported)
        with writer(path, started) as process:
            assert process.stdout is not None
            reported.append(int(process.stdout.readline()))  # else the kill would hit the start of Python only
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
            reported += [int(line) for line in process.stdout.read().split("\n")[:-1]]
        with Store(path, progress=Silent(), wait_s=0) as store:
            seen = store.costs(PIPELINE.hash, MACHINE.key)
            missing = [number for number in reported if sample(number).schedule_hash not in seen]
            assert not missing
            # What was in flight may be there as well; the next process adds it again without harm.
            assert store.count() - len(reported) in (0, 1)
            assert len(stored.samples(store, PIPELINE.hash, MACHINE.key)) == store.count()
            store.add(sample(len(reported)))
            reported.append(len(reported))
    assert reported == list(range(len(reported)))


def test_kill_9_while_the_store_is_made(path: Path) -> None:
    for delay_s in (0.1, 0.15, 0.2, 0.25, 0.3):
        with writer(path, 0) as process:
            time.sleep(delay_s)
            process.send_signal(signal.SIGKILL)
        with Store(path, progress=Silent(), wait_s=0) as store:
            store.count()
        for file in path.parent.iterdir():
            file.unlink()


def test_the_second_writer_is_told_who_holds_the_store(path: Path) -> None:
    with writer(path, 0) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InputError, match=f"another run writes to this workspace(.|\n)*process {process.pid}"):
            Store(path, progress=Silent(), wait_s=0)
        with Reader(path) as reader:
            assert reader.count() >= 1


def test_the_second_writer_waits(path: Path) -> None:
    with writer(path, 0) as process:
        notes = Notes(process.kill)
        assert process.stdout is not None
        process.stdout.readline()
        with Store(path, progress=notes, wait_s=30) as store:
            assert store.count() >= 1
    assert notes.notes == [f"waiting for process {process.pid}, which writes to {path.parent}"]


def test_closing_lets_the_next_one_in(path: Path) -> None:
    for _ in range(2):
        store = Store(path, progress=Silent(), wait_s=0)
        store.close()
        store.close()


def test_a_file_system_without_locks_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    said = rf"{path.name}.lock: files here cannot be locked(.|\n)*--workspace on a local"
    with pytest.raises(InputError, match=said):
        Store(path, progress=Silent(), wait_s=0)
