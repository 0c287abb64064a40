"""`hltune schedule` with a pre-trained ranker: mutants of what searches found take part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hltune.commands import schedule as command
from hltune.commands.attempt import RANKED
from hltune.commands.ranked import Ranked
from hltune.commands.schedule import Scheduled, schedule
from hltune.cost_model.programs import Programs
from hltune.cost_model.scorer import Scores
from hltune.machine.inputs import Inputs
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.sensitivity import every_func_at_root
from hltune.pipeline.source import Source
from hltune.schedule.parse import parse_schedule
from hltune.search.autoschedulers import Adams2019Options, SearchOptions
from hltune.search.pool import SearchPool
from hltune.values.candidate import Candidate
from hltune.values.directives import AlignStorage
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject, SubjectOptions, load_subject
from tests.cache import CACHE
from tests.loading import Unchecked, fresh

DILATE = SubjectOptions(pipeline="dilate3x3", target="host", size=(128, 96))
MEASURED = 3
BEAM = Adams2019Options(parallelism=2, beam_size=4, num_passes=1)


class ByT0:
    """Stands in for a ranker; what it is asked about is unlike all that it has seen."""

    failing = None

    def __call__(self, programs: Programs) -> Scores:
        assert programs.x.shape[1] % 2 == 0  # with what differs from the program at root
        return Scores(mean=programs.log_t0(), spread=np.zeros(len(programs)))

    def unlike(self, programs: Programs) -> bool:
        return len(programs) > 0

    def scaled_t0(self, programs: Programs) -> Scores:
        return self(programs)

    def factor(self, spread: float) -> float:
        return 1.5 + spread


class Notes(list[str]):
    """Somebody who listens."""

    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Scheduled, Notes]]:
    monkeypatch.setattr(command, "default_ranker", lambda *_: ByT0())
    monkeypatch.setattr("hltune.commands.ranked._DRAFTING_S", 120.0)
    monkeypatch.setattr("hltune.commands.ranked.MEASURED", MEASURED)
    monkeypatch.setattr("hltune.tuning.drafts._PER_MUTANT", 4)

    def run(search: SearchOptions = BEAM, *, measuring: bool) -> tuple[Scheduled, Notes]:
        notes = Notes()
        found = schedule(
            DILATE,
            search,
            search_timeout_s=300,
            workspace=Workspace(tmp_path / "ws"),
            measure=MeasureOptions(threads=2, turns=2),
            measuring=measuring,
            inputs=Inputs(),
            directory=None,
            progress=notes,
        )
        return found, notes

    return run


def test_the_most_promising_mutants_are_measured(find: Callable[..., tuple[Scheduled, Notes]]) -> None:
    found, notes = find(measuring=True)
    mutants = [each for each in found.tried if each.step.rung.finder == RANKED]
    assert 0 < len(mutants) <= MEASURED
    assert all(each.measurement is not None and each.predicted is not None for each in mutants)
    assert found.cost is not None and found.verification is not None
    best = min(each.cost.value for each in found.tried if each.cost)
    assert found.cost.value <= 1.3 * best  # measured side by side in the end
    assert any("predictions are guesses" in each and "hltune tune" in each for each in notes)


def test_without_measuring_the_prediction_decides(find: Callable[..., tuple[Scheduled, Notes]]) -> None:
    found, _ = find(measuring=False)
    predictions = [each.predicted.seconds for each in found.tried if each.predicted is not None]
    assert found.cost is None and found.predicted is not None
    assert len(predictions) > 2 and found.predicted.seconds == min(predictions)
    assert found.predicted.factor == 1.5
    assert all(each.measurement is None for each in found.tried)
    assert isinstance(found.candidate.provenance, Mutated) == (found.name == RANKED)


def test_what_else_was_found_takes_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = load_subject(DILATE, Workspace(tmp_path))
    ranker: Any = ByT0()
    with SearchPool(1, timeout_s=60) as pool:
        (probe,) = pool.run(subject.spec, subject.target.name, [replace(BEAM, beam_size=1)])
        assert isinstance(probe, Candidate)
        ranked = Ranked(subject, ranker, pool.workers, cores=2, seed=0, budget_s=60.0, counted=False)
        root = every_func_at_root(subject.spec)
        found = [candidate for candidate, _ in ranked.choose([root], [probe]).values()]
        monkeypatch.setattr("hltune.commands.ranked.mutants", lambda *_, **__: {})
        alone = Ranked(subject, ranker, pool.workers, cores=2, seed=0, budget_s=60.0, counted=False).choose(
            [root], [probe]
        )
    parents = {each.provenance.parent for each in found if each and isinstance(each.provenance, Mutated)}
    assert schedule_hash(probe.schedule) in parents, "what is far better than all that was measured is changed further"
    assert {schedule: candidate for schedule, (candidate, _) in alone.items()} == {root: None, probe.schedule: probe}


def test_memory_that_goes_back_to_the_system_is_kept_by_a_larger_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(kind="module", location="tests.search.flawed", entry="sharpened_roots")
    target = resolve("host")
    spec = fresh(Unchecked(source=source, target=target.name, cache=CACHE))
    subject = Subject(spec=spec, target=target, benchmark=None, hand_written={})
    text = "".join(
        f"{each}.compute_root().split(x, x, v, 16).vectorize(v).parallel(y);" for each in ("rows", "blurred", "sharp")
    ).replace("sharp.compute_root()", "sharp")
    monkeypatch.setattr("hltune.commands.ranked.mutants", lambda *_, **__: {})
    ranker: Any = ByT0()
    with SearchPool(2, timeout_s=60) as pool:
        ranked = Ranked(subject, ranker, pool.workers, cores=2, seed=0, budget_s=60.0, counted=False)
        plain = parse_schedule(text, spec.funcs)
        found = ranked.choose([plain])
    assert found.keys() > {plain}
    made = {schedule for schedule, (candidate, _) in found.items() if candidate is not None}
    assert all(any(isinstance(each, AlignStorage) for each in schedule.directives) for schedule in made)
    assert min(found[each][1].seconds for each in made) < 0.95 * found[plain][1].seconds


def test_who_asks_for_another_search_gets_it(find: Callable[..., tuple[Scheduled, Notes]]) -> None:
    limited = Adams2019Options(parallelism=2, beam_size=4, num_passes=1, memory_limit_bytes=2**20)
    found, _ = find(limited, measuring=False)
    assert found.predicted is None and all(each.step.rung.finder != RANKED for each in found.tried)
