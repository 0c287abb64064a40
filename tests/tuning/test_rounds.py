"""Several pipelines in few minutes: each gets a round, or people are told why not."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import pytest

from hltune.tuning.options import Budget
from hltune.tuning.outlook import Expectation
from hltune.tuning.pace import Limits
from hltune.tuning.round import Round
from hltune.tuning.rounds import Run, take_rounds
from hltune.values.errors import InputError
from tests.report.values import ROUNDS
from tests.tuning.conftest import make_options
from tests.tuning.recorded import RecordedSession

MINUTES = 0.5
LATE_S = 10.0


@dataclass
class Clock:
    now_s: float = 0.0


@dataclass
class FakeTuner:
    """Its rounds take as long as they may; it thinks that a round worth its searches takes a minute."""

    name: str
    clock: Clock
    pace: Any = field(default_factory=lambda: SimpleNamespace(shortest_round_s=60.0))
    history: Any = field(default_factory=lambda: SimpleNamespace(best_cost=1.0))
    exhausted: bool = False
    finals_s: float = 2.0
    costs: Iterator[float] = field(default_factory=lambda: repeat(1.0))
    round_s: float = math.inf
    measured: bool = True
    short: bool = False

    def expect(self, minutes: float, *, most: float) -> Expectation | None:
        if not self.measured:  # as where all that is known was measured in earlier runs
            return None
        return Expectation(
            stages=2, search_s=None, candidate_s=1.0, samples_per_minute=40.0, minutes=minutes, given=1.0, most=most
        )

    def round(self, limits: Limits, _progress: object, *, after_each: Callable[[], None]) -> Round:
        assert limits.end_s > self.clock.now_s
        self.clock.now_s = min(limits.end_s, self.clock.now_s + self.round_s)
        after_each()  # too early to tell
        if not self.short:
            self.measured = True
            after_each()
        self.measured = True
        return replace(ROUNDS[1], pipeline=self.name, best=next(self.costs))


class Heard:
    """Somebody who is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.rounds: list[str] = []
        self.expected: dict[str, tuple[int, Expectation]] = {}

    def expects(self, pipeline: str, expected: Expectation) -> None:
        assert pipeline not in self.expected
        self.expected[pipeline] = len(self.rounds), expected

    def note(self, text: str) -> None:
        self.notes.append(text)

    def round_done(self, done: Round) -> None:
        self.rounds.append(done.pipeline)


def rounds(used_s: float, monkeypatch: pytest.MonkeyPatch) -> tuple[Heard, float]:
    """What is heard, and when it is over, if what comes before the rounds has used up so much of the time."""
    clock, heard = Clock(used_s), Heard()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now_s)
    rest: Mapping[str, Any] = {"session": RecordedSession(), "machine": None, "lineage": None}
    runs = {name: Run(tuner=FakeTuner(name, clock), **rest) for name in ("one", "two")}  # type: ignore[arg-type]
    options = replace(make_options(), budget=Budget(minutes=MINUTES))
    take_rounds(runs, options, 60 * MINUTES, heard)  # type: ignore[arg-type]
    return heard, clock.now_s


def test_each_gets_a_first_round_however_short(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, over_s = rounds(LATE_S, monkeypatch)
    assert sorted(heard.rounds) == ["one", "two"] and not heard.notes
    assert over_s <= 60 * MINUTES - 2 * FakeTuner.finals_s
    # What is left is shared, and the final comparisons are left out.
    assert heard.expected["one"][1].minutes == pytest.approx((MINUTES - (LATE_S + 2 * FakeTuner.finals_s) / 60) / 2)


def test_without_time_for_a_round_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, _ = rounds(60 * MINUTES - 3.0, monkeypatch)
    assert not heard.rounds
    (note,) = heard.notes
    assert note.startswith("no round of one, two: expected outputs and known schedules have used up the budget")
    assert "--minutes" in note


def test_until_done_leaves_the_time_to_those_that_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    """One stops gaining after its second round, the other one goes on to gain until time is up."""
    clock, heard = Clock(), Heard()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now_s)
    rest: Mapping[str, Any] = {"session": RecordedSession(), "machine": None, "lineage": None}
    costs = {"one": chain((1.0,), repeat(0.5)), "two": (0.97**number for number in range(1000))}
    runs = {
        name: Run(tuner=FakeTuner(name, clock, costs=each, round_s=10.0), **rest)  # type: ignore[arg-type]
        for name, each in costs.items()
    }
    options = replace(make_options(), budget=Budget(minutes=10, until_done=True))
    take_rounds(runs, options, 600.0, heard)  # type: ignore[arg-type]
    assert heard.rounds.count("one") == 16 and heard.rounds.count("two") > 32
    (note,) = heard.notes
    assert note.startswith("one: done, the last half of its 16 rounds")
    assert clock.now_s > 500


@pytest.mark.parametrize("short", [False, True])
def test_what_to_expect_is_said_in_the_first_round_or_at_its_end(short: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, heard = Clock(), Heard()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now_s)
    tuner = FakeTuner("one", clock, round_s=10.0, measured=False, short=short)
    run = Run(tuner=tuner, session=RecordedSession(), machine=None, lineage=None)  # type: ignore[arg-type]
    options = replace(make_options(), budget=Budget(minutes=10, samples=1000))
    take_rounds({"one": run}, options, 600.0, heard)  # type: ignore[arg-type]
    rounds, expected = heard.expected["one"]
    assert rounds == 0 and run.expected == expected and expected.most == 1000


def test_what_goes_wrong_with_one_ends_the_rounds_of_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(FakeTuner):
        def round(self, _limits: Limits, _progress: object, **_: object) -> Round:
            raise InputError("no image here", where="a.png", todo="put it back")

    clock, heard = Clock(), Heard()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now_s)
    rest: Mapping[str, Any] = {"session": RecordedSession(), "machine": None, "lineage": None}
    tuners = Broken("one", clock, round_s=5.0), FakeTuner("two", clock, round_s=5.0)
    runs = {each.name: Run(tuner=each, **rest) for each in tuners}  # type: ignore[arg-type]
    take_rounds(runs, replace(make_options(), budget=Budget(minutes=5)), 300.0, heard)  # type: ignore[arg-type]
    assert set(heard.rounds) == {"two"} and clock.now_s > 200
    (note,) = heard.notes
    assert note.startswith("one has no further rounds") and "put it back" in note
    assert runs["one"].error is not None and runs["two"].error is None


def after_known_schedules(budget: Budget, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What people are told if five known schedules were measured before the rounds."""
    clock, heard = Clock(), Heard()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now_s)
    rest: Mapping[str, Any] = {"session": RecordedSession(), "machine": None, "lineage": None}
    runs = {"one": Run(tuner=FakeTuner("one", clock), measured=5, **rest)}  # type: ignore[arg-type]
    take_rounds(runs, replace(make_options(), budget=budget), math.inf, heard)  # type: ignore[arg-type]
    return heard.notes


def test_without_samples_for_a_round_more_of_them_are_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    (note,) = after_known_schedules(Budget(samples=5), monkeypatch)
    assert note == "no round of one: known schedules have used up the samples; give more --samples"


def test_known_schedules_beyond_the_samples_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "known schedules are always measured: 5 of them here, 2 more than --samples 3"
    assert after_known_schedules(Budget(samples=3), monkeypatch)[0] == said
    assert after_known_schedules(Budget(samples=3, rounds=0), monkeypatch) == [said]
