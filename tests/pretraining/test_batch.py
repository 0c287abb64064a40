"""A batch depends on seed, number and weights, and on nothing else."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, Self

import pytest

from hltune.cost_model.adams2019.weights import builtin_weights
from hltune.machine.open import resolve
from hltune.pretraining.batch import Batcher
from hltune.pretraining.others import Others
from hltune.pretraining.trials import RejectedError, Trial, Trials
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.search.pool import SearchPool
from hltune.tuning.history import History
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, InputError, JobFailed, NothingRuns, Refused
from hltune.values.machine_id import MachineId
from hltune.values.sample import PipelineRecord
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions, load_subject
from tests.pretraining.conftest import make_options
from tests.samples.values import SPEC, sample
from tests.tuning.recorded import RecordedSession


class ManyWorkers(SearchPool):
    """As on a large computer, or a cluster."""

    def __len__(self) -> int:
        return 40


@dataclass
class RecordedMachine:
    """Args: error: why nobody knows what is expected."""

    error: HltuneError | None = None
    identity = MachineId(cpu="recorded", target="host", threads=2, halide="21.0.0")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def session(self, *_: Any, **__: Any) -> RecordedSession:
        return Unready(self.error) if self.error else RecordedSession()


class Unready(RecordedSession):
    def __init__(self, error: HltuneError) -> None:
        super().__init__()
        self._error = error

    def ready(self) -> None:
        raise self._error


def make_trials(machine: RecordedMachine, pool: Any, store: Store) -> Trials:
    return Trials(
        options=make_options(),
        initial=builtin_weights(),
        target=resolve("host"),
        machine=machine,
        pool=pool,
        store=store,
    )


def schedules(pool: SearchPool, folder: Path) -> set[str]:
    """What a batch of one pipeline measures, by hash."""
    folder.mkdir()
    spec = load_subject(SubjectOptions(pipeline="sobel", target="host"), Workspace(folder)).spec
    machine = RecordedMachine()
    with Store(folder / "samples.sqlite", progress=Silent(), wait_s=0) as store, pool:
        make_trials(machine, pool, store).measure(spec, 0, builtin_weights(), Silent(), wanted=5)
        return set(store.costs(spec.content_hash, machine.identity.key))


def test_it_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    few = schedules(SearchPool(2, timeout_s=60), tmp_path / "few")
    many = schedules(ManyWorkers(2, timeout_s=60), tmp_path / "many")
    assert few == many and len(few) > 5


FULL = Refused.by_system("[Errno 28] No space left on device")
DAMAGED = JobFailed(Failure(stage="program", kind="error", message="ValueError: not a program"))
LATE = JobFailed(Failure(stage="tolerance", kind="timeout", message="took longer than its limit of 20 s"))
NO_MEMORY = JobFailed(Failure(stage="program", kind="memory", message="exceeded its memory limit of 1 MiB"))


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches have found something."""
    monkeypatch.setattr(Trials, "_search", lambda *_, **__: {})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "samples.sqlite", progress=Silent(), wait_s=0) as opened:
        yield opened


@pytest.mark.usefixtures("searched")
@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (FULL, Refused),
        (NO_MEMORY, JobFailed),
        (HltuneError("no node of the cluster measures"), HltuneError),
        (LATE, RejectedError),
        (InputError("the pipeline crashes on these inputs, whatever its schedule"), RejectedError),
        (NothingRuns("the pipeline does not finish within its limits, whatever its schedule"), RejectedError),
    ],
)
def test_only_what_is_the_programs_own_fault_rejects_it(
    store: Store, error: HltuneError, raised: type[Exception]
) -> None:
    trials = make_trials(RecordedMachine(error), None, store)
    with pytest.raises(raised) as caught:
        trials.measure(SPEC, 0, builtin_weights(), Silent(), wanted=5)
    assert caught.value is error or caught.value.__cause__ is error


class FailingMaker:
    def __init__(self, error: JobFailed) -> None:
        self._error = error

    def run(self, _: object) -> NoReturn:
        raise self._error


def test_without_a_usable_program_nobody_is_told_to_throw_weights_away_first(store: Store) -> None:
    trials = make_trials(RecordedMachine(), None, store)

    def run(error: JobFailed) -> str:
        maker: Any = FailingMaker(error)
        batcher = Batcher(trials=trials, others=Others(list, lambda _: trials), maker=maker)
        with pytest.raises(HltuneError) as caught:
            batcher.run(0, builtin_weights(), Silent())
        return str(caught.value)

    text = run(DAMAGED)
    assert "no random program is usable" in text and "not a program" in text
    assert text.index("the same command again") < text.index("--fresh")
    assert run(NO_MEMORY) == str(NO_MEMORY)


class BusySession(RecordedSession):
    """Others have the processors for so many passes; then times are short."""

    def __init__(self, busy: int) -> None:
        super().__init__()
        self.passes, self._busy = 0, busy

    def waited(self) -> float | None:
        return 0.5 if self.passes <= self._busy else 0.02

    def measure_each(
        self,
        schedules: Iterable[tuple[str, Schedule]],
        *,
        best: float | None,  # noqa: ARG002
    ) -> Generator[tuple[str, Measurement]]:
        self.passes += 1
        for number, (key, schedule) in enumerate(schedules):
            cost = self.cost(schedule)
            assert isinstance(cost, Cost)
            if self.passes <= self._busy:
                cost = LATE.failure if number == 0 else replace(cost, turns=((1.0,),))
            yield key, REFUSED if schedule == sample(3).schedule else cost


REFUSED = Failure(stage="compile", kind="error", message="no")


@pytest.mark.parametrize(("busy", "passes"), [(0, 1), (1, 2), (9, 3)])
def test_what_is_measured_while_others_work_is_measured_again(store: Store, busy: int, passes: int) -> None:
    """Its times are too long, and nobody else would ever measure it again."""
    session, machine = BusySession(busy), RecordedMachine()
    store.add_pipeline(PipelineRecord.of(SPEC))
    candidates = {
        each.schedule_hash: Candidate(schedule=each.schedule, provenance=each.provenance)
        for each in map(sample, range(5))
    }
    trial = Trial(session=session, history=History(SPEC, machine.identity, store), candidates=candidates, programs={})
    assert len([each for each in trial.measure() if each is not None]) == 5 and session.passes == passes
    costs = store.costs(SPEC.content_hash, machine.identity.key)
    assert costs.pop(sample(3).schedule_hash) is None
    quiet = [cost is not None and cost < 1.0 for cost in costs.values()]
    assert all(quiet) if busy < passes else not any(quiet)
