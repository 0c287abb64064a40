"""Half of what is made of searched schedules is made on purpose, as tuning makes it, and the same on any computer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from hltune.lowered.job import Lowering
from hltune.pretraining.drafting import drafted
from hltune.schedule.parse import parse_schedule
from hltune.search.mutation import ALIKE
from hltune.search.pool import SearchPool
from hltune.search.remedied import MOVE, REMEDY
from hltune.tuning.cases import Cases
from hltune.values.candidate import Candidate
from hltune.values.provenance import Mutated, Named
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.subject import Subject
from tests.tuning.conftest import load

TEXTS = (
    "rows.compute_root(); blurred.split(y, y, yi, 4).parallel(y);",
    "rows.compute_at(blurred, y); blurred.split(y, y, yi, 8).parallel(y);",
)


@pytest.fixture(scope="module")
def pool() -> Iterator[SearchPool]:
    with SearchPool(2, timeout_s=60) as pool:
        yield pool


@pytest.fixture
def blur() -> Subject:
    return load("blur")


def drafts(subject: Subject, pool: SearchPool, workers: int, wanted: int = 16) -> dict[str, Candidate]:
    schedules = [parse_schedule(text, subject.spec.funcs) for text in TEXTS]
    searched = {schedule_hash(each): Candidate(schedule=each, provenance=Named(name="searched")) for each in schedules}
    lowering = Lowering(spec=subject.spec, target=subject.target, cores=2, timeout_s=60.0)
    cases = Cases(lowering=lowering, workers=pool.workers[:workers])
    found = drafted(searched, schedules[0], cases, np.random.default_rng(0), wanted=wanted)
    assert not found.keys() & searched.keys()
    assert all(schedule_hash(each.schedule) == key for key, each in found.items())
    return found


def test_half_is_made_on_purpose_of_the_best_and_spread_among_the_others(blur: Subject, pool: SearchPool) -> None:
    found = drafts(blur, pool, workers=2)
    assert len(found) == 16
    best = schedule_hash(parse_schedule(TEXTS[0], blur.spec.funcs))
    mutants = [each.provenance for each in found.values() if isinstance(each.provenance, Mutated)]
    assert len(mutants) == 16
    purposeful = [
        bool({REMEDY, MOVE} & {*each.changes}) or each.changes in (("scale",), ("scale", ALIKE)) for each in mutants
    ]
    kinds = {each.changes[0] for each in mutants if each.parent == best}
    assert {REMEDY, MOVE} <= kinds
    assert all(each.parent == best for each in mutants if {REMEDY, MOVE} & {*each.changes})
    assert 8 <= sum(purposeful) < 16 and any(purposeful[:4]) and not all(purposeful[:4])


def test_how_many_workers_there_are_makes_no_difference(blur: Subject, pool: SearchPool) -> None:
    assert list(drafts(blur, pool, workers=1)) == list(drafts(blur, pool, workers=2))
