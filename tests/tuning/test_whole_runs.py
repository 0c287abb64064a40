"""`commands.tune.tune` from one end to the other, on a machine that computes costs instead of measuring them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hltune.commands import store, tune, tune_one
from hltune.commands.on_record import drop_refuted
from hltune.commands.place import Place as Opened
from hltune.commands.tune import Tuning
from hltune.cost_model.adams2019.weights import builtin_weights, write_weights
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.samples.reader import Reader
from hltune.search.autoschedulers import BUILTIN
from hltune.tuning.options import Budget, TuneOptions
from hltune.tuning.outlook import Expectation
from hltune.tuning.round import Round
from hltune.tuning.tuner import Tuner
from hltune.values.candidate import Candidate
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule, Unroll
from hltune.values.errors import Failure, InputError
from hltune.values.provenance import Named
from hltune.values.roles import Stage
from hltune.values.schedule_codec import schedule_hash
from hltune.values.unit import Unit
from hltune.workspace.lines import read_lines
from hltune.workspace.record import TUNED, Record
from hltune.workspace.subject import EXPERT, Subject
from hltune.workspace.tunings import TuningCommand
from tests.tuning.conftest import THREADS, Place, make_options
from tests.tuning.recorded import RecordedSession
from tests.tuning.test_tuner import Notes

MEASURE = MeasureOptions(threads=THREADS)


class Heard(Notes):
    def begin(self, pipelines: Sequence[str], *, unit: Unit, end_s: float) -> None: ...

    def expects(self, pipeline: str, expected: Expectation) -> None: ...

    def round_done(self, done: Round) -> None: ...


class Machine(contextlib.nullcontext[Any]):
    """All its sessions are recorded ones."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(self)
        self.identity = identify(subject.target, MEASURE)

    def session(self, *_: object, **__: object) -> RecordedSession:
        return RecordedSession()


@dataclass
class Whole:
    """A place where `tune` is called."""

    place: Place
    heard: Heard = field(default_factory=Heard)

    @property
    def tuned(self) -> Record | None:
        """What is on record."""
        records = self.place.workspace.records(self.place.subject.spec, self.place.machine)
        return next((each for each in records if each.name == TUNED), None)

    def tune(self, *more: Subject, command: str = "", weights: Path = BUILTIN, **changes: Any) -> Tuning:
        options: TuneOptions = replace(make_options(batch=4, beams=1), **changes)
        return tune.tune(
            (self.place.subject, *more),
            replace(options, search=replace(options.search, weights=weights)),
            workspace=self.place.workspace,
            measure=MEASURE,
            inputs=Inputs(),
            progress=self.heard,
            command=command,
        )


@pytest.fixture
def whole(place: Place, monkeypatch: pytest.MonkeyPatch) -> Whole:
    @contextlib.contextmanager
    def open_place(*_: object, **__: object) -> Iterator[Opened]:
        yield Opened(
            pool=lambda: contextlib.nullcontext(place.pool),  # type: ignore[arg-type,return-value]
            machine=lambda: Machine(place.subject),  # type: ignore[arg-type,return-value]
        )

    monkeypatch.setattr(tune, "open_place", open_place)
    return Whole(place)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ({}, "; the same command goes on, and with --rounds 0"),
        ({"fresh": True, "discard": True}, "; the same command without --fresh and --discard goes on, and"),
    ],
)
def test_whoever_interrupts_is_told_what_goes_on(
    whole: Whole, monkeypatch: pytest.MonkeyPatch, flags: dict[str, bool], text: str
) -> None:
    monkeypatch.setattr(tune, "take_rounds", interrupted)
    with pytest.raises(KeyboardInterrupt):
        whole.tune(**flags)
    (note,) = (each for each in whole.heard.notes if "samples of this run are kept in" in each)
    assert text in note and note.startswith("all 5 samples of this run") and "which has 5 in all" in note
    with pytest.raises(KeyboardInterrupt):
        whole.tune()
    again = whole.heard.notes[-1]
    assert again.startswith("all 0 samples of this run") and "which has 5 in all" in again


def test_after_an_error_in_a_round_what_was_measured_so_far_is_compared(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(*_: object, **__: object) -> Round:
        raise InputError("no image here", where="a.png", todo="put it back")

    monkeypatch.setattr(Tuner, "round", moved)
    tuning = whole.tune()
    (result,) = tuning.results
    assert result.finals.compared and whole.tuned == result.finals.winner.record(TUNED)
    assert [str(each) for each in tuning.failed.values()] == ["a.png: no image here\n  to do: put it back"]


def test_whoever_interrupts_can_use_the_best_so_far(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tune, "take_rounds", interrupted)
        whole.tune()
    kept, spec = whole.tuned, whole.place.subject.spec
    assert kept is not None and not kept.compared and kept.schedule != Schedule()
    assert kept == whole.place.workspace.best(spec, whole.place.machine)
    assert any("the best so far is kept as `tuned`" in each for each in whole.heard.notes)
    whole.tune(budget=Budget(rounds=0))
    won = whole.tuned
    assert won is not None and won.compared
    with pytest.raises(KeyboardInterrupt):
        monkeypatch.setattr(tune, "take_rounds", interrupted)
        whole.tune()
    assert whole.tuned == won


def test_where_tuning_was_killed_people_are_told_to_compare_what_it_has_measured(place: Place) -> None:
    spec, machine = place.subject.spec, place.machine
    with pytest.raises(InputError, match="run `hltune schedule` first"):
        place.workspace.best(spec, machine)
    known = Candidate(schedule=Schedule((Unroll(Stage("blurred"), "x"),)), provenance=Named(name="manual"))
    with place.store() as opened:
        list(place.tuner(opened, make_options()).history.measure(place.session, {"": known}, best=None))
    with pytest.raises(InputError, match="run `hltune tune` with `--rounds 0`, which compares what was"):
        place.workspace.best(spec, machine)


def test_no_second_run_begins_while_the_first_one_still_searches(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    def search(*_: object, **__: object) -> None:
        with pytest.raises(InputError, match="another run writes to this workspace"):
            whole.place.store()
        raise KeyboardInterrupt

    monkeypatch.setattr(tune_one, "_search_meanwhile", search)
    with pytest.raises(KeyboardInterrupt):
        whole.tune()
    whole.place.store().close()  # it is free again


def test_a_second_run_disturbs_the_first_one_in_nothing(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WAIT_S", 0.0)
    monkeypatch.setattr(Machine, "session", lambda *_, **__: pytest.fail("it has begun"))
    with whole.place.store(), pytest.raises(InputError, match="another run writes to this workspace"):
        whole.tune()


def test_known_schedules_that_were_measured_when_somebody_interrupts_are_of_use(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Tuner.begin

    def interrupted_later(self: Tuner, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(Tuner, "begin", interrupted_later)
    with pytest.raises(KeyboardInterrupt):
        whole.tune()
    assert whole.tuned is not None and not whole.tuned.compared


def test_a_pipeline_whose_known_schedules_cannot_be_measured_is_left_out(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Tuner.begin

    def moved(self: Tuner, *arguments: Any, **named: Any) -> list[Measurement]:
        if self.subject.spec.name == "other":
            raise InputError("no image here", where="a.png", todo="put it back")
        return begin(self, *arguments, **named)

    monkeypatch.setattr(Tuner, "begin", moved)
    subject = whole.place.subject
    tuning = whole.tune(replace(subject, spec=replace(subject.spec, name="other")))
    assert [each.subject.spec.name for each in tuning.results] == [subject.spec.name]
    assert tuning.failed.keys() == {"other"}


def test_the_command_is_noted_before_anything_is_measured_by_it(whole: Whole) -> None:
    """By the seed that stands there `reproduce` finds the inputs."""
    spec, machine = whole.place.subject.spec, whole.place.machine
    whole.tune(command="hltune tune blur")
    (noted,) = read_lines(whole.place.workspace.tunings(spec, machine), TuningCommand)
    with Reader(whole.place.workspace.samples) as reader:
        first_s = min(at_s for at_s, _ in reader.history(spec.content_hash, machine.key))
    assert noted.began_s <= first_s


def test_a_known_schedule_that_failed_before_is_kept_when_it_works(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert = Schedule((Unroll(Stage("blurred"), "x"),))
    place = whole.place
    place.subject = replace(place.subject, hand_written={EXPERT: expert})
    late = Failure(stage="run", kind="timeout", message="took longer than its limit of 20 s")

    class Late(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:
            return late if schedule == expert else super().cost(schedule)

    def cost_of_expert() -> float | None:
        with Reader(place.workspace.samples) as reader:
            return reader.costs(place.subject.spec.content_hash, place.machine.key)[schedule_hash(expert)]

    with monkeypatch.context() as patch:
        patch.setattr(Machine, "session", lambda *_, **__: Late())
        whole.tune(budget=Budget(rounds=0))
    assert cost_of_expert() is None
    whole.tune(budget=Budget(rounds=0))
    assert cost_of_expert() is not None


def test_who_starts_over_may_begin_with_weights_of_before(whole: Whole) -> None:
    """They are among those that are removed."""
    folder = whole.place.workspace.weights(whole.place.subject.spec, whole.place.machine)
    folder.mkdir(parents=True)
    write_weights(folder / "best-00007.weights", builtin_weights())
    tuning = whole.tune(fresh=True, weights=folder / "best-00007.weights", budget=Budget(rounds=0))
    assert len(tuning.results) == 1 and not (folder / "best-00007.weights").exists()


def test_what_was_wrong_with_other_threads_does_not_win_and_leaves_no_sample_here(whole: Whole) -> None:
    place = whole.place
    whole.tune()
    former, spec = whole.tuned, place.subject.spec
    assert former is not None
    wrong = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    fewer = replace(place.machine, threads=1)
    drop_refuted([(former.schedule, wrong)], spec, fewer, place.workspace, whole.heard)
    assert whole.tuned is not None
    whole.tune(budget=Budget(rounds=0))
    assert whole.tuned is not None and whole.tuned.schedule != former.schedule
    with Reader(place.workspace.samples) as reader:
        assert not reader.refuted(spec.content_hash, place.machine.key)


def test_what_another_command_found_wrong_does_not_win_again(whole: Whole) -> None:
    """`compare` writes no samples; that what was tuned has a race must be known all the same."""
    place = whole.place
    whole.tune()
    former = whole.tuned
    assert former is not None
    wrong = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    verdicts = [(former.schedule, wrong)]
    drop_refuted(verdicts, place.subject.spec, place.machine, place.workspace, whole.heard)
    assert whole.tuned is None
    for budget in (Budget(rounds=0), Budget(rounds=1)):
        whole.tune(budget=budget)
        assert whole.tuned is not None and whole.tuned.schedule != former.schedule
