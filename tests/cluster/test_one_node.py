"""One real node: what happens to it, and to what it does, beside its measurements."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ray = pytest.importorskip("ray", reason="a cluster needs Ray: pip install 'hltune[cluster]'")
from ray.cluster_utils import Cluster  # noqa: E402

from hltune.cluster import workers  # noqa: E402
from hltune.cluster.connection import status  # noqa: E402
from hltune.cluster.head import Head  # noqa: E402
from hltune.cluster.workers import RemoteWorkers  # noqa: E402
from hltune.report.cluster import document  # noqa: E402
from hltune.runtime.worker import Process, run_each  # noqa: E402
from hltune.search.pool import SearchPool  # noqa: E402
from hltune.values.errors import JobFailed  # noqa: E402
from tests.cli.test_interrupt import alive  # noqa: E402
from tests.cluster.made_up import MADE_UP, MadeUpOpener  # noqa: E402
from tests.cluster.test_cluster import Holding, Square, cluster_of, head_of, schedules, session_of, until  # noqa: E402

# Ray's own files.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@dataclass(frozen=True)
class KillParent:
    """Takes the node down on which it runs."""

    def run(self, process: Process) -> None:
        process.enter("killing", timeout_s=60)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)


@dataclass(frozen=True)
class Pid:
    seconds: float = 0.0

    def run(self, process: Process) -> int:
        process.enter("pid", timeout_s=60)
        time.sleep(self.seconds)
        return os.getpid()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Starting and ending one takes longer than most of what is tested with it; each head has a node of its own."""
    with cluster_of({}) as (cluster, _):
        yield cluster


@pytest.mark.usefixtures("cluster")
def test_status_says_what_nodes_do() -> None:
    with head_of([]) as head, session_of(head) as session:
        list(session.measure_each(schedules(5).items(), best=None))
        (found,), _ = status("auto")
        assert found.about.machine == MADE_UP and found.sessions == ("pipelines",) and found.measured == 5
        assert document([found])["nodes"][0]["per_minute"] > 0


@pytest.mark.usefixtures("cluster")
def test_the_only_node_may_come_back(tmp_path: Path) -> None:
    """While a job runs, and before one begins; whoever is lost ends, so that the computer can be measured on again."""
    holding = Holding(tmp_path)
    with head_of([]) as head, session_of(head) as session:
        (worker,) = RemoteWorkers(head)
        running = worker.start(holding.job)
        holding.wait_until_begun(1)
        ray.kill(head.members()[0].actor)
        holding.end_after_losses(1)
        assert running.result() == "held"
        head.lose(head.members()[0])  # as if it could not be reached
        assert worker.run(Square(6)) == 36
        assert len(head.timing()) == 1 and len(dict(session.measure_each(schedules(3).items(), best=None))) == 3


@pytest.mark.usefixtures("cluster")
def test_a_job_under_which_several_nodes_are_lost_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_MOST_LOST", 2)
    notes: list[str] = []
    with head_of(notes) as head:
        (worker,) = RemoteWorkers(head)
        with pytest.raises(JobFailed, match="2 nodes were lost under it"):
            worker.run(KillParent())
    assert sum("is lost" in note for note in notes) == 2


def test_nothing_is_left_of_a_head_that_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = f"from tests.cluster.test_one_node import waiting_head; waiting_head({cluster.address!r}, {str(told)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    try:
        while not told.exists() or not told.read_text().endswith("\n"):
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
    worker = int(told.read_text())
    until(lambda: not alive(worker))


def test_a_node_that_joins_works_at_once(cluster: Cluster) -> None:
    """While jobs are under way, and with nobody lost: it takes part in them, and in what begins later."""
    notes: list[str] = []
    with contextlib.ExitStack() as stack, head_of(notes) as head, SearchPool(RemoteWorkers(head), timeout_s=60) as pool:
        assert len(pool) == 1
        long, quick = Pid(seconds=60.0), Pid()
        jobs = iter([("long", long), *((str(number), quick) for number in range(3))])
        with contextlib.closing(run_each(jobs, pool.workers)) as outcomes:
            joined = cluster.add_node(num_cpus=1)  # nothing ends before it has come, for the only slot is taken
            stack.callback(cluster.remove_node, joined)
            assert [key for key, _ in itertools.islice(outcomes, 3)] == ["0", "1", "2"]
        assert len(pool) == 2
        first, second = (worker.start(Pid(seconds=0.5)) for worker in pool.workers)
        assert first.result() != second.result()
    assert not any("is lost" in note for note in notes)


def waiting_head(address: str, told: str) -> None:
    """Tells the process of a node's worker, and waits to be killed."""
    with Head(address, MadeUpOpener(), MADE_UP, print) as head:
        (worker,) = RemoteWorkers(head)
        Path(told).write_text(f"{worker.run(Pid())}\n")
        time.sleep(600)
