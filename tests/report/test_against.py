"""What `hltune explain` and the page say of two schedules, from made-up results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hltune.commands.explain import Alone, Explained
from hltune.commands.report import Reported
from hltune.report.explain import print_explained
from hltune.report.explanation import explained
from hltune.report.page import reported, write_page
from hltune.values.directives import ComputeRoot, Schedule, Split, Unroll
from hltune.values.roles import Stage
from tests.report.conftest import shown
from tests.report.explained import ACCOUNT, FOUND, PROFILED, UNREADABLE, explanation, in_turns
from tests.report.values import CRASH, SCHEDULE, packets

TUNED = replace(FOUND, measured=in_turns(2.0, 2.0, 2.0, 3.0, 3.0, 2.0), advice=None, beside=None)
NARROW = Schedule((Split(Stage("out"), "x", "x", "xi", 16), *SCHEDULE.directives[1:], ComputeRoot(Stage("rows"))))
NOISE = "what differs here may be noise"


def expert(*milliseconds: float, schedule: Schedule = NARROW, program_hash: str = "other") -> Explained:
    account = replace(ACCOUNT, program_hash=program_hash)
    return replace(TUNED, name="expert", schedule=schedule, measured=in_turns(*milliseconds), account=account)


def against(*both: Explained) -> dict[str, Any]:
    return explained(explanation(*both))["against"]


def lines_of(*both: Explained) -> list[str]:
    return shown(lambda console: print_explained(console, explained(explanation(*both)))).splitlines()


@pytest.mark.parametrize(
    ("other", "tie", "said", "doubt"),
    [
        (expert(2.2, 2.1, 2.3, 3.3, 3.3, 2.2), False, "as fast as expert (95% interval 1.05 to 1.15)", False),
        (expert(1.9, 2.1, 2.0, 2.9, 3.1, 2.0), True, "tuned is in a tie with expert (95% interval 0.95 to 1.05)", True),
        (expert(1.0, 1.0, 1.0, 1.5, 1.5, 1.0), False, "tuned is 2.00 times as slow as expert", False),
        (expert(4.0, 4.0), None, "tuned is 2.00 times as fast as expert, in too few turns to be sure", True),
        (expert(2.0, 2.0), None, "tuned is in a tie with expert, in too few turns to be sure", True),
    ],
)
def test_the_first_line_says_which_one_is_faster(other: Explained, tie: bool | None, said: str, *, doubt: bool) -> None:
    document, lines = against(TUNED, other), lines_of(TUNED, other)
    assert document["tie"] is tie and not document["same_program"]
    assert (document["measured_interval"] is None) == (tie is None)
    assert said in lines[0]
    assert any(NOISE in line for line in lines) == doubt


PARTS = (
    Alone(Schedule((*NARROW.directives, Unroll(Stage("out"), "xi"))), in_turns(1.0, 1.1, 1.0, 1.5, 1.5, 1.0)),
    Alone(Schedule(NARROW.directives[:-1]), in_turns(1.9, 2.1, 2.0, 2.9, 3.1, 2.0)),
    Alone(SCHEDULE, CRASH),
)


def test_what_each_part_of_the_difference_brings_is_said() -> None:
    other = replace(expert(2.2, 2.1, 2.3, 3.3, 3.3, 2.2), beside=in_turns(2.0, 2.0, 2.0, 3.0, 3.0, 2.0))
    document = explained(replace(explanation(TUNED, other), alone=PARTS, not_alone=2))
    one, tie, broken = document["against"]["alone"]
    assert (one["directives"], one["dropped"]) == (["out.unroll(xi)"], []) and one["measured_speedup"] == 2.0
    assert tie["tie"] and tie["dropped"] == ["rows.compute_root()"] and broken["failure"]["message"] == CRASH.message
    printed = shown(lambda console: print_explained(console, document))
    at = printed.index("expert with one of these alone, measured side by side with expert")
    assert "  is 2.00 times as fast as expert (95% interval 1.82 to 2.00)\n    + out.unroll(xi)\n" in printed[at:]
    assert "  is in a tie with expert" in printed[at:] and f"  fails: {CRASH.message}" in printed[at:]
    assert "parts that cannot be alone, or were not measured: 2" in printed[at:]
    failing = replace(explanation(TUNED, replace(other, beside=CRASH)), alone=PARTS)
    assert "is not compared: expert failed beside it" in shown(lambda c: print_explained(c, explained(failing)))


def test_a_wide_interval_has_no_number_in_between() -> None:
    said = against(TUNED, expert(4.0, 2.2, 4.0, 3.3, 6.0, 2.2))["measured_text"]
    assert said == "1.10 to 2.00 times as fast as expert (95% interval: too noisy to say more)"
    assert "too noisy" in lines_of(TUNED, expert(4.0, 2.2, 4.0, 3.3, 6.0, 2.2))[0]


def test_what_is_counted_is_no_noise() -> None:
    counted = replace(PROFILED, counted=True)
    both = [replace(each, profile=counted, measured=packets(2000)) for each in (TUNED, expert(2.0))]
    assert not any(NOISE in line for line in lines_of(*both))


def test_what_did_not_run_is_compared_by_its_directives_alone() -> None:
    both = [replace(each, measured=None, profile=None) for each in (TUNED, expert(2.0))]
    assert against(*both)["measured_speedup"] is None
    assert lines_of(*both)[0].startswith("blur, schedule tuned: not measured")


@pytest.mark.parametrize(
    "other", [expert(2.2, 2.2, program_hash="one"), replace(expert(2.2, schedule=SCHEDULE), account=UNREADABLE)]
)
def test_of_the_same_program_nothing_differs(other: Explained) -> None:
    """Whatever it is called, and however long it took the second time."""
    lines, document = lines_of(TUNED, other), against(TUNED, other)
    assert lines[0] == "tuned and expert are the same program"
    assert not any("tuned against expert" in line for line in lines)
    assert lines.count("where the time goes") == 1 and not any("schedule expert" in line for line in lines)
    assert (document["same_program"], document["measured_speedup"], document["differences"]) == (True, None, [])


def test_what_only_one_of_them_says_is_listed_stage_by_stage() -> None:
    assert against(TUNED, expert(2.0))["differences"] == [
        {"schedule": "expert", "directive": "out.split(x, x, xi, 16, TailStrategy::Auto)"},
        {"schedule": "tuned", "directive": "out.split(x, x, xi, 8, TailStrategy::Auto)"},
        {"schedule": "expert", "directive": "rows.compute_root()"},
    ]
    lines = lines_of(TUNED, expert(2.0))
    at = lines.index("what only tuned (+) or only expert (-) says")
    assert lines[at + 1].startswith("  - out.split(x, x, xi, 16") and lines[at + 3] == "  - rows.compute_root()"


def test_what_comes_later_than_in_the_other_is_listed_with_what_comes_before() -> None:
    """What is split keeps its kind: who only appended the split would have other loops."""
    first, second, last = SCHEDULE.directives
    moved = Schedule((first, second, Split(Stage("out"), "y", "y", "yi", 8), last))
    split = "out.split(y, y, yi, 8, TailStrategy::Auto)"
    assert against(replace(TUNED, schedule=moved), expert(2.0, schedule=SCHEDULE))["differences"] == [
        {"schedule": "expert", "directive": "out.parallel(y)"},
        {"schedule": "tuned", "directive": split},
        {"schedule": "tuned", "directive": "out.parallel(y)"},
    ]
    (gone,) = against(TUNED, expert(2.0, schedule=moved))["differences"]
    assert gone == {"schedule": "expert", "directive": split}


def test_a_long_list_is_cut_for_people_alone() -> None:
    many = Schedule((*SCHEDULE.directives, *(Unroll(Stage("out"), f"x{number}") for number in range(20))))
    other = expert(2.0, schedule=many)
    lines = lines_of(TUNED, other)
    assert len(against(TUNED, other)["differences"]) == 20 and "  and 8 more" in lines
    assert sum(line.startswith("  - out.unroll") for line in lines) == 12


def test_the_author_s_own_file_is_not_said_in_directives() -> None:
    own = expert(2.0, schedule=replace(SCHEDULE, base="manual"))
    assert against(TUNED, own)["differences"] is None
    assert not any("what only" in line for line in lines_of(TUNED, own))


def test_one_alone_is_compared_with_nothing() -> None:
    assert explained(explanation(TUNED))["against"] is None


def page_of(path: Path, *both: Explained) -> str:
    write_page(reported([Reported(explanation=explanation(*both))], {}, command=""), path)
    return path.read_text()


def test_the_page_says_the_same(tmp_path: Path) -> None:
    text = page_of(tmp_path / "out.html", TUNED, expert(1.9, 2.1, 2.0, 2.9, 3.1, 2.0))
    assert "<strong>tuned is in a tie with expert (95% interval 0.95 to 1.05)</strong>" in text
    assert "  - rows.compute_root()" in text and "Where the time of expert goes" in text
    same = page_of(tmp_path / "out.html", TUNED, expert(2.2, program_hash="one"))
    assert "<strong>tuned and expert are the same program</strong>" in same
    assert "Where the time of expert goes" not in same and "What they say differently" not in same
