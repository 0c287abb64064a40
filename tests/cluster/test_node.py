"""What runs on a computer of a cluster, without a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hltune.cluster.node import Node
from hltune.cluster.outcome import result_of
from hltune.cluster.parcel import decode, encode, pack
from hltune.cluster.stream import Taken
from hltune.machine.alone import alone
from hltune.runtime.worker import Job, Process
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import InputError, JobFailed
from hltune.values.pipeline import PipelineSpec
from tests.cluster.made_up import MadeUpOpener

SPEC = PipelineSpec(name="blank", hlpipe=b"", inputs=(), outputs=(), funcs=())


@dataclass(frozen=True)
class Read:
    file: Path
    seconds: float = 0.0

    def run(self, process: Process) -> str:
        process.enter("read", timeout_s=60)
        time.sleep(self.seconds)
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
    for digest, part in parcel.parts.items():
        node.keep(digest, part.name, part.read())
    (tmp_path / "said.txt").unlink()
    assert result_of(decode(node.run(0, 1, parcel.data))) == "hello"


def test_errors_of_a_job_are_raised_where_it_came_from(node: Node) -> None:
    with pytest.raises(InputError, match="here: no"):
        run(node, 1, Refuse())


def test_a_job_that_nobody_waits_for_ends(node: Node) -> None:
    with pytest.raises(JobFailed, match="was killed"):
        result_of(cancelled(node, run_in_thread(node, 3, Sleep()), 3))
    with pytest.raises(InputError):  # the slot is of use again
        run(node, 4, Refuse())


def test_only_the_job_that_nobody_waits_for_ends(node: Node) -> None:
    first = run_in_thread(node, 5, Read(Path(__file__), seconds=1.0))
    while node.status().jobs[1] is None:
        time.sleep(0.01)
    waiting = run_in_thread(node, 6, Sleep())
    with pytest.raises(JobFailed, match="nobody waits"):
        result_of(cancelled(node, waiting, 6))
    assert "def test_only" in result_of(first())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("private", [False, True])
def test_the_lock_of_another_user(private: bool) -> None:
    """Whoever made the file; what nobody may read may be locked."""
    computer = f"test-{os.getpid()}"
    file = Path(tempfile.gettempdir(), f"hltune-{computer}.lock")
    code = "import os; from hltune.machine.alone import alone; os.setgid(65534); os.setuid(65534)\n"
    code += f"with alone({computer!r}) as found: print(found)"
    command = [sys.executable, "-c", code]
    try:
        with alone(computer) as found:
            assert found and file.stat().st_mode & 0o444 == 0o444
            assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"
        file.chmod(0o600 if private else 0o644)
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert said == f"{not private}\n"
    finally:
        file.unlink()


def run(node: Node, number: int, job: Job[Any]) -> Any:
    """In the second slot."""
    return result_of(decode(node.run(1, number, pack(job).data)))


def run_in_thread(node: Node, number: int, job: Job[Any]) -> Callable[[], Any]:
    """Begins with a job, whose files are here, in the second slot; the outcome may be waited for."""
    parcel = pack(job)
    for digest, part in parcel.parts.items():
        node.keep(digest, part.name, part.read())
    future = ThreadPoolExecutor(1).submit(node.run, 1, number, parcel.data)
    return lambda: decode(future.result(timeout=60))


def cancelled(node: Node, outcome: Callable[[], Any], number: int) -> Any:
    """What comes of a job that is cancelled soon after it was begun with."""
    time.sleep(0.2)
    node.cancel(number)
    return outcome()


def test_measurements_come_as_they_are_made(node: Node) -> None:
    parcel = pack({"spec": SPEC})
    for digest, part in parcel.parts.items():
        node.keep(digest, part.name, part.read())
    assert result_of(decode(node.open("one", parcel.data))) is None
    assert node.status().sessions == ("blank",)
    schedules = [(f"{number}", Schedule(base=f"{number:x}")) for number in range(5)]
    node.begin("one", None)
    node.feed("one", encode(schedules[:3]), total=None)
    found = list[tuple[str, Measurement]]()
    while len(found) < 3:
        taken: Taken = decode(node.take("one", None, total=None))
        found += taken.measured
        assert taken.end is None
    node.feed("one", encode(schedules[3:]), total=len(schedules))
    while taken.end is None:
        taken = decode(node.take("one", None, total=None))
        found += taken.measured
    assert taken.end == (True, None) and [key for key, _ in found] == [key for key, _ in schedules]
    assert result_of(decode(node.call("one", "side_by_side", pack(((), {})).data))) is False
    node.stop("one")
    node.feed("one", encode(schedules), total=len(schedules))  # on its way when nobody waited any more
    node.close("one")
    assert node.status().sessions == () and node.status().measured == 5
