"""A schedule with advice, as `explain` returns it."""

from __future__ import annotations

from dataclasses import replace

from hltune.commands.explain import Explained, Explanation
from hltune.lowered.account import Account
from hltune.lowered.estimate import TERMS
from hltune.search.advice import Advice
from hltune.search.fault import Fault
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Parallel, Schedule
from hltune.values.errors import Failure
from hltune.values.profile import Part, Profile
from hltune.values.roles import Stage
from hltune.values.unit import MILLISECONDS
from tests.report.values import CRASH, HOST, SCHEDULE, SUBJECT

ACCOUNT = Account(
    bodies=(),
    allocations=(),
    held=(),
    terms=dict.fromkeys(TERMS, 0.0) | {"compute": 2e-3},
    launches=0.0,
    program_hash="one",
)
UNREADABLE = Failure(stage="read", kind="error", message="a lowered program that this version cannot read")
PROFILED = Profile(
    seconds=2.4e-3,
    runs=9,
    parts=(Part(name="out", samples=100, threads=2.0),),
    threads=2.0,
    heap_peak_bytes=0,
    allocations=0,
)


def in_turns(*milliseconds: float) -> Cost:
    return Cost(unit=MILLISECONDS, turns=tuple((each / 1e3,) for each in milliseconds))


def change_of(kind: str) -> Schedule:
    """The change that a fault is advised."""
    return Schedule((Parallel(Stage("out"), kind.replace(" ", "_")),))


def advice(kind: str, *, measured: Measurement | None = None, change: bool = True, untried: int = 0) -> Advice:
    new = change_of(kind)
    fault = Fault(kind=kind, stage=Stage("out"), seconds=1e-3, text=f"is {kind}", remedy=lambda: iter((new,) * 9))
    found = Advice(fault=fault, untried=untried)
    return replace(found, change=new, seconds=1e-3, measured=measured) if change else found


MEASURED = in_turns(2.0, 2.0, 2.0, 3.0, 3.0, 2.0)
FOUND = Explained(
    name="tuned",
    schedule=SCHEDULE,
    measured=MEASURED,
    profile=PROFILED,
    account=ACCOUNT,
    advice=(
        advice("a tie", measured=in_turns(1.9, 2.1, 2.0, 2.9, 3.1, 2.0)),
        advice("slower", measured=in_turns(4.0, 4.0, 4.1, 6.0, 6.0, 4.0)),
        advice("crashing", measured=CRASH),
        advice("a little faster", measured=in_turns(1.7, 1.8, 1.7, 2.5, 2.5, 1.7)),
        advice("much faster", measured=in_turns(1.0, 1.1, 1.0, 1.5, 1.5, 1.0)),
        advice("not measured", untried=1),
        advice("hopeless", change=False, untried=3),
    ),
    beside=MEASURED,
)


def explanation(*schedules: Explained) -> Explanation:
    return Explanation(
        subject=SUBJECT, machine=HOST, schedules=schedules, root=ACCOUNT, caches=(), others={}, bandwidth_bound=None
    )
