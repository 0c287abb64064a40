"""Computers of several kinds in one cluster: a user names one, and others measure for themselves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="a cluster needs Ray: pip install 'hltune[cluster]'")

from dataclasses import replace

from hltune.cluster import kinds, node
from hltune.cluster.head import Head
from hltune.cluster.machine import ClusterMachine
from hltune.cluster.stream import TOGETHER
from hltune.cluster.survey import survey
from hltune.commands.place import find_computers
from hltune.commands.tune import tune
from hltune.machine.inputs import Inputs
from hltune.machine.open import this_computer
from hltune.machine.options import MeasureOptions
from hltune.report.cluster import document
from hltune.samples.reader import Reader
from hltune.tuning.options import Budget
from hltune.values.errors import HltuneError, InputError
from hltune.workspace.record import TUNED
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions, load_subject
from tests.cluster import real
from tests.cluster.made_up import ANOTHER, MADE_UP, MadeUpOpener, assert_each_measures_its_own
from tests.cluster.test_cluster import cluster_of, schedules
from tests.pretraining.conftest import Recorder, make_options, run
from tests.samples import stored
from tests.tuning import conftest as tuning

# Ray's own files.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

MEASURE = MeasureOptions(threads=2)


class Listener(Recorder):
    """Of tuning."""

    def begin(self, *_: Any, **__: Any) -> None: ...

    def expects(self, *_: Any) -> None: ...

    def round_done(self, *_: Any) -> None: ...


@pytest.fixture
def real_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nodes measure, each as a computer of its own, and some of them pretend to be of another kind."""
    monkeypatch.setattr(node, "OpenMachine", real.OpenForEachNode)
    monkeypatch.setattr(node, "OpenForItself", real.OpenEachForItself)
    monkeypatch.setattr(kinds, "describe", real.describe)
    with cluster_of({}, {"other_cpu": 1}):
        yield


@pytest.mark.alone
@pytest.mark.long
def test_each_kind_measures_for_itself() -> None:
    notes: list[str] = []
    ours, theirs = schedules(12), schedules(30)
    with (
        cluster_of({}, {"other_cpu": 1}, {"other_cpu": 1}, {"other_hardware": 1}),
        Head("auto", MadeUpOpener(seconds=0.05), MADE_UP, notes.append, others=True) as head,
    ):
        assert head.others() == [ANOTHER]
        assert [len(head.timing(each)) for each in (None, MADE_UP, ANOTHER)] == [1, 1, 2]
        spec = tuning.load("blur").spec
        with (
            ClusterMachine(head, MADE_UP, MEASURE).session(spec, Inputs()) as own,
            ClusterMachine(head, ANOTHER, MEASURE).session(spec, Inputs()) as other,
        ):
            assert_each_measures_its_own(head, own, other, ours, theirs)
    assert sum(f"measures for its own kind of machine, {ANOTHER.key}" in note for note in notes) == 2


@pytest.mark.alone
@pytest.mark.long
def test_news_are_there_before_they_are_taken() -> None:
    with (
        cluster_of({}),
        Head("auto", MadeUpOpener(seconds=0.3), MADE_UP, lambda _: None) as head,
        ClusterMachine(head, MADE_UP, MEASURE).session(tuning.load("blur").spec, Inputs()) as session,
    ):
        measured = session.measure_each(schedules(3).items(), best=None)
        assert len(list(islice(measured, TOGETHER))) == TOGETHER
        assert not session.has_news()  # the next one takes a third of a second
        assert next(measured)
        head.set_aside(head.timing()[0], "for this test")
        measured.close()


@pytest.mark.alone
@pytest.mark.long
def test_where_nobody_of_the_kind_measures_it_is_said() -> None:
    notes: list[str] = []
    with (
        cluster_of({}),
        Head("auto", MadeUpOpener(), ANOTHER, notes.append, place="by --machine") as head,
        pytest.raises(HltuneError, match="no node of the cluster measures") as caught,
    ):
        ClusterMachine(head, ANOTHER, MEASURE).session(tuning.load("blur").spec, Inputs())
    assert "cpu made up, and another by --machine" in str(caught.value) and any("another machine" in n for n in notes)


@pytest.mark.alone
@pytest.mark.long
@pytest.mark.usefixtures("real_nodes")
def test_a_user_tunes_for_computers_that_are_not_like_this_one(tmp_path: Path) -> None:
    """Two real nodes, one of which pretends to be of another kind: only that one measures, and only as what it is."""
    told = Recorder()
    assert {each.kind.cpu for each in survey("auto", told.note)} == {this_computer().cpu, real.OTHER_CPU}
    assert find_computers("auto", this_computer().key, "host", told) is None
    with pytest.raises(InputError, match="no computer of the cluster is called so"):
        find_computers("auto", "Yet another", "host", told)
    elsewhere = find_computers("auto", "another 9", "host", told)
    assert elsewhere is not None and elsewhere.cpu == real.OTHER_CPU
    workspace = Workspace(tmp_path)
    asked = SubjectOptions(pipeline="sobel", target="host", host=elsewhere.target, size=(256, 256))
    subject = load_subject(asked, workspace)
    progress = Listener()
    result = tune(
        [subject],
        replace(tuning.make_options(batch=4, beams=1, finalists=2), budget=Budget(rounds=1)),
        workspace=workspace,
        measure=MeasureOptions(threads=elsewhere.threads, turns=2, elsewhere=elsewhere),
        inputs=Inputs(),
        progress=progress,
        cluster="auto",
    )
    (tuned,) = result.results
    assert tuned.machine.cpu == real.OTHER_CPU and tuned.machine.threads == elsewhere.threads
    with Reader(workspace.samples) as reader:
        assert {each.cpu for each in stored.machines(reader)} == {real.OTHER_CPU}
    assert [each.name for each in workspace.records(subject.spec, tuned.machine)] == [TUNED]
    here = replace(tuned.machine, cpu=this_computer().cpu)
    assert workspace.records(subject.spec, here) == []
    assert all(tuned.machine.key in each.parts for each in tuned.files)
    assert real.OTHER_CPU in tuned.files[0].read_text()
    assert sum("searches only" in each and "by --machine" in each for each in progress.notes) == 1


@pytest.mark.alone
@pytest.mark.long
@pytest.mark.usefixtures("real_nodes")
def test_pretraining_fills_the_stores_of_two_kinds(tmp_path: Path) -> None:
    told = Recorder()
    options = make_options(batches=1, schedules=4)
    run(tmp_path, options, told, cluster="auto")
    with Reader(tmp_path / "samples.sqlite") as reader:
        found = {each.cpu: each for each in stored.machines(reader)}
        assert found.keys() == {this_computer().cpu, real.OTHER_CPU}
        (program,) = reader.pipelines()
        own, other = (set(reader.costs(program, found[cpu].key)) for cpu in (this_computer().cpu, real.OTHER_CPU))
        assert len(own) == told.batches[0].measured and len(other) > 1
        assert other <= own  # on the same computer, searches find the same schedules
        assert found[real.OTHER_CPU].threads == found[this_computer().cpu].threads
    assert any("measures for its own kind of machine" in each for each in told.notes)
    assert any(each.startswith(f"{len(other)} schedules were measured for {real.OTHER_CPU}") for each in told.notes)


@pytest.mark.usefixtures("real_nodes")
def test_status_says_which_kinds_there_are() -> None:
    found = survey("auto", lambda _: None)
    listed = document([], found)["kinds"]
    assert {each["cpu"]: each["computers"] for each in listed} == {this_computer().cpu: 1, real.OTHER_CPU: 1}
    assert {each["key"] for each in listed} == {each.kind.key for each in found}
