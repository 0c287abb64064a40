"""What runs on a computer of a cluster, without a cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hltune.cluster.node import Node, result_of
from hltune.cluster.parcel import pack
from hltune.runtime.worker import Process
from hltune.values.directives import Schedule
from hltune.values.errors import InputError, JobFailed
from tests.cluster.made_up import MadeUpOpener


@dataclass(frozen=True)
class Read:
    file: Path

    def run(self, process: Process) -> str:
        process.enter("read", timeout_s=60)
        return self.file.read_text()


@dataclass(frozen=True)
class Sleep:
    def run(self, process: Process) -> None:
        process.enter("sleep", timeout_s=600)
        time.sleep(600)


@dataclass(frozen=True)
class Refuse:
    def run(self, process: Process) -> None:
        process.enter("refuse", timeout_s=60)
        raise InputError("no", where="here")


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    node = Node(MadeUpOpener(cores=2))
    yield node
    node.end()


def test_a_job_finds_its_files(node: Node, tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_text("hello")
    parcel = pack(Read(tmp_path / "said.txt"))
    for digest, path in parcel.files.items():
        node.keep(digest, path.name, path.read_bytes())
    (tmp_path / "said.txt").unlink()
    assert result_of(node.run(0, parcel.data)) == "hello"


def test_errors_of_a_job_are_raised_where_it_came_from(node: Node) -> None:
    with pytest.raises(InputError, match="here: no"):
        result_of(node.run(1, pack(Refuse()).data))


def test_a_job_that_nobody_waits_for_ends(node: Node) -> None:
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(node.run(1, pack(Sleep()).data)))
    thread.start()
    while not outcomes:
        time.sleep(0.1)
        node.kill(1)
        thread.join(0.1)
    with pytest.raises(JobFailed, match="died"):
        result_of(outcomes[0])
    with pytest.raises(InputError):  # the slot is of use again
        result_of(node.run(1, pack(Refuse()).data))


def test_measurements_come_as_they_are_made(node: Node) -> None:
    assert result_of(node.open("one", pack({"spec": None}).data)) is None
    schedules = [(f"{number}", Schedule(base=f"{number:x}")) for number in range(5)]
    node.begin("one", None)
    node.feed("one", schedules[:3], last=False)
    found = []
    while len(found) < 3:
        measured, end = node.take("one")
        found += measured
        assert end is None
    node.feed("one", schedules[3:], last=True)
    end = None
    while end is None:
        measured, end = node.take("one")
        found += measured
    assert end == (True, None) and [key for key, _ in found] == [key for key, _ in schedules]
    assert result_of(node.call("one", "side_by_side", pack(((), {})).data)) is False
    node.close("one")
