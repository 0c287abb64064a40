"""What `hltune explain` prints, from documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from hltune.commands.explain import Explained, Explanation, in_order
from hltune.lowered.account import Account
from hltune.report.explain import print_explained
from hltune.report.explanation import explained
from hltune.search.advice import Advice
from hltune.search.faults import Fault
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Parallel, Schedule
from hltune.values.errors import Failure
from hltune.values.profile import Part, Profile
from hltune.values.roles import Stage
from hltune.values.unit import MILLISECONDS
from tests.report.conftest import shown
from tests.report.values import CRASH, HOST, SCHEDULE, SUBJECT

PROFILE = {
    "cost": 2000.0,
    "counted": True,
    "overhead": 0.1,
    "runs": 1,
    "samples": 2000,
    "threads": 1.0,
    "heap_peak_bytes": 0,
    "allocations": 0,
}


def schedule(name: str, *, profiled: bool) -> dict[str, Any]:
    measured = {"share": 1.0, "cost": 2000.0} if profiled else None
    func = {"name": "out", "measured": measured, "predicted": {"share": 1.0, "ms": 0.25}, "disagree": False}
    document = {"name": name, "cost": 2000.0, "unit": "packets", "spread": 0.0, "predicted_ms": 0.25}
    parts = {"profile": PROFILE if profiled else None, "failures": [], "advice": [], "funcs": [func], "loops": []}
    return {**document, **parts}


@pytest.mark.parametrize(("profiled", "what"), [(True, "measured packets"), (False, "predicted ms")])
def test_two_schedules_are_compared_in_one_unit(
    capsys: pytest.CaptureFixture[str], *, profiled: bool, what: str
) -> None:
    """Where only one of them could be profiled, by what is predicted of both."""
    both = [schedule("mine", profiled=True), schedule("theirs", profiled=profiled)]
    print_explained(Console(width=200), {"pipeline": "blur", "schedules": both})
    table = capsys.readouterr().out.partition(f"mine against theirs, {what}")[2]
    (row,) = [line.split() for line in table.splitlines() if line.startswith("out ")]
    assert row == ["out", *(["2,000"] * 2 if profiled else ["0.25"] * 2), "+0"]


ACCOUNT = Account(bodies=(), allocations=(), terms={"compute": 2e-3}, launches=0.0)
UNREADABLE = Failure(stage="read", kind="error", message="a lowered program that this version cannot read")
CHANGE = Schedule((Parallel(Stage("out"), "y"),))
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


def advice(kind: str, *, measured: Measurement | None = None, change: bool = True, untried: int = 0) -> Advice:
    fault = Fault(kind=kind, stage=Stage("out"), seconds=1e-3, text=f"is {kind}", changes=(CHANGE,) * 9)
    found = Advice(fault=fault, untried=untried)
    return replace(found, change=CHANGE, seconds=1e-3, measured=measured) if change else found


MEASURED = in_turns(2.0, 2.0, 2.0, 3.0, 3.0)
FOUND = Explained(
    name="tuned",
    schedule=SCHEDULE,
    measured=MEASURED,
    profile=PROFILED,
    account=ACCOUNT,
    advice=(
        advice("a tie", measured=in_turns(1.9, 2.1, 2.0, 2.9, 3.1)),
        advice("slower", measured=in_turns(4.0, 4.0, 4.1, 6.0, 6.0)),
        advice("crashing", measured=CRASH),
        advice("a little faster", measured=in_turns(1.7, 1.8, 1.7, 2.5, 2.5)),
        advice("much faster", measured=in_turns(1.0, 1.1, 1.0, 1.5, 1.5)),
        advice("not measured", untried=1),
        advice("hopeless", change=False, untried=3),
    ),
    beside=MEASURED,
)


def explanation(*schedules: Explained) -> Explanation:
    return Explanation(
        subject=SUBJECT, machine=HOST, schedules=schedules, root=ACCOUNT, caches=(), others={}, bandwidth_bound=None
    )


def text_of(*schedules: Explained) -> str:
    return shown(lambda console: print_explained(console, explained(explanation(*schedules))))


def test_what_was_tried_is_ordered_by_what_it_brought(snapshot: SnapshotAssertion) -> None:
    kinds = [each.fault.kind for each in in_order(FOUND).advice or ()]
    assert kinds == ["much faster", "a little faster", "not measured", "a tie", "slower", "crashing", "hopeless"]
    assert text_of(in_order(FOUND)) == snapshot


def test_a_tie_has_an_interval_and_does_not_help() -> None:
    (document,) = explained(explanation(FOUND))["schedules"]
    tie, slower, crash, *_, hopeless = document["advice"]
    assert tie["tie"] and tie["helps"] is False and tie["measured_interval"][0] < 1 < tie["measured_interval"][1]
    assert slower["helps"] is False and slower["measured_speedup"] == pytest.approx(0.5)
    assert crash["helps"] is None and crash["failure"] and hopeless["untried"] == 3


def test_nothing_is_said_where_nobody_looked() -> None:
    silent = replace(FOUND, advice=None, beside=None)
    assert "what limits it was not looked for" in text_of(silent)
    both = text_of(replace(FOUND, advice=()), replace(silent, name="other"))
    assert both.count("limits it") == both.count("nothing known limits it") == 1


def test_medians_tell_how_much_a_profiler_costs() -> None:
    """The fastest repeat is no run like the others: here half of them take as long as those that are profiled."""
    (document,) = explained(explanation(replace(FOUND, measured=in_turns(1.0, 2.4, 2.4))))["schedules"]
    assert document["profile"]["overhead"] == pytest.approx(0.0)


def test_what_was_measured_is_said_of_a_program_that_cannot_be_read() -> None:
    unreadable = replace(FOUND, account=UNREADABLE, advice=None, beside=None)
    document = explained(replace(explanation(unreadable), root=UNREADABLE))
    (found,) = document["schedules"]
    assert found["funcs"][0]["measured"]["share"] == 1.0 and [each["stage"] for each in found["failures"]] == ["read"]
    readable = explained(replace(explanation(FOUND), root=UNREADABLE))["schedules"][0]
    assert len(readable["failures"]) == 1, "what is needed is not known"
