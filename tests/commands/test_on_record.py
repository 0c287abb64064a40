"""What tuning leaves on record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hltune.commands import on_record
from hltune.commands.on_record import drop_once_wrong, leave_best, leaving_something, put_on_record
from hltune.runtime.progress import Silent
from hltune.tuning.finals import Finals
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule, Unroll
from hltune.values.errors import Failure, HltuneError
from hltune.values.provenance import Named, Searched
from hltune.values.roles import Stage
from hltune.workspace.record import TUNED, Record
from hltune.workspace.records import Workspace
from tests.report.values import HOST, SPEC, cost, row
from tests.tuning.recorded import TimedSession, decided

WON, LUCKY, SEARCHED = (Schedule((Unroll(Stage("out"), loop),)) for loop in "xyc")


def put(workspace: Workspace, schedule: Schedule, seconds: float, *, compared: bool) -> Record:
    named = row("tuned-0123abcd", cost(seconds))
    assert named.candidate is not None
    rows = (replace(named, candidate=replace(named.candidate, schedule=schedule)),)
    finals = Finals(rows=rows, compared=compared)
    returned = put_on_record(finals, SPEC, HOST, workspace)
    (kept,) = workspace.records(SPEC, HOST)
    assert kept == returned == workspace.best(SPEC, HOST)
    return kept


def test_the_winner_of_a_comparison_keeps_what_it_cost_there(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    first = put(workspace, LUCKY, 2e-3, compared=False)
    assert not first.compared  # there was no time, and the next run may take another one
    assert not put(workspace, WON, 1.5e-3, compared=False).compared
    won = put(workspace, WON, 1e-3, compared=True)
    assert won.compared and put(workspace, WON, 0.9e-3, compared=False) == won
    assert put(workspace, LUCKY, 0.8e-3, compared=True).schedule == LUCKY


def test_a_tie_with_the_expert_replaces_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    former = put(workspace, WON, 2e-3, compared=True)
    session = TimedSession({LUCKY: cost(1e-3, *[2e-3] * 6), WON: cost(1.5e-3, 2.2e-3, 1.9e-3, 2.1e-3, *[2e-3] * 3)})
    expert = Candidate(schedule=LUCKY, provenance=Named(name="expert"))
    records = workspace.records(SPEC, HOST)
    finals = decided(session, {"expert": expert}, {}, (), records)
    put_on_record(finals, SPEC, HOST, workspace)
    assert [each.label for each in workspace.records(SPEC, HOST)] == [former.label]


@pytest.mark.parametrize("error", [OSError(28, "no room"), KeyboardInterrupt(), HltuneError("ours")], ids=repr)
def test_whatever_ends_tuning_leaves_the_best_and_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    kept: list[Any] = []

    def keep(run: Any, _: Workspace) -> str | None:
        kept.append(run)
        raise OSError("no room for that, either")

    monkeypatch.setattr(on_record, "_keep_best", keep)
    runs: Any = {"one": 1, "two": 2}
    with pytest.raises(type(error)) as caught, leaving_something(runs, Workspace(tmp_path), Silent()):
        raise error
    assert kept == [1, 2] and caught.value is error


def interrupt(tuner: Any, workspace: Workspace, notes: list[str]) -> None:
    runs: Any = {"blur": SimpleNamespace(tuner=tuner, machine=HOST)}
    progress: Any = SimpleNamespace(note=notes.append)
    with pytest.raises(KeyboardInterrupt), leaving_something(runs, workspace, progress):
        raise KeyboardInterrupt


@pytest.mark.parametrize("wrong", [False, True])
def test_what_has_won_outlives_an_interrupted_run_that_may_not_use_it(tmp_path: Path, wrong: bool) -> None:
    """As one with --keep; but not if it has turned out wrong since."""
    workspace = Workspace(tmp_path)
    won = put(workspace, WON, 1e-3, compared=True)
    ranked = [SimpleNamespace(schedule=LUCKY, cost=2e-3, provenance=Named(name="tuned"))]
    failure = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    tuner = SimpleNamespace(
        subject=SimpleNamespace(spec=SPEC),
        history=SimpleNamespace(ranked=lambda *_, **__: ranked, refuted=lambda _: failure if wrong else None),
        allowed=lambda _: [],
    )
    interrupt(tuner, workspace, [])
    assert [each == won for each in workspace.records(SPEC, HOST)] == [not wrong]


def test_what_has_won_outlives_a_run_without_a_comparison(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    won = put(workspace, WON, 1e-3, compared=True)
    named = row("tuned-0123abcd", cost(0.5e-3))
    assert named.candidate is not None
    rows = (replace(named, candidate=replace(named.candidate, schedule=LUCKY)),)
    finals = Finals(rows=rows, compared=False)
    assert put_on_record(finals, SPEC, HOST, workspace).schedule == LUCKY
    assert workspace.records(SPEC, HOST) == [won]


def left(
    workspace: Workspace, schedule: Schedule, seconds: float, *, compared: bool, allowed: bool
) -> tuple[Record, list[str]]:
    """What tuning hands out where it has found a schedule, and what it notes."""
    named, notes = row("tuned-0123abcd", cost(seconds)), list[str]()
    assert named.candidate is not None
    finals = Finals(rows=(replace(named, candidate=replace(named.candidate, schedule=schedule)),), compared=compared)
    tuner = SimpleNamespace(
        subject=SimpleNamespace(spec=SPEC),
        allowed=lambda records: records if allowed else [],
        references={"adams2019": Candidate(schedule=SEARCHED, provenance=Searched(autoscheduler="Adams2019"))},
        history=SimpleNamespace(cost_of=lambda _: 0.8e-3, refuted=lambda _: None, is_repaired=lambda _: False),
    )
    run: Any = SimpleNamespace(tuner=tuner, machine=HOST)
    progress: Any = SimpleNamespace(note=notes.append)
    taken = leave_best(run, finals, workspace, progress, again="the same command")
    assert taken == workspace.best(SPEC, HOST)
    return taken, notes


def test_without_a_comparison_what_has_won_is_handed_out(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    won = put(workspace, WON, 1e-3, compared=True)
    taken, notes = left(workspace, LUCKY, 0.5e-3, compared=False, allowed=False)
    assert taken == won
    assert len(notes) == 1 and "the same command, with --rounds 0" in notes[0]


def test_without_any_comparison_what_has_cost_least_is_handed_out(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    taken, notes = left(workspace, LUCKY, 1e-3, compared=False, allowed=True)
    assert taken.name == "adams2019" and "adams2019, which has cost less" in notes[0]
    taken, notes = left(workspace, LUCKY, 1e-3, compared=True, allowed=True)
    assert taken.name == TUNED and not notes


@pytest.mark.parametrize(("seconds", "allowed", "told"), [(2e-3, False, 1), (2e-3, True, 0), (0.5e-3, False, 0)])
def test_what_is_faster_and_not_allowed_goes_off_the_record_with_a_note(
    tmp_path: Path, seconds: float, allowed: bool, told: int
) -> None:
    workspace = Workspace(tmp_path)
    won = put(workspace, WON, 1e-3, compared=True)
    taken, notes = left(workspace, LUCKY, seconds, compared=True, allowed=allowed)
    assert taken.schedule == LUCKY
    assert len(notes) == told and all(f"{won.label}, which cost 1.000 ms, is off" in each for each in notes)


def test_what_the_store_knows_to_have_been_wrong_goes_off_the_record(tmp_path: Path) -> None:
    workspace, notes = Workspace(tmp_path), list[str]()
    put(workspace, WON, 1e-3, compared=True)
    failure = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    progress: Any = SimpleNamespace(note=notes.append)
    drop_once_wrong(lambda each: failure if each.schedule == WON else None, SPEC, HOST, workspace, progress)
    assert not workspace.records(SPEC, HOST) and "off the record" in notes[0]


def test_what_was_wrong_on_other_data_stays_on_record_for_this_one(tmp_path: Path) -> None:
    workspace, notes = Workspace(tmp_path), list[str]()
    put(workspace, WON, 1e-3, compared=True)
    failure = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    given = HOST.with_given("inputs 0123")
    progress: Any = SimpleNamespace(note=notes.append)
    assert workspace.records(SPEC, given)
    drop_once_wrong(lambda _: failure, SPEC, given, workspace, progress)
    assert workspace.records(SPEC, HOST) and not notes


@pytest.mark.parametrize(
    ("on_record_s", "may_be_used", "best", "said"),
    [(1e-3, True, "adams2019", "adams2019"), (3e-3, True, TUNED, TUNED), (1e-3, False, "adams2019", TUNED)],
)
def test_an_interrupt_replaces_nothing_that_is_known_to_cost_less(
    tmp_path: Path, on_record_s: float, may_be_used: bool, best: str, said: str
) -> None:
    """What leaves out what must stay is not known to be better."""
    workspace, notes = Workspace(tmp_path), list[str]()
    known = Record(name="adams2019", schedule=WON, cost=on_record_s, provenance=Named(name="adams2019"))
    workspace.keep(known, SPEC, HOST)
    ranked = [SimpleNamespace(schedule=LUCKY, cost=2e-3, provenance=Named(name="tuned"))]
    tuner = SimpleNamespace(
        subject=SimpleNamespace(spec=SPEC),
        history=SimpleNamespace(ranked=lambda *_, **__: ranked, refuted=lambda _: None),
        allowed=lambda records: records if may_be_used else [],
    )
    interrupt(tuner, workspace, notes)
    assert workspace.best(SPEC, HOST).name == best
    assert len(workspace.records(SPEC, HOST)) == (2 if said == TUNED else 1)
    (note,) = notes
    assert note.startswith("blur: ") and said in note
