"""What goes over the network for each candidate of a large pipeline."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="a cluster needs Ray: pip install 'hltune[cluster]'")

from hltune.cluster import machine, workers
from hltune.cluster.head import Member
from hltune.cluster.machine import ClusterMachine
from hltune.cluster.parcel import Parcel, decode
from hltune.cluster.workers import RemoteWorkers
from hltune.lowered.job import Lowering
from hltune.lowered.many import features_of_each
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.search.autoschedulers import Adams2019Options
from hltune.search.pool import SearchPool
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost
from hltune.values.program_features import ProgramFeatures
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions, load_subject
from tests.cluster.made_up import MADE_UP
from tests.cluster.test_cluster import cluster_of, head_of

pytestmark = [
    pytest.mark.alone,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # Ray's own files
]

_MOST_BYTES = 20_000
"""For a candidate that is searched, lowered and measured."""


class Traffic:
    """Counts the bytes of all messages to nodes and from them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._bytes = 0
        call = Member.call

        def counted_call(member: Member, *sent: Any, parcel: Parcel | None = None, **named: Any) -> Any:
            self._bytes += len(pickle.dumps((sent, named, parcel and parcel.data)))
            return call(member, *sent, parcel=parcel, **named)

        def counted_decode(data: bytes) -> Any:
            self._bytes += len(data)
            return decode(data)

        monkeypatch.setattr(Member, "call", counted_call)
        for module in (machine, workers):
            monkeypatch.setattr(module, "decode", counted_decode)

    def since(self) -> int:
        """Bytes since the last time."""
        found, self._bytes = self._bytes, 0
        return found


@pytest.mark.long
@pytest.mark.parametrize("name", ["harris", "local_laplacian", "stencil_chain"])
def test_a_pipeline_travels_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = load_subject(SubjectOptions(pipeline=name, target="host"), Workspace(tmp_path))
    spec, target = subject.spec, subject.target
    lowering = Lowering(spec=spec, target=target, cores=2)
    spent: list[dict[str, int]] = []
    with cluster_of({}), head_of([]) as head, SearchPool(RemoteWorkers(head), timeout_s=120) as pool:
        traffic = Traffic(monkeypatch)
        with ClusterMachine(head, MADE_UP, MeasureOptions(threads=2)).session(spec, Inputs()) as session:
            session.ready()
            for seed in range(3):
                (found,) = pool.run(spec, target.name, [Adams2019Options(parallelism=2, beam_size=1, seed=seed)])
                assert isinstance(found, Candidate) and found.features is not None
                searched = traffic.since()
                schedules = {schedule_hash(found.schedule): found.schedule}
                ((_, program),) = features_of_each(lowering, schedules, pool.workers)
                assert isinstance(program, ProgramFeatures)
                lowered = traffic.since()
                ((_, cost),) = session.measure_each(schedules.items(), best=None)
                assert isinstance(cost, Cost)
                spent.append({"searched": searched, "lowered": lowered, "measured": traffic.since()})
    first, *later = spent
    assert first["searched"] > len(pickle.dumps(spec)) / 10  # it is compressed
    assert all(sum(each.values()) < _MOST_BYTES for each in later), spent
