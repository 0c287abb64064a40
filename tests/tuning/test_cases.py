"""Programs of the best schedules are read, a few in each round; then there are changes that address their faults."""

from __future__ import annotations

import math
from itertools import islice

import pytest

from hltune.lowered.account import AccountJob
from hltune.lowered.job import Lowering
from hltune.machine.sensitivity import every_func_at_root
from hltune.schedule.parse import parse_schedule
from hltune.search.mutation import Parent
from hltune.tuning import cases as module
from hltune.tuning.cases import Cases
from hltune.values.directives import Schedule
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import schedule_hash
from tests.tuning.conftest import THREADS, Place


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Schedule]:
    """Schedules that are read."""
    found: list[Schedule] = []

    def job(*, lowering: Lowering, schedule: Schedule) -> AccountJob:
        found.append(schedule)
        return AccountJob(lowering=lowering, schedule=schedule)

    monkeypatch.setattr(module, "_LEAST_LIMIT_S", 60.0)
    monkeypatch.setattr(module, "AccountJob", job)
    return found


def cases(place: Place) -> Cases:
    spec, target = place.subject.spec, place.subject.target
    return Cases(lowering=Lowering(spec=spec, target=target, cores=THREADS), workers=place.pool.workers)


def parents(place: Place) -> list[Parent]:
    """Plain ones, which have faults, and one that directives cannot say."""
    texts = (f"rows.compute_root(); blurred.split(y, y, yi, {rows}).parallel(y);" for rows in (4, 8, 16, 32))
    schedules = [parse_schedule(text, place.subject.spec.funcs) for text in texts]
    return [Parent(Schedule(base="0" * 64), 0.5), *(Parent(each, 1.0 + at) for at, each in enumerate(schedules))]


def test_the_best_are_read_once_and_a_few_at_a_time(place: Place, read: list[Schedule]) -> None:
    found, given = cases(place), parents(place)
    _, *schedules = (each.schedule for each in given)
    expected = [every_func_at_root(place.subject.spec), *schedules[:3]]
    for count in (2, 4, 4):
        found.read(given, end_s=math.inf)
        assert read == expected[:count]
    found.read(given[:3], end_s=math.inf)
    assert found.shares(given[3:]) is None  # which are no parents any more
    shares = found.shares(given)
    assert shares is not None and shares.keys() <= {"rows", "blurred"} and sum(shares.values()) > 0.5


def test_changes_of_the_best_come_first_and_none_comes_twice(place: Place, read: list[Schedule]) -> None:
    found, given = cases(place), parents(place)
    assert not [*found.remedies(given)]
    for _ in range(2):
        found.read(given, end_s=math.inf)
    assert len(read) == 4
    first, rest = ([*each] for each in (islice(found.remedies(given), 2), found.remedies(given)))
    origins = [each.provenance for _, each in (*first, *rest)]
    made_of = [each.parent for each in origins if isinstance(each, Mutated)]
    assert [*dict.fromkeys(made_of)] == [schedule_hash(each.schedule) for each in given[1:4]]
    assert len(first) == 2 and not {key for key, _ in first} & {key for key, _ in rest}
    assert not [*found.remedies(given)]


def test_without_time_nothing_is_read(place: Place, read: list[Schedule]) -> None:
    found, given = cases(place), parents(place)
    found.read(given, end_s=0.0)
    assert not read and found.shares(given) is None
    found.read(given, end_s=math.inf)
    assert read and found.shares(given) is not None


def test_without_the_program_at_root_nothing_is_said(
    place: Place, read: list[Schedule], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = parse_schedule("blurred.vectorize(y);", place.subject.spec.funcs)
    monkeypatch.setattr(module, "every_func_at_root", lambda _: refused)
    found, given = cases(place), parents(place)
    for _ in range(3):
        found.read(given, end_s=math.inf)
        assert found.shares(given) is None and len(read) == 2
