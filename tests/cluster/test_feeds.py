"""What nodes are given to measure, and what becomes of it; no cluster runs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

pytest.importorskip("ray", reason="a cluster needs Ray: pip install 'hltune[cluster]'")

from hltune.cluster.head import Head
from hltune.cluster.machine import ClusterMachine, ClusterSession
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.values.pipeline import PipelineSpec
from hltune.values.schedule_codec import schedule_hash
from tests.cluster.in_process import Cluster, LanesOpener, LanesSession
from tests.cluster.made_up import ANOTHER, MADE_UP, assert_each_measures_its_own

SPEC = PipelineSpec(name="blank", hlpipe=b"", inputs=(), outputs=(), funcs=())
MEASURE = MeasureOptions(threads=2)


def schedules(count: int, first: int = 0) -> dict[str, Schedule]:
    made = [Schedule(base=f"{number:x}") for number in range(first, first + count)]
    return {schedule_hash(each): each for each in made}


@contextlib.contextmanager
def head_of(notes: list[str]) -> Iterator[Head]:
    with Head("auto", LanesOpener(), MADE_UP, notes.append) as head:
        yield head


def session_of(head: Head) -> ClusterSession:
    return ClusterMachine(head, MADE_UP, MEASURE).session(SPEC, Inputs())


@contextlib.contextmanager
def opened(notes: list[str] | None = None) -> Iterator[ClusterSession]:
    with head_of([] if notes is None else notes) as head, session_of(head) as session:
        yield session


def test_what_all_nodes_time_may_take_long_to_compile(without_ray: Cluster) -> None:
    """A node is given what it needs to come to the end of that, for until then nothing of it counts."""
    slow: list[Schedule] = []

    def seconds(schedule: Schedule) -> float:
        return 30.0 if schedule in slow else 1.0

    without_ray(*(LanesOpener(name=name, workers=4, compiling=seconds) for name in "ab"))
    with opened() as session:
        first = dict(session.measure_each(schedules(8).items(), best=None))
        slow += schedules(8).values()  # the best of them is what both time in the next round
        wanted = schedules(200, first=8)
        found = [key for key, _ in session.measure_each(wanted.items(), best=None)]
    assert len(first) == 8 and sorted(found) == sorted(wanted)


def test_the_first_schedules_of_a_pipeline_are_comparable(without_ray: Cluster) -> None:
    """Pre-training measures all of a program at once, when none of its schedules is known."""
    without_ray(LanesOpener(name="a", seconds=0.01), LanesOpener(name="b", slower=lambda: 2.0))
    wanted = schedules(20)
    with head_of([]) as head, session_of(head) as session:
        found = dict(session.measure_each(wanted.items(), best=None))
        assert found == {key: LanesSession(LanesOpener()).cost(each) for key, each in wanted.items()}
        assert all(each.measured for each in head.members())


def test_a_slower_node_is_corrected_in_later_rounds(without_ray: Cluster) -> None:
    without_ray(LanesOpener(name="a", seconds=0.01), LanesOpener(name="b", slower=lambda: 2.0))
    with head_of([]) as head, session_of(head) as session:
        dict(session.measure_each(schedules(8).items(), best=None))
        wanted = schedules(32, first=8)
        found = dict(session.measure_each(wanted.items(), best=None))
        assert found == {key: LanesSession(LanesOpener()).cost(each) for key, each in wanted.items()}
        assert all(each.measured for each in head.members())


def test_a_round_is_dealt_to_all_nodes(without_ray: Cluster) -> None:
    without_ray(*(LanesOpener(name=name, workers=2, seconds=0.01) for name in "ab"))
    with head_of([]) as head, session_of(head) as session:
        twice = [*schedules(10).items(), *list(schedules(10).items())[:2]]
        assert len(dict(session.measure_each(twice, best=None))) == 10
        assert min(each.measured for each in head.members()) >= 4


def test_calls_that_overtake_each_other_change_nothing(without_ray: Cluster) -> None:
    """What all nodes time comes after the last schedules, and so do others."""
    cluster = without_ray(LanesOpener(name="a", seconds=0.01), LanesOpener(name="b", slower=lambda: 2.0))
    cluster.late_s["feed"] = 0.2
    wanted = schedules(6)
    with head_of([]) as head, session_of(head) as session:
        found = list(session.measure_each(wanted.items(), best=None))
    plain = LanesSession(LanesOpener())
    assert len(found) == 6 and dict(found) == {key: plain.cost(each) for key, each in wanted.items()}


def test_what_a_node_tells_in_the_end_only_stops_nobody(without_ray: Cluster) -> None:
    """More of it than a node has in hand: what fails by chance is measured once more when nothing else is."""
    wanted = schedules(60)
    without_ray(LanesOpener(late=frozenset(list(wanted.values())[3:40])))
    with opened() as session:
        found = [key for key, _ in session.measure_each(wanted.items(), best=None)]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize("names", ["a", "ab"])
def test_who_takes_nodes_down_is_found_out_and_nobody_else_suffers(without_ray: Cluster, names: str) -> None:
    wanted = schedules(40)
    deadly = frozenset(list(wanted.values())[5:30:12])

    def die(name: str) -> None:
        [each for each in cluster.actors if each.name == name][-1].die()

    openers = [LanesOpener(name=each, deadly=deadly, die=partial(die, each), seconds=0.001) for each in names]
    cluster = without_ray(*openers)
    notes: list[str] = []
    with head_of(notes) as head, session_of(head) as session:
        found = list(session.measure_each(wanted.items(), best=None))
    assert sorted(key for key, _ in found) == sorted(wanted)
    failed = {key: each for key, each in found if isinstance(each, Failure)}
    assert failed.keys() == {key for key, each in wanted.items() if each in deadly}
    assert all("nothing else" in each.message for each in failed.values())
    assert sum("is lost" in note for note in notes) <= 6 * len(deadly)


def test_who_waits_for_expected_outputs_knows_when_they_are_there(without_ray: Cluster) -> None:
    known = threading.Event()
    without_ray(LanesOpener(ready=known.wait))
    with opened() as session:
        assert not session.settled() and not session.settled()
        known.set()
        session.ready()
        end_s = time.monotonic() + 10
        while not session.settled():
            assert time.monotonic() < end_s


def test_a_node_that_fails_leaves_the_others_to_measure(without_ray: Cluster) -> None:
    without_ray(LanesOpener(name="a", seconds=0.01), LanesOpener(name="b", seconds=0.01, fails_after=4))
    notes: list[str] = []
    wanted = schedules(30)
    with head_of(notes) as head, session_of(head) as session:
        measurements = list(session.measure_each(wanted.items(), best=None))
        assert sorted(key for key, _ in measurements) == sorted(wanted)
        few, many = sorted(each.measured for each in head.members())
        assert few in (3, 4) and few + many == 30  # what both time may be the fourth
        assert [each.about.name for each in head.timing()] == ["a"]
    assert any("measures no more" in note and "no space left" in note for note in notes)


def test_a_node_on_which_a_pipeline_does_not_run_measures_the_next_one(without_ray: Cluster) -> None:
    error = HltuneError("the pipeline does not finish within its limits")
    without_ray(LanesOpener(name="a", seconds=0.01), LanesOpener(name="b", seconds=0.01, fails_after=4, error=error))
    notes: list[str] = []
    wanted = schedules(30)
    with head_of(notes) as head:
        with session_of(head) as session:
            measured = [key for key, _ in session.measure_each(wanted.items(), best=None)]
            assert sorted(measured) == sorted(wanted) and session.nodes() == 1
        assert [each.about.name for each in head.timing()] == ["a", "b"]
        with session_of(head) as session:
            assert session.nodes() == 2
    assert not any("measures no more" in note for note in notes)


def test_what_was_measured_before_the_only_node_failed_is_kept(without_ray: Cluster) -> None:
    without_ray(LanesOpener(fails_after=4))
    found: list[str] = []
    with opened() as session:
        with pytest.raises(HltuneError, match="no space left"):
            for key, _ in session.measure_each(schedules(9).items(), best=None):
                found.append(key)
        assert len(found) == 4


def test_each_kind_measures_for_itself(without_ray: Cluster) -> None:
    notes: list[str] = []
    others = (LanesOpener(name=name, seconds=0.01, machine=ANOTHER) for name in ("two", "three"))
    without_ray(LanesOpener(seconds=0.01), *others, LanesOpener(name="four", kind_of_cores="other cores"))
    ours, theirs = schedules(12), schedules(30)
    with Head("auto", LanesOpener(), MADE_UP, notes.append, others=True) as head:
        assert head.others() == [ANOTHER]
        assert [len(head.timing(each)) for each in (None, MADE_UP, ANOTHER)] == [1, 1, 2]
        with session_of(head) as own, ClusterMachine(head, ANOTHER, MEASURE).session(SPEC, Inputs()) as other:
            assert_each_measures_its_own(head, own, other, ours, theirs)
    assert sum(f"measures for its own kind of machine, {ANOTHER.key}" in note for note in notes) == 2


def test_news_are_there_before_they_are_taken(without_ray: Cluster) -> None:
    may_measure = threading.Semaphore(1)
    without_ray(LanesOpener(slower=lambda: float(may_measure.acquire())))
    with opened() as session:
        measured = session.measure_each(schedules(3).items(), best=None)
        next(measured)
        assert not session.has_news()
        may_measure.release(2)
        assert next(measured)
        measured.close()


def test_a_node_that_changes_from_program_to_program_is_set_aside(without_ray: Cluster) -> None:
    factor = 1.0
    without_ray(LanesOpener(name="a", seconds=0.001), LanesOpener(name="b", slower=lambda: factor, seconds=0.001))
    notes: list[str] = []
    with head_of(notes) as head:
        machine = ClusterMachine(head, MADE_UP, MEASURE)
        for number in range(9):
            factor = 1.0 if number < 6 else 1.5
            with machine.session(SPEC, Inputs()) as session:
                assert len(dict(session.measure_each(schedules(8, first=8 * number).items(), best=None))) == 8
        assert [each.about.name for each in head.timing()] == ["a"]
    assert any("node b measures no more: the same schedule takes 1.50 times" in each for each in notes)


def test_work_of_others_on_a_node_is_told(without_ray: Cluster) -> None:
    without_ray(LanesOpener(name="a", waited=0.01), LanesOpener(name="b", waited=0.8), LanesOpener(name="c"))
    with opened() as session:
        assert len(dict(session.measure_each(schedules(6).items(), best=None))) == 6
        assert session.waited() == 0.8


def test_what_is_too_large_for_one_node_is_measured_where_there_is_more_memory(without_ray: Cluster) -> None:
    wanted = schedules(12)
    hopeless, *_ = wanted.values()
    without_ray(
        LanesOpener(name="a", too_large=frozenset(wanted.values())),
        LanesOpener(name="b", too_large=frozenset([hopeless]), memory=1 << 35),
    )
    with opened() as session:
        found = list(session.measure_each(wanted.items(), best=None))
    assert sorted(key for key, _ in found) == sorted(wanted)
    failed = [key for key, each in found if isinstance(each, Failure)]
    assert failed == [schedule_hash(hopeless)]
