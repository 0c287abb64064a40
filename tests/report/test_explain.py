"""What `hltune explain` prints, from documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from hltune.commands.explain import Explained, in_order
from hltune.report.explain import print_explained, shown_funcs
from hltune.report.explanation import explained
from hltune.schedule.recover import Recovered
from hltune.values.cost import Cost, Heap
from hltune.values.directives import Schedule
from hltune.values.unit import MILLISECONDS
from tests.report.conftest import shown
from tests.report.explained import FOUND, MEASURED, PROFILED, UNREADABLE, advice, explanation, in_turns
from tests.report.test_tables import ROUNDED, VERIFIED
from tests.report.values import CRASH, DSP, SCHEDULE, packets

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
AGAINST = {
    "name": "mine",
    "other": "theirs",
    "same_program": False,
    "measured_speedup": None,
    "measured_interval": None,
    "tie": None,
    "differences": None,
}


def schedule(name: str, *, profiled: bool) -> dict[str, Any]:
    measured = {"share": 1.0, "cost": 2000.0} if profiled else None
    func = {"name": "out", "measured": measured, "predicted": {"share": 1.0, "ms": 0.25}, "disagree": False}
    document: dict[str, Any] = {"name": name, "cost": 2000.0, "unit": "packets", "spread": 0.0, "predicted_ms": 0.25}
    document["repaired"] = False
    document |= {"not_looked_for": None, "together": []}
    parts = {"profile": PROFILE if profiled else None, "failures": [], "advice": [], "funcs": [func], "loops": []}
    return {**document, **parts}


@pytest.mark.parametrize(("profiled", "what"), [(True, "measured packets"), (False, "predicted ms")])
def test_two_schedules_are_compared_in_one_unit(
    capsys: pytest.CaptureFixture[str], *, profiled: bool, what: str
) -> None:
    """Where only one of them could be profiled, by what is predicted of both."""
    both = [schedule("mine", profiled=True), schedule("theirs", profiled=profiled)]
    print_explained(
        Console(width=200),
        {"pipeline": "blur", "also": [], "verification": None, "against": AGAINST, "schedules": both},
    )
    table = capsys.readouterr().out.partition(f"mine against theirs, {what}")[2]
    (row,) = [line.split() for line in table.splitlines() if line.startswith("out ")]
    assert row == ["out", *(["2,000"] * 2 if profiled else ["0.25"] * 2), "+0"]


def test_no_milliseconds_stand_beside_packets(capsys: pytest.CaptureFixture[str]) -> None:
    """A prediction in another unit than what was measured says nothing."""
    counted = schedule("mine", profiled=True)
    for found, said in ((counted, False), ({**counted, "unit": "ms"}, True)):
        print_explained(
            Console(width=200),
            {"pipeline": "blur", "also": [], "verification": None, "against": None, "schedules": [found]},
        )
        assert ("by T0" in capsys.readouterr().out) == said


def text_of(*schedules: Explained) -> str:
    return shown(lambda console: print_explained(console, explained(explanation(*schedules))))


def test_what_was_tried_is_ordered_by_what_it_brought(snapshot: SnapshotAssertion) -> None:
    kinds = [each.fault.kind for each in in_order(FOUND).advice or ()]
    assert kinds == ["much faster", "a little faster", "not measured", "a tie", "slower", "crashing", "hopeless"]
    assert text_of(in_order(FOUND)) == snapshot


def test_faults_with_the_same_remedy_are_said_together() -> None:
    """What is to be done is said once, under all that it is for."""
    slow, idle, other = (advice(kind, untried=1) for kind in ("slow", "idle", "other"))
    found = replace(FOUND, beside=None, advice=(slow, other, replace(idle, change=slow.change)))
    lines = [line.strip() for line in text_of(found).splitlines()]
    (first,) = (at for at, line in enumerate(lines) if line.startswith("1. out is slow"))
    assert [line.partition(" (")[0] for line in lines[first + 1 : first + 3]] == [
        "out is idle",
        "predicted 2.00 times as fast; not tried: 2 changes",
    ]
    (added,) = (line for line in lines if line == "+ out.parallel(slow)")
    assert lines[lines.index(added) + 1].startswith("2. out is other")


def test_a_tie_has_an_interval_and_does_not_help() -> None:
    (document,) = explained(explanation(FOUND))["schedules"]
    tie, slower, crash, *_, hopeless = document["advice"]
    assert tie["tie"] and tie["helps"] is False and tie["measured_interval"][0] < 1 < tie["measured_interval"][1]
    assert slower["helps"] is False and slower["measured_speedup"] == pytest.approx(0.5)
    assert crash["helps"] is None and crash["failure"] and hopeless["untried"] == 3


FEW = in_turns(2.0, 2.0, 3.0)
SLOW = Cost(unit=MILLISECONDS, turns=((1.0,),), pruned=True)


@pytest.mark.parametrize(
    ("beside", "measured", "interval", "helps", "said"),
    [
        (FEW, in_turns(1.0, 1.0, 1.5), None, None, "2.00 times as fast, in too few turns to be sure"),
        (in_turns(2.0), in_turns(2.0), None, None, "a tie, in too few turns to be sure"),
        (MEASURED, SLOW, None, False, "500.00 times as slow, it does not help"),  # of which one round is enough
        (SLOW, MEASURED, None, True, "500.00 times as fast"),
        (packets(2000), packets(1000), [2.0, 2.0], True, "2.00 times as fast"),
        (packets(1001), packets(1000), [1.001, 1.001], True, "less than 1.01 times as fast"),
    ],
)
def test_of_few_rounds_nothing_is_sure(
    beside: Cost, measured: Cost, interval: list[float] | None, helps: bool | None, said: str
) -> None:
    found = replace(FOUND, beside=beside, advice=(advice("slow", measured=measured),))
    (document,) = explained(explanation(found))["schedules"][0]["advice"]
    found_interval = document["measured_interval"]
    assert (found_interval and pytest.approx(found_interval), document["helps"]) == (interval, helps)
    assert document["tie"] == (None if helps is None else False)
    assert f"; measured {said}\n" in text_of(found)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ((1.9, 2.1, 2.0, 2.9, 3.1, 2.0), "a tie (95% interval 0.95 to 1.05), not sure that it helps"),
        ((2.01, 2.1, 2.0, 2.98, 3.1, 2.0), "a tie (95% interval 0.95 to 1.01), it does not help"),
        ((2.0, 2.0, 2.0, 3.0, 3.0, 2.0), "a tie, it does not help"),
    ],
)
def test_a_tie_that_may_hide_a_gain_does_not_say_that_nothing_helps(times: tuple[float, ...], said: str) -> None:
    found = replace(FOUND, advice=(advice("slow", measured=in_turns(*times)),))
    assert f"; measured {said}\n" in text_of(found)


def test_heap_at_a_time_and_in_all_are_told_apart() -> None:
    """What the profiler says is a peak; what `compare` shows is the sum of a call."""
    profile = replace(PROFILED, heap_peak_bytes=291 << 10, allocations=120.0)
    heap = Heap(allocations=120, bytes=6 << 20, peak_bytes=1 << 18, largest_mapped_bytes=0)
    found = replace(FOUND, profile=profile, measured=replace(MEASURED, heap=heap))
    assert "heap at most 291 KiB at a time, 6 MiB in all per call (120 buffers)\n" in text_of(found)
    assert "heap at most 291 KiB at a time, 120 buffers per call\n" in text_of(replace(found, measured=MEASURED))
    unseen = replace(found, profile=replace(profile, heap_peak_bytes=0, allocations=0.0))  # by the profiler
    assert "heap 6 MiB in all per call (120 buffers)\n" in text_of(unseen)


def test_what_was_changed_to_stay_inside_is_said_to_be() -> None:
    inside = replace(MEASURED, repair=SCHEDULE)
    plain = replace(FOUND, advice=(advice("slow", measured=MEASURED),))
    for found, number in ((plain, 0), (replace(plain, measured=inside, advice=(advice("slow", measured=inside),)), 2)):
        result = replace(explanation(found), others={"theirs": found.measured or CRASH})
        document = explained(result)
        (schedule,), (other,) = document["schedules"], document["others"]
        assert [each["repaired"] for each in (schedule, *schedule["advice"], other)] == [number > 0] * 3
        assert text_of(found).count("was changed to stay inside of its images") == number


def test_what_others_left_no_room_for_is_not_measured() -> None:
    found = replace(FOUND, advice=(advice("slow"), advice("hopeless", change=False)))
    for beside, said in ((MEASURED, True), (None, False)):  # None: nobody wanted to measure changes
        (document,) = explained(explanation(replace(found, beside=beside)))["schedules"]
        assert [each["left_out"] for each in document["advice"]] == [said, False]
        assert ("not measured, for others are predicted to help more" in text_of(replace(found, beside=beside))) == said


def test_what_failed_has_the_unit_of_the_machine() -> None:
    result = replace(explanation(FOUND), machine=DSP, others={"broken": CRASH})
    assert [each["unit"] for each in explained(result)["others"]] == ["packets"]


def test_nothing_is_said_where_nobody_looked() -> None:
    silent = replace(FOUND, advice=None, beside=None)
    said = "what limits it was not looked for: "
    assert f"{said}its program could not be read\n" in text_of(replace(silent, account=UNREADABLE))
    own = replace(silent, schedule=Schedule(base="author"))
    assert f"{said}directives cannot say all of this schedule\n" in text_of(own)
    result = explanation(own)
    lost = replace(result.subject, recovered=Recovered(schedule=SCHEDULE, lost=("prefetch (out)", "specialize (out)")))
    (found,) = explained(replace(result, subject=lost))["schedules"]
    left_out = "directives cannot say all of this schedule, which has prefetch (out), specialize (out)"
    assert found["not_looked_for"] == f"{said}{left_out}"
    (unknown,) = explained(replace(explanation(silent), root=UNREADABLE))["schedules"]
    assert unknown["not_looked_for"].startswith(f"{said}the program of every Func at root")
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


def test_what_is_hidden_is_added_up() -> None:
    def row(name: str, measured: float | None, predicted: float | None) -> dict[str, Any]:
        seen = None if measured is None else {"share": measured, "cost": 100.0 * measured}
        said = None if predicted is None else {"share": predicted, "ms": predicted}
        return {"name": name, "measured": seen, "predicted": said, "disagree": False}

    rows = [row("out", 0.98, 0.5), row("a", 0.009, 0.4), row("b", 0.008, 0.004), row("c", None, 0.006)]
    *shown, others = shown_funcs(rows)
    assert shown == rows[:2]
    assert others["name"] == "2 others" and others["measured"] == {"share": 0.008, "cost": 0.8}
    assert others["predicted"] == {"share": pytest.approx(0.01)}
    assert shown_funcs(rows[:2]) == rows[:2]


def test_a_fault_of_many_stages_says_so() -> None:
    many = replace(FOUND, advice=(replace(advice("slow"), fault=replace(advice("slow").fault, others=3)),))
    document = explained(explanation(many))
    (found,) = document["schedules"][0]["advice"]
    assert (found["others"], found["measured_share"]) == (3, None)
    printed = shown(lambda console: print_explained(console, document))
    assert "; 3 other stages have such a fault, too (" in " ".join(printed.split())


def test_whose_measured_times_are_one_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    found = schedule("mine", profiled=True)
    found["funcs"][0]["disagree"] = True
    for groups, number in (([["out", "rows"]], 1), ([], 0)):
        together = {**found, "together": groups}
        print_explained(
            Console(width=200),
            {"pipeline": "blur", "also": [], "verification": None, "against": None, "schedules": [together]},
        )
        assert capsys.readouterr().out.count("out, rows have loops in common (compute_with)") == number


def test_the_tolerance_is_printed() -> None:
    """What was verified says little without how exactly."""
    document = explained(replace(explanation(FOUND), verification=VERIFIED))
    printed = shown(lambda console: print_explained(console, document)).splitlines()
    assert [line for line in printed if line.startswith("tolerance")] == [
        f"tolerance of out: {ROUNDED.text} ({ROUNDED.reason})"
    ]
