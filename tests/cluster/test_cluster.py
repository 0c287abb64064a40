"""A real cluster, all of whose nodes are on this computer."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray", reason="a cluster needs Ray: pip install 'hltune[cluster]'")
from ray.cluster_utils import Cluster  # noqa: E402

from hltune import INTERRUPTED  # noqa: E402
from hltune.cluster import head as heads  # noqa: E402
from hltune.cluster import machine as machines  # noqa: E402
from hltune.cluster.head import Head, Member  # noqa: E402
from hltune.cluster.machine import ClusterMachine  # noqa: E402
from hltune.cluster.workers import RemoteWorkers  # noqa: E402
from hltune.machine.inputs import Inputs  # noqa: E402
from hltune.machine.open import identify  # noqa: E402
from hltune.machine.options import MeasureOptions  # noqa: E402
from hltune.machine.sensitivity import every_func_at_root  # noqa: E402
from hltune.runtime.worker import Process, pool, run_all  # noqa: E402
from hltune.values.cost import Cost, Measurement  # noqa: E402
from hltune.values.directives import Schedule  # noqa: E402
from hltune.values.errors import HltuneError  # noqa: E402
from hltune.values.schedule_codec import schedule_hash  # noqa: E402
from tests.cli.test_interrupt import alive  # noqa: E402
from tests.cluster.made_up import MADE_UP, MadeUpOpener  # noqa: E402
from tests.cluster.real import OpenForEachNode  # noqa: E402
from tests.tuning.conftest import load  # noqa: E402

# Ray's own files.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


_QUICK: dict[str, Any] = {
    "no_monitor": True,
    "include_log_monitor": False,
    "include_dashboard": False,
    "_system_config": {
        "health_check_initial_delay_ms": 500,
        "health_check_period_ms": 300,
        "health_check_failure_threshold": 3,
    },
}
"""Given to the first node of a cluster: nothing is started that nobody uses here, and a node that was killed is missed
after one second instead of fifteen. One that is only slow to answer has as long as ever."""


@dataclass(frozen=True)
class Square:
    number: int

    def run(self, process: Process) -> int:
        process.enter("square", timeout_s=60)
        return self.number**2


@dataclass(frozen=True)
class Hold:
    """Ends when it may.

    Attributes:
        folder: where a file named by its process says that it has begun, and a file `go` that it may end.
    """

    folder: str

    def run(self, process: Process) -> str:
        process.enter("holding", timeout_s=60)
        Path(self.folder, str(os.getpid())).touch()
        while not Path(self.folder, "go").exists():
            time.sleep(0.01)
        return "held"


class Holding:
    """Jobs that hold on until they may end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.job = Hold(str(folder))

    def wait_until_begun(self, count: int) -> None:
        until(lambda: len(self._processes()) == count)

    def end_after_losses(self, count: int) -> None:
        """As soon as that many of their processes have gone, so that those can have had no result."""
        begun = self._processes()
        until(lambda: sum(not alive(each) for each in begun) == count)
        (self._folder / "go").touch()

    def _processes(self) -> list[int]:
        return [int(each.name) for each in self._folder.iterdir()]


def until(condition: Callable[[], bool]) -> None:
    """Waits for what takes a moment."""
    end_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end_s, "it has not come about"
        time.sleep(0.02)


@contextlib.contextmanager
def cluster_of(*nodes: dict[str, float]) -> Iterator[tuple[Cluster, list[Any]]]:
    """A Ray cluster of so many nodes with these resources, where heads look around more often than usual."""
    cluster = Cluster()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "_LOOK_EVERY_S", 0.3)
        patch.setattr(heads, "_AGAIN_S", 0.1)
        patch.setattr(machines, "_LOOK_S", 0.3)
        patch.setattr(pool, "LOOK_S", 0.2)
        try:
            added = [
                cluster.add_node(num_cpus=1, resources=resources, **({} if number else _QUICK))
                for number, resources in enumerate(nodes)
            ]
            ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
            cluster.wait_for_nodes()
            yield cluster, added
        finally:
            ray.shutdown()
            cluster.shutdown()


def value(measurement: Measurement) -> float:
    assert isinstance(measurement, Cost)
    return measurement.value


def schedules(count: int) -> dict[str, Schedule]:
    made = [Schedule(base=f"{number:x}") for number in range(count)]
    return {schedule_hash(each): each for each in made}


@contextlib.contextmanager
def head_of(notes: list[str], **options: Any) -> Iterator[Head]:
    with Head("auto", MadeUpOpener(**options), MADE_UP, notes.append) as head:
        yield head


@contextlib.contextmanager
def session_of(head: Head) -> Iterator[Any]:
    machine = ClusterMachine(head, MADE_UP, MeasureOptions(threads=2))
    with machine.session(load("blur").spec, Inputs()) as session:
        yield session


def test_everything_is_measured_once_whatever_is_lost() -> None:
    """A node is killed in the middle, one comes, and the one that is never asked is another machine."""
    notes: list[str] = []
    wanted = schedules(40)
    with (
        cluster_of({}, {}, {"other_cpu": 1}) as (cluster, nodes),
        head_of(notes, seconds=0.1) as head,
        session_of(head) as session,
    ):
        assert len(head.timing()) == 2 and len(head.members()) == 3
        assert any("another machine" in note for note in notes)
        found: list[str] = []
        for number, (key, measurement) in enumerate(session.measure_each(wanted.items(), best=None)):
            assert isinstance(measurement, Cost)
            found.append(key)
            if number == 10:
                cluster.remove_node(nodes[1], allow_graceful=False)
            if number == 20:
                cluster.add_node(num_cpus=1)
        assert sorted(found) == sorted(wanted)
        assert any("is lost" in note for note in notes)
        assert set(session.measure(dict(list(wanted.items())[:3]))) == set(list(wanted)[:3])


@pytest.mark.alone
@pytest.mark.long
def test_twenty_random_losses_lose_and_double_nothing() -> None:
    """Of actors, whose computers go on, and of whole nodes, in whose place others come."""
    rng = random.Random(1)
    notes: list[str] = []
    wanted = schedules(220)
    with cluster_of({}, {}, {}) as (cluster, nodes), head_of(notes, seconds=0.05) as head, session_of(head) as session:
        found: list[str] = []
        for number, (key, measurement) in enumerate(session.measure_each(wanted.items(), best=None)):
            assert isinstance(measurement, Cost)
            found.append(key)
            if number % 10 == 5 and number < 200:
                if rng.random() < 0.6:
                    ray.kill(rng.choice(head.members()).actor)
                else:
                    cluster.remove_node(nodes.pop(rng.randrange(1, 3)), allow_graceful=False)
                    nodes.append(cluster.add_node(num_cpus=1))
        assert sorted(found) == sorted(wanted)
    assert sum("is lost" in note for note in notes) >= 10


def test_jobs_of_a_lost_node_run_elsewhere(tmp_path: Path) -> None:
    notes, holding = list[str](), Holding(tmp_path)
    with cluster_of({}, {}) as (cluster, nodes), head_of(notes) as head:
        workers = RemoteWorkers(head)
        assert len(workers) == 2
        assert run_all([Square(number) for number in range(20)], workers) == [number**2 for number in range(20)]
        running = [worker.start(holding.job) for worker in workers]
        holding.wait_until_begun(2)
        cluster.remove_node(nodes[1], allow_graceful=False)
        holding.end_after_losses(1)
        assert [each.result() for each in running] == ["held", "held"]
    assert sum("is lost" in note for note in notes) == 1


@pytest.mark.alone
@pytest.mark.long
def test_a_node_that_fails_leaves_the_others_to_measure() -> None:
    notes: list[str] = []
    wanted = schedules(30)
    with cluster_of({}, {"fails_after": 4}) as _, head_of(notes, seconds=0.05) as head, session_of(head) as session:
        measurements = list(session.measure_each(wanted.items(), best=None))
        assert sorted(key for key, _ in measurements) == sorted(wanted)
        few, many = sorted(each.measured for each in head.members())
        assert few in (3, 4) and few + many == 30  # what both time may be the fourth
        assert len(head.timing()) == 1
    assert any("measures no more" in note and "no space left" in note for note in notes)


@pytest.mark.alone
@pytest.mark.long
def test_what_was_measured_before_the_only_node_failed_is_kept() -> None:
    found: list[str] = []
    with cluster_of({"fails_after": 4}) as _, head_of([]) as head, session_of(head) as session:
        with pytest.raises(HltuneError, match="no space left"):
            for key, _ in session.measure_each(schedules(9).items(), best=None):
                found.append(key)
        assert len(found) == 4


@pytest.mark.alone
@pytest.mark.long
def test_a_round_is_dealt_to_all_nodes() -> None:
    with cluster_of({}, {}) as _, head_of([], seconds=0.2, cores=2) as head, session_of(head) as session:
        twice = [*schedules(10).items(), *list(schedules(10).items())[:2]]
        assert len(dict(session.measure_each(twice, best=None))) == 10
        assert min(each.measured for each in head.members()) >= 4


@pytest.mark.alone
@pytest.mark.long
def test_a_slower_node_is_corrected() -> None:
    notes: list[str] = []
    wanted = schedules(40)
    with cluster_of({}, {"slower": 150}) as _, head_of(notes, seconds=0.02) as head, session_of(head) as session:
        dict(session.measure_each(list(wanted.items())[:8], best=None))
        measured = dict(session.measure_each(list(wanted.items())[8:], best=None))
    first = MadeUpOpener().open().session()
    factors = {round(value(measured[key]) / value(first.cost(wanted[key])), 3) for key in measured}
    assert len(factors) == 1 and factors <= {1.0, 1.5}  # relative to whichever node comes first
    assert all(each.measured for each in head.members())


def test_pipelines_share_nodes_that_really_measure() -> None:
    """Each begins with its expected outputs on every node, and only the first node is ever asked for them."""
    measure = MeasureOptions(threads=1, turns=1, least_run_timeout_s=20.0, least_compile_timeout_s=60.0)
    subjects = [load("blur"), load("scaled")]
    target = subjects[0].target
    notes: list[str] = []
    with (
        cluster_of({}, {}) as _,
        Head("auto", OpenForEachNode(target=target, options=measure), identify(target, measure), notes.append) as head,
        ClusterMachine(head, identify(target, measure), measure) as machine,
        machine.session(subjects[0].spec, Inputs()) as first,
        machine.session(subjects[1].spec, Inputs()) as second,
    ):
        assert len(head.timing()) == 2
        for subject, session in zip(subjects, (first, second), strict=True):
            session.ready()
            wanted = {"default": Schedule(), "root": every_func_at_root(subject.spec)}
            for node in head.timing():  # the one after the other
                with only(head, node):
                    measured = dict(session.measure_each(wanted.items(), best=None))
                assert all(isinstance(measured[key], Cost) for key in wanted), measured


@contextlib.contextmanager
def only(head: Head, member: Member) -> Iterator[None]:
    """The others do not measure as long as the context lasts."""
    others = [each for each in head.timing() if each is not member]
    for each in others:
        each.aside = "it is another one's turn"
    yield
    for each in others:
        each.aside = None


@pytest.mark.alone
@pytest.mark.long
def test_two_runs_do_not_measure_on_one_computer() -> None:
    notes: list[str] = []
    with cluster_of({}) as _, head_of(notes) as head:
        assert len(head.timing()) == 1
        with head_of(notes) as other:
            assert not other.timing() and len(other.members()) == 1
        assert any("another run measures on it" in note for note in notes)
    assert len(head.timing()) <= 1


def test_a_cluster_of_this_computer_alone_is_reached_from_nowhere_else() -> None:
    code = "from hltune.cluster.requirement import prepare_for; prepare_for('local')\n"
    code += "from hltune.runtime.interrupts import raise_interrupts; raise_interrupts()\n"
    code += "from tests.cluster.test_cluster import local_head; local_head()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        found = listening(process.pid)
        process.terminate()
        assert process.communicate()[0] == "interrupted\n"
    assert process.returncode == INTERRUPTED
    assert len(found) > 3 and {each.partition(":")[0] for each in found} <= {_LOOPBACK4, _LOOPBACK6}


_LOOPBACK4, _LOOPBACK6 = "0100007F", "0000000000000000FFFF00000100007F"
"""As the kernel writes them."""


def listening(root: int) -> set[str]:
    """Addresses and ports on which a process and its descendants listen."""
    parents = {}
    for status_file in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            (parent,) = (line for line in status_file.read_text().splitlines() if line.startswith("PPid:"))
            parents[int(status_file.parent.name)] = int(parent.split()[1])
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    sockets: dict[str, str] = {}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state, *others = line.split()
            if state == "0A":
                sockets[f"socket:[{others[5]}]"] = local
    found: set[str] = set()
    for file in (file for pid in family for file in Path(f"/proc/{pid}/fd").glob("*")):
        with contextlib.suppress(OSError):
            found |= {sockets[name] for name in [str(file.readlink())] if name in sockets}
    return found


def local_head() -> None:
    """Until it is interrupted, which has to reach it as it does without Ray."""
    try:
        with Head("local", MadeUpOpener(), MADE_UP, lambda _: None):
            print("up", flush=True)
            sys.stdin.read()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(INTERRUPTED)
