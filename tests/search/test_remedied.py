"""Which changes that address faults are drafted, in which order, of accounts that are made up."""

from __future__ import annotations

from hltune.lowered.account import Account, Body
from hltune.lowered.estimate import TERMS
from hltune.lowered.features import BODY
from hltune.schedule.parse import parse_schedule
from hltune.search import remedies
from hltune.search.case import Case
from hltune.search.mutation import ALIKE
from hltune.search.remedied import REMEDY, _everywhere, remedied
from hltune.values.directives import ReorderStorage, Schedule, Vectorize
from hltune.values.pipeline import FuncInfo
from hltune.values.provenance import Mutated
from hltune.values.roles import Stage
from tests.search.made_up import pipeline

FUNCS = tuple(FuncInfo(name=name, args=("x", "y")) for name in ("a", "b", "output"))
READ = {"a": {}, "b": {"a": 10.0}, "output": {"b": 10.0}}
OUTPUT = "output.split(x, xo, xi, 16).vectorize(xi).parallel(y);"


def case(text: str, *, lanes: float = 1.0) -> Case:
    """Bodies that compute so many lanes at once."""
    bodies = tuple(
        Body(
            stage=Stage(func),
            buffer=func,
            levels=(),
            features={**dict.fromkeys(BODY, 0.0), "points": 10.0, "tasks": 8.0, "inner_parallel": 1.0},
            terms={**dict.fromkeys(TERMS, 0.0), "compute": 1.0},
            loaded=loaded,
            run_bytes=0.0,
            element_bytes=4,
            lanes=lanes,
        )
        for func, loaded in READ.items()
    )
    terms = {**dict.fromkeys(TERMS, 0.0), "compute": float(len(bodies))}
    account = Account(bodies=bodies, allocations=(), held=(), terms=terms, launches=0.0, program_hash="")
    schedule = parse_schedule(text, FUNCS)
    return Case(
        spec=pipeline(*FUNCS), schedule=schedule, account=account, root=account, cores=2, vector_bytes=32, caches=()
    )


def made(found: Case) -> list[tuple[tuple[str, ...], Schedule]]:
    candidates = [each for _, each in remedied(found)]
    origins = [each.provenance for each in candidates]
    changes = [each.changes for each in origins if isinstance(each, Mutated)]
    return list(zip(changes, (each.schedule for each in candidates), strict=True))


def vectors(schedule: Schedule) -> set[str]:
    return {each.stage.func for each in schedule.directives if isinstance(each, Vectorize)}


def test_what_is_scheduled_alike_is_changed_alike_first() -> None:
    found = made(case(f"a.compute_root().parallel(y);b.compute_root().parallel(y);{OUTPUT}"))
    (first, both), (second, single) = found[:2]
    assert (first, vectors(both)) == ((REMEDY, ALIKE), {"a", "b", "output"})
    assert (second, vectors(single)) == ((REMEDY,), {"a", "output"})
    schedules = [schedule for _, schedule in found]
    assert len(set(schedules)) == len(schedules)


def test_each_fault_has_its_turn() -> None:
    found = made(case(f"a.compute_root().parallel(y);b.compute_root();{OUTPUT}"))
    plain = [vectors(schedule) for names, schedule in found if names == (REMEDY,)]
    assert plain[:2] == [{"a", "output"}, {"b", "output"}]


def test_without_faults_there_are_none() -> None:
    assert not made(case(f"a.compute_root().parallel(y);b.compute_root().parallel(y);{OUTPUT}", lanes=8.0))


def test_what_is_moved_into_its_consumer_is_moved_alone() -> None:
    """The others have other consumers."""
    before = case(f"a.compute_root().parallel(y);b.compute_root().parallel(y);{OUTPUT}")
    moved, stored = remedies.further_in(before.patient, "a"), remedies.stored_otherwise(before.patient, "a")
    assert all(_everywhere(before, each, None) is None for each in moved)
    for change in stored:
        everywhere = _everywhere(before, change, None)
        assert everywhere is not None
        assert {each.stage.func for each in everywhere.directives if isinstance(each, ReorderStorage)} == {"a", "b"}
        assert _everywhere(before, change, {"a"}) is None
