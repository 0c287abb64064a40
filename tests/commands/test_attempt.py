"""Which of the schedules that searches found is the one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from hltune.commands import attempt as attempt_module
from hltune.commands.attempt import Attempt
from hltune.runtime.progress import Silent
from hltune.search.climb import Step
from hltune.search.ladder import Rung
from hltune.values.candidate import Candidate
from hltune.values.directives import Parallel, Schedule, Vectorize
from hltune.values.errors import Failure
from hltune.values.roles import Stage
from hltune.workspace.searches import Searches
from tests.report.values import CANDIDATE, SUBJECT, cost, tried
from tests.tuning.recorded import TimedSession


class Heard(Silent):
    """Keeps notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


OWN = Schedule((Parallel(Stage("out"), "y"),))
FOUND = Schedule((Vectorize(Stage("out"), "x"),))
OTHER = Schedule((Vectorize(Stage("out"), "y"),))


def test_what_was_skipped_has_not_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skipped = Failure(stage="Adams2019 search", kind="timeout", message="skipped: 0.1 s are left of 8 s")
    rungs = [
        Rung(finder="adams2019", label=label, searches=())
        for label in ("beam 8", "beam 16", "beam 16, Halide's weights")
    ]
    steps = (Step(rung=rung, outcome=skipped, skipped=rung is not rungs[0]) for rung in rungs)
    monkeypatch.setattr(attempt_module, "climb", lambda *_, **__: steps)
    heard = Heard()
    Attempt(SUBJECT, cast("Any", None), None, Searches(tmp_path), 8.0, heard).climb(rungs)
    assert heard.notes == [f"beam 8 failed. {skipped}", "beam 16: skipped: 0.1 s are left of 8 s"]


def test_each_size_that_was_skipped_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skipped = Failure(stage="Adams2019 search", kind="timeout", message="skipped: 0.0 s are left of 8 s")
    rungs = [
        Rung(finder="adams2019", label=f"beam {size}{weights}", searches=(), effort=size)
        for size in (8, 16)
        for weights in ("", ", Halide's weights")
    ]
    steps = (Step(rung=rung, outcome=skipped, skipped=True) for rung in rungs)
    monkeypatch.setattr(attempt_module, "climb", lambda *_, **__: steps)
    heard = Heard()
    Attempt(SUBJECT, cast("Any", None), None, Searches(tmp_path), 8.0, heard).climb(rungs)
    assert heard.notes == [f"{label}: {skipped.message}" for label in ("beam 8", "beam 16")]


def test_turn_by_turn_decides_and_not_a_lucky_moment(tmp_path: Path) -> None:
    lucky, steady, own = cost(0.5, *[2.0] * 8), cost(*[1.8] * 9), cost(*[2.5] * 9)
    session = TimedSession({FOUND: lucky, OTHER: steady, OWN: own})
    subject = replace(SUBJECT, hand_written={"manual": OWN})
    attempt = Attempt(subject, cast("Any", None), session, Searches(tmp_path), 1.0, Silent())
    for label, schedule in {"beam 8": FOUND, "beam 16": OTHER}.items():
        candidate = Candidate(schedule=schedule, provenance=CANDIDATE.provenance)
        attempt.tried.append(tried(Rung(finder="adams2019", label=label, searches=()), candidate, cost(1.5)))
    found = attempt.decide()
    assert found is not None and found.step.rung.label == "beam 16" and found.cost == steady
    assert attempt.manual == own
