from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hltune.cost_model.adams2019.lineage import Lineage
from hltune.cost_model.adams2019.weights import builtin_weights, read_weights
from hltune.machine.open import identify, resolve
from hltune.machine.options import MeasureOptions
from hltune.pipeline.source import Source
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.search.autoschedulers import Adams2019Options
from hltune.search.pool import SearchPool
from hltune.tuning.drafts import Drafts
from hltune.tuning.history import History
from hltune.tuning.model import Model
from hltune.tuning.options import Budget, TuneOptions
from hltune.tuning.searcher import Searcher
from hltune.tuning.tuner import Tuner
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost
from hltune.values.sample import PipelineRecord
from hltune.workspace.records import Workspace
from hltune.workspace.searches import Searches
from hltune.workspace.subject import Subject
from tests.cache import CACHE
from tests.loading import Unchecked, fresh
from tests.tuning.recorded import RecordedSession

THREADS = 2


def load(entry: str) -> Subject:
    source = Source(kind="module", location="tests.machine.pipelines", entry=entry)
    target = resolve("host")
    spec = fresh(Unchecked(source=source, target=target.name, cache=CACHE))
    return Subject(spec=spec, target=target, benchmark=None, hand_written={})


def make_options(**changes: Any) -> TuneOptions:
    search = changes.pop("search", Adams2019Options(parallelism=THREADS, beam_size=4, num_passes=1))
    return TuneOptions(
        search=search, search_timeout_s=60, budget=Budget(rounds=2), **{"batch": 24, "beams": 2} | changes
    )


@pytest.fixture(scope="session")
def blur() -> Subject:
    return load("blur")


@pytest.fixture(scope="session")
def pool() -> Iterator[SearchPool]:
    with SearchPool(2, timeout_s=60) as pool:
        yield pool


@dataclass
class Place:
    """A workspace in which tuners come and go."""

    workspace: Workspace
    subject: Subject
    pool: SearchPool
    session: RecordedSession = field(default_factory=RecordedSession)

    @property
    def machine(self):
        return identify(self.subject.target, MeasureOptions(threads=THREADS))

    @property
    def lineage(self) -> Lineage:
        return Lineage(self.workspace.weights(self.subject.spec, self.machine))

    def store(self) -> Store:
        store = Store(self.workspace.samples, progress=Silent(), wait_s=0)
        store.add_pipeline(PipelineRecord.of(self.subject.spec))
        return store

    def tuner(self, store: Store, options: TuneOptions, seed: int = 0, **known: Any) -> Tuner:
        rng = np.random.default_rng(seed)
        machine = self.machine
        weights = options.search.weights
        memory = Searches(self.workspace.searches(self.subject.spec))
        initial = read_weights(weights) if weights else builtin_weights()
        history = History(self.subject.spec, machine, store, **known)
        return Tuner(
            subject=self.subject,
            options=options,
            measure=MeasureOptions(threads=THREADS),
            history=history,
            model=Model(self.subject.spec, machine.key, initial, self.lineage, freeze=options.freeze),
            session=self.session,
            searcher=Searcher(self.subject, options, self.pool, rng, memory),
            drafts=Drafts(self.subject.spec, self.subject.target, THREADS, self.pool.workers, history),
            rng=rng,
        )

    def mean_log_cost(self, candidates: dict[str, Candidate]) -> float:
        """Of what the machine will say of them; none of them fails."""
        costs = [self.session.cost(each.schedule) for each in candidates.values()]
        return float(np.mean([np.log(cost.value) for cost in costs if isinstance(cost, Cost)]))


@pytest.fixture
def place(tmp_path: Path, blur: Subject, pool: SearchPool) -> Place:
    return Place(Workspace(tmp_path / "ws"), blur, pool)
