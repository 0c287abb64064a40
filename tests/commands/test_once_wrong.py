"""What was ever wrong on such a processor neither wins nor stays on record, whoever looks at it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hltune.commands import attempt as attempt_module
from hltune.commands import compare as compare_module
from hltune.commands import schedule as schedule_module
from hltune.commands.attempt import Attempt
from hltune.commands.compare import Comparison, compare
from hltune.commands.on_record import drop_refuted
from hltune.commands.once_wrong import judged, known_wrong
from hltune.commands.schedule import schedule
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify, resolve
from hltune.machine.options import MeasureOptions
from hltune.runtime.progress import Remembered, Silent
from hltune.samples.writer import Store
from hltune.search.autoschedulers import BUILTIN, Adams2019Options
from hltune.search.climb import Step
from hltune.search.ladder import Rung
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, failed_repair
from hltune.values.directives import Parallel, Schedule, Unroll, Vectorize
from hltune.values.errors import DISPUTED, Failure
from hltune.values.machine_id import MachineId
from hltune.values.provenance import Named
from hltune.values.roles import Stage
from hltune.values.sample import PipelineRecord
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.lines import add_line, read_lines
from hltune.workspace.record import TUNED, Record
from hltune.workspace.records import Workspace
from hltune.workspace.refuted import Refuted
from hltune.workspace.searches import Searches
from hltune.workspace.subject import SubjectOptions
from tests.commands.files import written
from tests.report.values import CANDIDATE, SPEC, SUBJECT, cost
from tests.samples.values import sample
from tests.tuning.recorded import TimedSession

WRONG = Failure(stage="verify", kind="wrong output", message="some are off")
RACY, OTHER, UNREPAIRED = (Schedule((each(Stage("out"), "y"),)) for each in (Parallel, Vectorize, Unroll))
MEASURE = MeasureOptions(threads=2)
MINE = replace(SUBJECT, target=resolve("host"))
HERE = identify(MINE.target, MEASURE)
FEWER, ON_PHOTO, EXACTLY = replace(HERE, threads=1), HERE.with_given("in=0123abcd"), HERE.with_given("--tolerance=0")
ANOTHER = replace(HERE, cpu="another")
SEARCH = Adams2019Options(parallelism=2, weights=BUILTIN)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


def in_store(workspace: Workspace, machine: MachineId) -> None:
    """A run of tuning has seen it wrong there."""
    record = PipelineRecord.of(SPEC)
    with Store(workspace.samples, progress=Silent(), wait_s=0) as store:
        store.add_pipeline(record)
        store.add(replace(sample(0, pipeline=record, machine=machine), schedule=RACY, measurement=WRONG))


def in_lines(workspace: Workspace, machine: MachineId) -> None:
    """A command has that writes no samples."""
    add_line(workspace.refuted(SPEC, machine), Refuted.of(RACY, WRONG, machine.cpu))


@pytest.mark.parametrize("noted", [in_store, in_lines])
def test_other_threads_and_other_data_count_and_other_processors_do_not(workspace: Workspace, noted: Any) -> None:
    noted(workspace, ANOTHER)
    assert not known_wrong(SPEC, HERE, workspace, Silent())
    noted(workspace, FEWER)
    for machine in (HERE, FEWER, ON_PHOTO):
        assert known_wrong(SPEC, machine, workspace, Silent()) == {schedule_hash(RACY): WRONG}
    assert not known_wrong(SPEC, EXACTLY, workspace, Silent())


def test_what_earlier_versions_noted_counts_wherever_it_was(workspace: Workspace) -> None:
    """They did not write down on which processor."""
    in_lines(workspace, ANOTHER)
    path = workspace.refuted(SPEC, ANOTHER)
    document = json.loads(path.read_text())
    del document["cpu"]
    path.write_text(json.dumps(document) + "\n")
    assert [each.cpu for each in read_lines(path, Refuted)] == [""]
    assert known_wrong(SPEC, HERE, workspace, Silent())


def test_tolerances_that_people_gave_count_for_the_same_ones_alone(workspace: Workspace) -> None:
    """By looser ones, what was wrong may be right: that is what they are given for."""
    in_store(workspace, EXACTLY)
    assert known_wrong(SPEC, EXACTLY, workspace, Silent()) and not known_wrong(SPEC, HERE, workspace, Silent())
    assert not known_wrong(SPEC, HERE.with_given("--tolerance=0.1"), workspace, Silent())


@pytest.mark.parametrize("message", ["wrote beyond the ends of an output, or of its rows", "9 values are not written"])
@pytest.mark.parametrize("noted", [in_store, in_lines])
def test_what_no_tolerance_makes_right_counts_whatever_was_given(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, noted: Any, message: str
) -> None:
    monkeypatch.setitem(globals(), "WRONG", replace(WRONG, message=message))
    noted(workspace, EXACTLY)
    assert known_wrong(SPEC, HERE, workspace, Silent())
    assert known_wrong(SPEC, HERE.with_given("--tolerance=0.1"), workspace, Silent())


def test_scalars_that_are_called_so_are_no_tolerances(workspace: Workspace) -> None:
    in_store(workspace, HERE.with_given("color_tolerance=3"))
    assert known_wrong(SPEC, HERE, workspace, Silent())


def test_where_right_schedules_are_wrong_as_well_it_says_nothing_of_other_data(workspace: Workspace) -> None:
    """Real data is what people are told to give then."""
    disputed = replace(WRONG, message=f"{WRONG.message}; {DISPUTED}: some overflow")
    with Store(workspace.samples, progress=Silent(), wait_s=0) as store:
        store.add_pipeline(PipelineRecord.of(SPEC))
        of_noise = sample(0, pipeline=PipelineRecord.of(SPEC), machine=HERE)
        store.add(replace(of_noise, schedule=RACY, measurement=disputed))
    assert known_wrong(SPEC, HERE, workspace, Silent()) and not known_wrong(SPEC, ON_PHOTO, workspace, Silent())
    for machine in (HERE, ON_PHOTO):
        record = Record(name="tuned", schedule=OTHER, cost=1e-3, provenance=Named(name="tuned"))
        workspace.keep(record, SPEC, machine)
    drop_refuted([(OTHER, disputed)], SPEC, HERE, workspace, Silent())
    assert workspace.best(SPEC, ON_PHOTO).schedule == OTHER
    assert not [*workspace.directory(SPEC).rglob("refuted.jsonl")]


class Right(TimedSession):
    """The racy schedule is right whenever it is measured now, as is what is repaired to it."""

    def __init__(self) -> None:
        repaired = replace(cost(1e-3), repair=RACY)
        super().__init__({RACY: cost(1e-3), OTHER: cost(2e-3), Schedule(): cost(9e-3), UNREPAIRED: repaired})


@contextlib.contextmanager
def place(*_: Any, **__: Any) -> Iterator[Any]:
    """Computers on which nothing is searched."""
    pool = SimpleNamespace(workers=())
    yield SimpleNamespace(machine=contextlib.nullcontext, pool=lambda: contextlib.nullcontext(pool))


def compared(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, session: TimedSession, files: Sequence[Schedule] = ()
) -> tuple[Comparison, list[str]]:
    heard = Remembered(Silent())
    monkeypatch.setattr(compare_module, "open_place", place)
    monkeypatch.setattr(compare_module, "begin_session", lambda *_: contextlib.nullcontext(session))
    monkeypatch.setattr(compare_module, "climb", lambda *_, **__: ())
    result = compare(
        MINE,
        SEARCH,
        search_timeout_s=1,
        asked=[written(workspace.root / f"file{number}.json", each) for number, each in enumerate(files)],
        workspace=workspace,
        measure=MEASURE,
        inputs=Inputs(),
        progress=heard,
    )
    return result, list(heard.notes)


@pytest.mark.parametrize("noted", [in_store, in_lines])
@pytest.mark.parametrize("where", [FEWER, ON_PHOTO])
def test_compare_neither_measures_nor_keeps_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, noted: Any, where: MachineId
) -> None:
    for name, each in ((TUNED, RACY), ("adams2019", OTHER)):
        workspace.keep(Record(name=name, schedule=each, cost=1e-3, provenance=Named(name=name)), SPEC, HERE)
    noted(workspace, where)
    session = Right()
    result, notes = compared(workspace, monkeypatch, session, [RACY])
    assert RACY not in session.asked and result.best == cost(2e-3)
    assert sum(row.failure == WRONG.earlier for row in result.rows) == 2
    assert workspace.best(SPEC, HERE).schedule == OTHER
    assert any("tuned is off the record" in each and "some are off" in each for each in notes)
    assert len([*workspace.directory(SPEC).rglob("refuted.jsonl")]) == (noted is in_lines)  # nothing is noted anew


def test_compare_keeps_nothing_that_is_repaired_to_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    in_store(workspace, FEWER)
    result, _ = compared(workspace, monkeypatch, Right(), [UNREPAIRED])
    assert [row.name for row in result.rows if row.cost] == ["default"]
    assert RACY not in [each.schedule for each in workspace.records(SPEC, HERE)]


def test_compare_takes_another_processor_s_word_for_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_store(workspace, ANOTHER)
    in_lines(workspace, ANOTHER)
    result, _ = compared(workspace, monkeypatch, Right(), [RACY])
    assert result.best == cost(1e-3) and workspace.best(SPEC, HERE).schedule == RACY


def rung(label: str) -> Rung:
    return Rung(finder="adams2019", label=label, searches=())


def steps(*found: Schedule) -> Iterator[Step]:
    for number, each in enumerate(found):
        candidate = Candidate(schedule=each, provenance=CANDIDATE.provenance)
        yield Step(rung=rung(f"beam {number}"), outcome=candidate)


def test_schedule_takes_what_was_never_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_module, "climb", lambda *_, **__: steps(RACY, OTHER, UNREPAIRED))
    session, known = Right(), {schedule_hash(RACY): WRONG}
    attempt = Attempt(SUBJECT, cast("Any", None), session, Searches(tmp_path), 1.0, Silent(), wrong=known)
    attempt.climb([rung("beam 0"), rung("beam 1")])
    found = attempt.decide()
    assert found is not None and found.schedule == OTHER and RACY not in session.asked
    assert {schedule for schedule, _ in attempt.measured()} == {OTHER}  # the others need no second verdict


def scheduled(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, session: TimedSession | None, found: Iterable[Step]
) -> list[str]:
    """Notes of `hltune schedule` with searches that find this, and then end."""
    heard = Remembered(Silent())
    monkeypatch.setattr(schedule_module, "load_subject", lambda *_: MINE)
    monkeypatch.setattr(schedule_module, "open_place", place)
    monkeypatch.setattr(schedule_module, "begin_session", lambda *_: contextlib.nullcontext(session))
    monkeypatch.setattr(schedule_module, "default_ranker", lambda *_: None)
    monkeypatch.setattr(attempt_module, "climb", lambda *_, **__: found)
    monkeypatch.setattr(schedule_module, "export_texts", lambda _, __, ___, folder: (folder / "x.schedule.json",))
    with contextlib.suppress(KeyboardInterrupt):
        schedule(
            SubjectOptions(pipeline="blur", target="host"),
            SEARCH,
            search_timeout_s=1,
            workspace=workspace,
            measure=MEASURE,
            measuring=session is not None,
            inputs=Inputs(),
            directory=None,
            progress=heard,
        )
    return list(heard.notes)


def interrupted(*found: Schedule) -> Iterator[Step]:
    yield from steps(*found)
    raise KeyboardInterrupt


def on_record(workspace: Workspace, name: str, seconds: float, *, compared: bool = True) -> None:
    provenance = Named(name=name)
    workspace.keep(Record(name=name, schedule=RACY, cost=seconds, provenance=provenance, compared=compared), SPEC, HERE)


@pytest.mark.parametrize(
    ("name", "seconds", "won", "kept"),
    [
        (TUNED, 9e-3, True, False),
        (TUNED, 9e-3, False, True),
        (TUNED, 1e-3, False, False),
        ("expert", 1e-3, True, False),
        ("expert", 9e-3, True, True),
    ],
)
def test_an_interrupted_schedule_replaces_nothing_better(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, name: str, seconds: float, won: bool, kept: bool
) -> None:
    on_record(workspace, name, seconds, compared=won)
    notes = scheduled(workspace, monkeypatch, Right(), interrupted(OTHER))
    assert (OTHER in [each.schedule for each in workspace.records(SPEC, HERE)]) == kept
    (note,) = (each for each in notes if "ended early" in each)
    assert ("the best schedule so far" in note) == kept and (f"{name}-" in note) != kept


def test_an_interrupt_keeps_what_nobody_was_to_measure(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (note,) = scheduled(workspace, monkeypatch, None, interrupted(OTHER))
    assert "the best schedule so far" in note and "x.schedule.json" in note
    on_record(workspace, "expert", 9e-3)
    (note,) = scheduled(workspace, monkeypatch, None, interrupted(OTHER))
    assert "expert-" in note and "was measured" in note


def test_an_interrupt_before_anything_works_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [each for each in scheduled(workspace, monkeypatch, Right(), interrupted()) if "kept" in each]
    fails = Schedule((Unroll(Stage("out"), "x"),))
    heard = scheduled(workspace, monkeypatch, Right(), interrupted(fails))
    assert not workspace.records(SPEC, HERE) and not [each for each in heard if "is kept" in each]


def test_who_is_handed_the_slower_one_hears_of_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def heard() -> list[str]:
        notes = scheduled(workspace, monkeypatch, Right(), steps(OTHER))
        return [each for each in notes if "on record" in each]

    on_record(workspace, "expert", 9e-3)
    assert not heard()
    on_record(workspace, "expert", 1e-3)
    (note,) = heard()
    assert "costs less" in note and "hltune export" in note
    in_store(workspace, FEWER)  # it is not to be used at all
    assert not heard()


def test_a_failed_repair_says_what_it_is_of() -> None:
    known = {schedule_hash(RACY): WRONG}
    slow = Failure(stage="run", kind="timeout", message="took longer than 20 s")
    assert judged(UNREPAIRED, failed_repair(slow, RACY), known) == WRONG.earlier
    assert judged(UNREPAIRED, slow, known) == slow and isinstance(judged(OTHER, cost(1.0), known), Cost)
