"""A batch depends on seed, number and weights, and on nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from hltune.cost_model.adams2019.weights import builtin_weights
from hltune.pretraining.trials import Trials
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.search.pool import SearchPool
from hltune.values.machine_id import MachineId
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions, load_subject
from tests.pretraining.conftest import make_options
from tests.tuning.recorded import RecordedSession


class ManyWorkers(SearchPool):
    """As on a large computer, or a cluster."""

    def __len__(self) -> int:
        return 40


class RecordedMachine:
    identity = MachineId(cpu="recorded", target="host", threads=2, halide="21.0.0")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def session(self, *_: Any, **__: Any) -> RecordedSession:
        return RecordedSession()


def schedules(pool: SearchPool, folder: Path) -> set[str]:
    """What a batch of one pipeline measures, by hash."""
    folder.mkdir()
    subject = load_subject(SubjectOptions(pipeline="sobel", target="host"), Workspace(folder))
    machine = RecordedMachine()
    with Store(folder / "samples.sqlite", progress=Silent(), wait_s=0) as store, pool:
        trials = Trials(
            options=make_options(),
            initial=builtin_weights(),
            target=subject.target,
            machine=machine,
            pool=pool,
            store=store,
        )
        trials.measure(subject.spec, 0, builtin_weights(), Silent(), wanted=5)
        return set(store.costs(subject.spec.content_hash, machine.identity.key))


def test_it_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    few = schedules(SearchPool(2, timeout_s=60), tmp_path / "few")
    many = schedules(ManyWorkers(2, timeout_s=60), tmp_path / "many")
    assert few == many and len(few) > 5
