from __future__ import annotations

import contextlib
import errno
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hltune.runtime.files import SCRATCH
from hltune.runtime.worker import (
    Worker,
    first_ended,
    parent,
    paused,
    run_all,
    run_each,
    usable_workers,
    wait_any,
    waited_s,
)
from hltune.values.errors import Failure, HltuneError, InputError, JobFailed, Refused
from tests.runtime.worker import jobs


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


def state(pid: int) -> str:
    """As the kernel tells it: R, S, T for stopped, Z for dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


def alive(pid: int) -> bool:
    return state(pid) != "Z"


def eventually(condition: Callable[[], bool], *, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def failure_of(worker: Worker, job: object):
    with pytest.raises(JobFailed) as caught:
        worker.run(job)  # type: ignore[arg-type]
    return caught.value.failure


def test_result_comes_back(worker: Worker) -> None:
    assert worker.run(jobs.Add(2, 3)) == 5


def test_no_job_takes_the_answer_of_the_one_before(worker: Worker) -> None:
    first = worker.start(jobs.Add(2, 3))
    with pytest.raises(RuntimeError, match="before anybody knows"):
        worker.start(jobs.Add(1, 1))
    assert first.result() == 5
    assert worker.run(jobs.Add(1, 1)) == 2
    worker.start(jobs.Sleep("dozing", seconds=60, timeout_s=60)).cancel()
    assert worker.run(jobs.Add(1, 2)) == 3


def test_state_lives_as_long_as_the_process(worker: Worker) -> None:
    worker.run(jobs.Remember("a", 1))
    assert worker.run(jobs.Remember("a", 2)) == 1
    failure_of(worker, jobs.Die("kill"))
    assert worker.run(jobs.Remember("a", 3)) == 3


@pytest.mark.parametrize(
    ("how", "kind", "reason"),
    [
        ("abort", "crash", "SIGABRT"),
        ("kill", "memory", "SIGKILL"),
        ("end", "crash", "SIGTERM"),
        ("7", "crash", "exit status 7"),
    ],
)
def test_death_is_a_failure_with_stage_and_log(worker: Worker, how: str, kind: str, reason: str) -> None:
    failure = failure_of(worker, jobs.Die(how))
    assert (failure.stage, failure.kind) == ("dying", kind)
    assert reason in failure.message
    assert "last words" in failure.log
    assert failure.by_chance == (how in ("kill", "end"))
    assert worker.run(jobs.Add(1, 1)) == 2


def test_stage_limit_replaces_the_first_limit(worker: Worker) -> None:
    began = time.monotonic()
    failure = failure_of(worker, jobs.Sleep("dozing", seconds=60, timeout_s=0.3))
    assert (failure.stage, failure.kind) == ("dozing", "timeout")
    assert "0.3 s" in failure.message
    assert time.monotonic() - began < 15
    assert worker.run(jobs.Add(1, 1)) == 2


def test_a_limit_may_be_years_away(worker: Worker) -> None:
    """Longer than the system waits for anything."""
    patient = jobs.Sleep("dozing", seconds=0.3, timeout_s=1e9)
    worker.run(patient)
    running = worker.start(patient)
    assert first_ended([running], timeout_s=1e9) is running
    running.result()


def test_our_errors_cross_the_border_whole(worker: Worker) -> None:
    with pytest.raises(InputError) as caught:
        worker.run(jobs.Raise("ours"))
    assert str(caught.value) == "f.py:3: too small\n  expected: 2\n  found: 1\n  to do: make it bigger"


@pytest.mark.parametrize(("kind", "text"), [("other", "ValueError: not ours"), ("unpicklable", "cannot be sent")])
def test_other_exceptions_become_failures(worker: Worker, kind: str, text: str) -> None:
    failure = failure_of(worker, jobs.Raise(kind))
    assert (failure.stage, failure.kind) == ("raising", "error")
    assert text in failure.message
    assert "Traceback" in failure.log


def test_unpicklable_result_is_a_failure(worker: Worker) -> None:
    assert "pickle" in failure_of(worker, jobs.UnpicklableResult()).message


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Lets so much time pass for this process."""
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + seconds)


def test_a_limit_runs_while_nobody_listens(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    running = worker.start(jobs.Sleep("dozing", seconds=600, timeout_s=60))
    assert running.connection.poll(30)  # it dozes
    later(monkeypatch, 61)
    began = time.monotonic()
    with pytest.raises(JobFailed, match=r"60 s"):
        running.result()
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("refusals", [1, 2])
@pytest.mark.parametrize("what", ["Popen", "pwrite"])
def test_what_the_system_refuses_is_asked_for_again(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, what: str, refusals: int
) -> None:
    """A full disk takes some of a job before it takes no more."""
    module = {"Popen": subprocess, "pwrite": os}[what]
    real, left = getattr(module, what), refusals

    def refuse(*given: Any, **named: Any) -> Any:
        nonlocal left
        if left and what == "pwrite" and given[2] == 0:
            return real(given[0], given[1][:5], 0)
        if left:
            left -= 1
            raise OSError(errno.ENOSPC, "no room")
        return real(*given, **named)

    monkeypatch.setattr(parent, "_AGAIN_S", 0.0)
    monkeypatch.setattr(module, what, refuse)
    worker.recycle()
    if refusals == 2:
        with pytest.raises(Refused, match="no room"):
            worker.run(jobs.Add(1, 1))
    assert worker.run(jobs.Add(2, 3)) == 5


def test_a_failure_tells_of_its_own_job_only() -> None:
    with Worker(memory_bytes=2**30) as worker:
        worker.run(jobs.Say("std::bad_alloc"))
        failure = failure_of(worker, jobs.Die("7"))
    assert failure.kind == "crash"
    assert "bad_alloc" not in failure.log


def test_memory_limit() -> None:
    with Worker(memory_bytes=2**30) as worker:
        failure = failure_of(worker, jobs.Leak())
        assert failure.kind == "memory"
        assert worker.run(jobs.Add(1, 1)) == 2


def test_environment_is_set_before_the_job() -> None:
    with Worker(environment={"HL_NUM_THREADS": "3"}) as worker:
        assert worker.run(jobs.Environment("HL_NUM_THREADS")) == "3"


def test_close_ends_grandchildren() -> None:
    with Worker() as worker:
        grandchild = worker.run(jobs.Fork())
        assert alive(grandchild)
    assert eventually(lambda: not alive(grandchild))


def test_a_jobs_children_die_with_a_crash(worker: Worker) -> None:
    grandchild = worker.run(jobs.Fork())
    failure_of(worker, jobs.Die("kill"))
    assert eventually(lambda: not alive(grandchild))


@pytest.mark.alone
@pytest.mark.parametrize("reproducible", [False, True])
def test_what_a_killed_job_leaves_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reproducible: bool
) -> None:
    said, temporary = tmp_path / "said", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with Worker(reproducible=reproducible) as worker:
        assert failure_of(worker, jobs.Leave(said, timeout_s=0.5)).kind == "timeout"
        assert temporary in Path(said.read_text()).parents and not Path(said.read_text()).exists()
        worker.run(jobs.Leave(said, seconds=0.0))
        said.unlink()
        worker.start(jobs.Leave(said))
        assert eventually(lambda: said.exists() and said.read_text() != "", seconds=60.0)
    assert not list(temporary.iterdir())


_PARENT = """
import sys
from pathlib import Path
from hltune.runtime.interrupts import raise_interrupts
from hltune.runtime.worker import Worker
from tests.runtime.worker import jobs
raise_interrupts()
with Worker() as worker:
    worker.run(getattr(jobs, sys.argv[1])(Path(sys.argv[2])))
"""


def ended_parent(tmp_path: Path, job: str, number: signal.Signals) -> str:
    """What a job said whose caller got a signal then."""
    said, temporary = tmp_path / "said", tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", _PARENT, job, str(said)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as parent:
        assert eventually(lambda: said.exists() and said.read_text() != "", seconds=60.0)
        parent.send_signal(number)
    return said.read_text()


def test_an_interrupted_caller_leaves_no_files(tmp_path: Path) -> None:
    ended_parent(tmp_path, "Leave", signal.SIGINT)
    assert not list((tmp_path / "temporary").iterdir())


def test_what_a_killed_caller_leaves_is_removed_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = Path(ended_parent(tmp_path, "Leave", signal.SIGKILL))
    assert left.exists()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with Worker():
        assert not left.exists()
    assert not list((tmp_path / "temporary").iterdir())


def test_a_fork_that_builds_for_too_long_ends(worker: Worker, tmp_path: Path) -> None:
    outcome = worker.run(jobs.SecondBuild(tmp_path / "said", limit_s=0.5))
    assert isinstance(outcome, HltuneError) and "it takes longer than 0 s" in str(outcome)
    assert not alive(int((tmp_path / "said").read_text()))


def test_a_fork_that_builds_ends_with_a_killed_caller(tmp_path: Path) -> None:
    fork = int(ended_parent(tmp_path, "SecondBuild", signal.SIGKILL))
    assert eventually(lambda: not alive(fork))


def test_killed_parent_takes_the_worker_with_it(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, sys, time
            from hltune.runtime.worker import Worker
            from tests.runtime.worker import jobs
            worker = Worker()
            print(worker.run(jobs.Pid()), flush=True)
            time.sleep(600)
            """
        )
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
    assert eventually(lambda: not alive(pid))


def test_files_in_the_current_folder_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    with Worker() as worker:
        assert worker.run(jobs.Add(1, 1)) == 2


def test_the_first_to_finish_is_found() -> None:
    with Worker() as slow, Worker() as quick, Worker() as late:
        for each in (slow, quick, late):
            each.run(jobs.Pid())  # all have started
        forever = slow.start(jobs.Sleep("dozing", seconds=60, timeout_s=60))
        limited = late.start(jobs.Sleep("dozing", seconds=60, timeout_s=1.5))
        added = quick.start(jobs.Add(2, 2))
        assert wait_any([forever, limited, added]) is added
        assert added.result() == added.result() == 4
        assert wait_any([forever, limited]) is limited
        with pytest.raises(JobFailed, match=r"1\.5 s"):
            limited.result()


def test_what_nobody_waits_for_is_ended(worker: Worker) -> None:
    pid = worker.run(jobs.Pid())
    added = worker.start(jobs.Add(2, 2))
    assert added.result() == 4
    added.cancel()
    assert worker.run(jobs.Pid()) == pid
    worker.start(jobs.Sleep("dozing", seconds=60, timeout_s=60)).cancel()
    assert not alive(pid)
    assert worker.run(jobs.Add(1, 1)) == 2


def test_jobs_run_side_by_side_in_their_order() -> None:
    with Worker() as one, Worker() as another:
        outcomes = run_all([jobs.Add(1, 1), jobs.Die("abort"), jobs.Add(2, 2), jobs.Add(3, 3)], [one, another])
    assert [outcomes[0], outcomes[2], outcomes[3]] == [2, 4, 6]
    assert isinstance(outcomes[1], Failure)
    assert outcomes[1].kind == "crash"


def test_what_failed_by_chance_is_run_once_more_alone(tmp_path: Path) -> None:
    """Killed, or ended before its first stage."""
    (tmp_path / "always").mkdir()
    work = {
        "always": jobs.Unlucky("kill", tmp_path / "always", each_time=True),
        "killed": jobs.Unlucky("kill", tmp_path),
        "not begun": jobs.Unlucky("abort", tmp_path, begun=False),
        "crashed": jobs.Unlucky("abort", tmp_path),
        "good": jobs.Add(1, 1),
    }
    with Worker() as one, Worker() as another:
        found = dict(run_each(work.items(), [one, another]))
    failures = {key: each.kind for key, each in found.items() if isinstance(each, Failure)}
    assert failures == {"crashed": "crash", "always": "memory"}
    assert (found["killed"], found["not begun"], found["good"]) == ("works", "works", 2)
    assert set(list(found)[:2]) == {"crashed", "good"}


def test_a_worker_that_comes_later_works_at_once() -> None:
    """The only one that was there is busy all the time."""
    with Worker() as one, Worker() as another:
        workers = [one]
        work = [("long", jobs.Sleep("dozing", seconds=60, timeout_s=60)), ("a", jobs.Add(1, 1)), ("b", jobs.Add(2, 2))]
        timer = threading.Timer(0.5, workers.append, [another])
        with contextlib.closing(run_each(work, workers)) as outcomes:
            timer.start()
            assert dict(itertools.islice(outcomes, 2)) == {"a": 2, "b": 4}


def test_waiting_for_a_job_ends_in_time(worker: Worker) -> None:
    running = worker.start(jobs.Sleep("dozing", seconds=60, timeout_s=60))
    assert first_ended([running], timeout_s=0.2) is None
    running.cancel()
    added = worker.start(jobs.Add(1, 1))
    assert first_ended([added], timeout_s=60) is added


def test_paused_processes_stand_still_and_their_limits_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with Worker() as worker, Worker() as other:
        worker.run(jobs.Add(1, 1))
        job = jobs.Sleep("dozing", seconds=0.0, timeout_s=200)
        pid = worker.run(jobs.Pid())
        counting = worker.start(jobs.Count(seconds=0.3, timeout_s=60))
        with paused([worker]):
            assert eventually(lambda: state(pid) == "T")
            later(monkeypatch, 100)  # longer than the limit
            other.run(job)  # the others go on
            assert state(pid) == "T"
        assert counting.result() > 0


def test_what_a_job_has_taken_is_known_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the start of the process nor a pause counts, nor what passes before somebody asks."""
    with Worker() as worker:
        began_s = time.monotonic()
        slept = worker.start(jobs.Sleep("dozing", seconds=0.2, timeout_s=60))
        assert eventually(lambda: slept.spent_s() > 0.0)
        with paused([worker]):
            time.sleep(0.3)
        slept.result()
        taken_s = slept.spent_s()
        assert 0.0 < taken_s <= time.monotonic() - began_s - 0.3
        later(monkeypatch, 1000)
        assert slept.spent_s() == taken_s


def test_leaving_a_pause_by_an_error_lets_the_process_go_on(worker: Worker) -> None:
    with pytest.raises(ValueError, match="in between"), paused([worker]):
        raise ValueError("in between")
    assert worker.run(jobs.Add(2, 2)) == 4


def test_closing_ends_a_paused_process() -> None:
    with Worker() as worker:
        pid = worker.run(jobs.Pid())
        with paused([worker]):
            worker.close()
            assert eventually(lambda: not alive(pid))


def test_a_recycled_worker_has_forgotten_everything(worker: Worker) -> None:
    worker.run(jobs.Remember("a", 1))
    worker.recycle()
    assert worker.run(jobs.Remember("a", 2)) == 2


def test_a_worker_is_recycled_after_so_many_jobs() -> None:
    with Worker(recycle_after=3) as worker:
        pids = [worker.run(jobs.Pid()) for _ in range(7)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


def test_reproducible_jobs_find_the_same_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with Worker(preload=("numpy",), reproducible=True) as one:
        first = one.run(jobs.Layout())
        one.run(jobs.Remember("key", list(range(10**5))))
        monkeypatch.setenv("SOMETHING", "else" * 1000)
        with Worker(preload=("numpy",), reproducible=True) as another:
            assert another.run(jobs.Layout()) == first == one.run(jobs.Layout())
            for _ in range(20):
                failure_of(another, jobs.Die("abort"))
                assert another.run(jobs.Layout()) == first
    with Worker() as ordinary, Worker() as other:
        assert ordinary.run(jobs.Layout()) != other.run(jobs.Layout())


def test_equal_jobs_find_the_same_memory() -> None:
    """Whichever of their parts are one object in this process."""
    text = "some text " * 1000
    one_object, many = [text] * 1000, [f"{text[:-1]} " for _ in range(1000)]
    assert one_object == many
    with Worker(reproducible=True) as worker:
        first, second, other = (worker.run(jobs.Layout(each)) for each in (one_object, many, [text] * 999))
    assert first == second != other


def test_a_reproducible_process_survives_its_jobs() -> None:
    with Worker(reproducible=True) as worker:
        group = worker.run(jobs.Group())
        assert worker.run(jobs.Remember("key", 1)) == 1
        assert worker.run(jobs.Remember("key", 2)) == 2  # each job has its own fork
        failure = failure_of(worker, jobs.Die("abort"))
        assert (failure.kind, failure.stage) == ("crash", "dying")
        assert "SIGABRT" in failure.message and "last words" in failure.log
        with pytest.raises(InputError, match="too small"):
            worker.run(jobs.Raise("ours"))
        assert worker.run(jobs.Group()) == group
        assert failure_of(worker, jobs.Sleep("dozing", seconds=60, timeout_s=0.2)).kind == "timeout"
        assert worker.run(jobs.Add(1, 2)) == 3


def test_nothing_of_a_reproducible_worker_stays_behind() -> None:
    with Worker(reproducible=True) as worker:
        group = worker.run(jobs.Group())
        grandchild = worker.run(jobs.Fork())
        worker.start(jobs.Sleep("sleeping", seconds=60, timeout_s=60))
        time.sleep(0.3)
    assert eventually(lambda: not alive(group) and not alive(grandchild))


def test_there_are_as_many_workers_as_there_are_cores_and_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "usable_cores", lambda: 8)
    for gibibytes, workers in ((0.5, 1), (3.5, 3), (64, 8)):
        monkeypatch.setattr(parent, "physical_memory_bytes", lambda gibibytes=gibibytes: int(gibibytes * 2**30))
        assert usable_workers() == workers


@pytest.mark.alone
@pytest.mark.parametrize("one_thread", [True, False])
def test_waiting_for_a_processor_counts_where_several_threads_work(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, one_thread: bool
) -> None:
    waited: list[int | None] = []
    monkeypatch.setattr(parent, "waited_s", lambda process: waited.append(process) or 60.0)
    job = jobs.Sleep("dozing", seconds=0.6, timeout_s=0.2, one_thread=one_thread)
    if one_thread:
        worker.run(job)
        assert set(waited) == {worker.run(jobs.Pid())}
    else:
        assert failure_of(worker, job).kind == "timeout" and not waited


@pytest.mark.alone
def test_waiting_is_that_of_the_process_that_does_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a reproducible worker, each job has its own."""
    waited: list[int | None] = []
    monkeypatch.setattr(parent, "waited_s", lambda process: waited.append(process) or 60.0)
    with Worker(reproducible=True) as worker:
        for _ in range(2):
            worker.run(jobs.Sleep("dozing", seconds=0.6, timeout_s=0.2, one_thread=True))
    assert len(set(waited)) == 2


def test_a_limit_on_one_thread_ends_what_does_not_wait(worker: Worker) -> None:
    failure = failure_of(worker, jobs.Sleep("dozing", seconds=60, timeout_s=0.2, one_thread=True))
    assert (failure.stage, failure.kind) == ("dozing", "timeout")


def test_other_processes_know_how_long_one_waited() -> None:
    assert 0.0 <= waited_s(os.getpid()) <= waited_s() + 1e-3
    assert waited_s(2**22 + 1) == 0.0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENOMEM])
def test_what_the_system_refuses_is_not_the_job_s_failure(worker: Worker, number: int) -> None:
    with pytest.raises(Refused, match=r"the system refuses(.|\n)*make room for temporary files \(TMPDIR\)"):
        worker.run(jobs.Refuse(number, "somewhere"))
    assert worker.run(jobs.Add(1, 1)) == 2


def test_nor_is_it_when_somebody_removes_temporary_files(worker: Worker) -> None:
    with pytest.raises(Refused):
        worker.run(jobs.Refuse(errno.ENOENT, f"/tmp/{SCRATCH}0123/expected.npy"))
    assert failure_of(worker, jobs.Refuse(errno.ENOENT, "users.png")).kind == "error"


def test_a_compiler_that_dies_of_a_full_disk_says_nothing_of_its_schedule(worker: Worker) -> None:
    with pytest.raises(Refused, match="LLVM ERROR: IO failure on output stream: No space left on device"):
        worker.run(jobs.Fill())


def test_a_limit_that_others_have_set_stays() -> None:
    """Who may not raise a hard limit, as in a batch system, works below it."""
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_DATA, (2**31, 2**31))
        from hltune.runtime.worker import Worker, memory_share_bytes
        from tests.runtime.worker import jobs
        assert memory_share_bytes(1) == int(0.8 * 2**31)
        with Worker() as worker:
            print(worker.run(jobs.Add(1, 1)))
    """
    root = ["setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource"] if os.getuid() == 0 else []
    command = [*root, sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "2\n", done.stderr
