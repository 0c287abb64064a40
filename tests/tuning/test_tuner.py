"""One pipeline under tuning, on a machine that computes costs instead of measuring them."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.options import TUNING
from hltune.cost_model.adams2019.weights import Weights, builtin_weights, weights_hash, write_weights
from hltune.cost_model.learner import LEAST_SAMPLES, learn
from hltune.pipeline.operations import Forecast
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.search.autoschedulers import BASELINE, Adams2019Options
from hltune.search.climb import Step
from hltune.search.ladder import Rung
from hltune.search.pool import SearchPool
from hltune.tuning import tuner as module
from hltune.tuning.pace import Limits
from hltune.tuning.pool import Pool
from hltune.tuning.round import Round
from hltune.tuning.tuner import Tuner
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule, Unroll
from hltune.values.errors import Failure, InputError
from hltune.values.provenance import Mutated, Named, Searched
from hltune.values.roles import Stage
from hltune.values.schedule_codec import schedule_hash
from hltune.values.unit import MILLISECONDS
from hltune.workspace.records import Workspace
from hltune.workspace.subject import DEFAULT, Subject
from tests.samples import stored
from tests.tuning.conftest import THREADS, Place, make_options
from tests.tuning.recorded import BROKEN, RecordedSession


class Notes(Silent):
    """What was said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def perturbed(seed: int) -> Weights:
    rng = np.random.default_rng(seed)
    return {k: v * np.float32(1 + 0.1 * rng.random()) for k, v in builtin_weights().items()}


@pytest.fixture(scope="module", autouse=True)
def short_rounds() -> Iterator[None]:
    """Parts of a round take no longer than such a small pipeline needs."""
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("pace._LEAST_PROBING_S", "proposals._LEAST_DRAFTING_S", "tuner._LEAST_LEARNING_S"):
            patch.setattr(f"hltune.tuning.{limit}", 0.4)
        patch.setattr("hltune.tuning.model.TUNING", replace(TUNING, epochs=10))
        yield


@dataclass(frozen=True)
class TwoRounds:
    """A place where a pipeline was tuned, and what that came to."""

    place: Place
    store: Store
    tuner: Tuner
    references: int
    rounds: Sequence[Round]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, blur: Subject, pool: SearchPool) -> Iterator[TwoRounds]:
    place = Place(Workspace(tmp_path_factory.mktemp("tuned") / "ws"), blur, pool)
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        references = len(tuner.begin(Silent()))
        yield TwoRounds(place, store, tuner, references, [tuner.round(Limits(), Silent()) for _ in range(2)])


def test_a_round_measures_what_is_new_and_stores_all_of_it(tuned: TwoRounds) -> None:
    place, store, tuner, rounds = tuned.place, tuned.store, tuned.tuner, tuned.rounds
    assert {"default", BASELINE, "mullapudi2016", "li2018"} <= tuner.references.keys()
    assert [done.number for done in rounds] == [1, 2]
    assert all(0 < done.measured <= 24 for done in rounds)
    assert len(place.session.asked) == len(set(place.session.asked))  # no schedule twice
    assert store.count() == tuned.references + sum(done.measured for done in rounds) == len(place.session.asked)
    key = (place.subject.spec.content_hash, place.machine.key)
    assert tuner.history.best_cost == min(filter(None, store.costs(*key).values())) == rounds[-1].best
    best = [done.best or 1 for done in rounds]
    assert best == sorted(best, reverse=True)
    # Where a schedule came from can be told afterwards: no search was ever run twice.
    origins = [sample.provenance for sample in stored.samples(store, *key) if sample.round]
    searches = [origin for origin in origins if isinstance(origin, Searched)]
    assert searches and len(searches) == len(set(searches))
    assert all(search.autoscheduler == "Adams2019" and search.weights for search in searches)
    # The others are made of schedules that were known.
    parents = {origin.parent for origin in origins if isinstance(origin, Mutated)}
    assert parents and parents <= store.costs(*key).keys()


def test_autoschedulers_that_there_is_no_time_for_are_named(place: Place) -> None:
    heard = Notes()
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(heard, end_s=time.monotonic())
    assert BASELINE not in tuner.references
    (note,) = (each for each in heard.notes if "known schedules take about a fifth" in each)
    assert BASELINE in note and "--minutes" in note


@pytest.mark.parametrize(("short", "flag"), [(True, "--minutes"), (False, "--search-timeout")])
def test_a_search_that_took_too_long_names_the_limit_that_it_reached(place: Place, short: bool, flag: str) -> None:
    late = Failure(stage="Adams2019 search", kind="timeout", message="took longer than its limit of 6.2 s")
    heard = Notes()
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        rungs = [Rung(finder=each, label=each, searches=(), effort=1.0) for each in tuner.searcher.autoschedulers]
        assert tuner._found([Step(rung=each, outcome=late) for each in rungs], heard, short=short) == {}
    assert heard.notes and all(flag in each for each in heard.notes)


@pytest.mark.parametrize("works", [True, False])
def test_a_baseline_that_compiles_longer_than_others_is_no_smaller_search(
    place: Place, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    """What people get to know as the baseline has all the time that they allow; if that is not enough, it is said."""
    small, large = (
        Candidate(schedule=Schedule((Unroll(Stage("blurred"), x),)), provenance=Named(name=x)) for x in "xy"
    )
    rungs = [
        Step(rung=Rung(finder=BASELINE, label=f"beam {effort}", searches=(), effort=effort), outcome=found)
        for effort, found in ((1.0, small), (9.0, large))
    ]
    slow = Failure(stage="compile", kind="timeout", message="took longer than 4 s, 3 times as long as others")

    class Hasty(RecordedSession):
        def measure_each(
            self, schedules: Iterable[tuple[str, Schedule]], *, best: float | None
        ) -> Generator[tuple[str, Measurement]]:
            for key, measurement in super().measure_each(schedules, best=best):
                late = self.asked[-1] == large.schedule and (best is not None or not works)
                yield key, slow if late else measurement

    place.session, heard = Hasty(), Notes()
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        monkeypatch.setattr(tuner.searcher, "baselines", lambda _: iter(rungs))
        tuner.begin(heard)
    assert tuner.references[BASELINE] == (large if works else small) and BASELINE not in tuner.failed
    assert any(f"{BASELINE} is what beam 1.0 found, for beam 9.0 failed" in each for each in heard.notes) != works


def test_what_there_is_no_time_for_is_some_of_each_kind(place: Place) -> None:
    """Where compiling takes long, a round ends long before its batch does."""
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        tuner.round(Limits(samples=10), Silent())
        key = (place.subject.spec.content_hash, place.machine.key)
        kinds = [type(sample.provenance) for sample in stored.samples(store, *key) if sample.round]
    assert len(kinds) == 10 and kinds.count(Mutated) >= 3 and kinds.count(Searched) >= 3


def test_mutants_take_over_where_searches_fall_behind_the_best(place: Place) -> None:
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        assert tuner.mutant_share == 0.5
        tuner.begin(Silent())
        assert tuner.mutant_share == 0.5  # a search has found the best
        best = tuner.history.best_cost
        assert best is not None and tuner._searched == best
        tuner._searched = 1.2 * best
        assert tuner.mutant_share == pytest.approx(0.7)
        searched: list[bool] = []
        for _ in range(4):
            tuner._searched = 1.45 * (tuner.history.best_cost or best)
            assert tuner.mutant_share == 0.9
            searched.append(tuner.round(Limits(samples=2), Silent()).searches > 0)
        assert searched == [False, False, False, True]


def test_what_searches_have_found_before_is_measured_side_by_side(place: Place) -> None:
    """Nothing is searched meanwhile, so that all cores compile it."""

    class Counting(RecordedSession):
        def __init__(self) -> None:
            super().__init__()
            self.together: list[int] = []

        def measure_each(
            self, schedules: Iterable[tuple[str, Schedule]], *, best: float | None
        ) -> Generator[tuple[str, Measurement]]:
            before = len(self.asked)
            yield from super().measure_each(schedules, best=best)
            self.together.append(len(self.asked) - before)

    found = [
        Candidate(schedule=Schedule((Unroll(Stage(func), x),)), provenance=Named(name=func + x))
        for func in ("rows", "blurred")
        for x in "xy"
    ]
    steps = [
        Step(rung=Rung(finder=BASELINE, label=str(number), searches=()), outcome=each, remembered=number > 0)
        for number, each in enumerate(found)
    ]
    place.session = session = Counting()
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.searcher.baselines = lambda _: (each for each in steps)  # type: ignore[method-assign]
        tuner.begin(Silent())
    assert [each for each in session.together if each] == [1, 3, 1]  # at last, the default schedule


def test_what_brings_nothing_new_is_not_learned_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[int] = []
    monkeypatch.setattr(
        "hltune.tuning.model.learn", lambda *given, **named: (learned.append(len(given[2])), learn(*given, **named))[1]
    )
    with place.store() as store:
        tuner = place.tuner(store, make_options(batch=40))
        tuner.begin(Silent())
        tuner.round(Limits(), Silent())
        model, samples, before = tuner.model, tuner.history.samples(), len(learned)
        assert before and samples is not None
        weights, known = model.weights, model.learn(samples, 2)
        assert known is not None and known is model.learn(samples, 3)
        assert len(learned) == before and model.weights is weights
        corrected = replace(samples, costs=2 * samples.costs)
        assert model.learn(corrected, 4) is not known and learned[before:] == [len(samples)]


@pytest.mark.long
def test_a_second_run_continues_the_first(place: Place) -> None:
    with place.store() as store:
        tuner = place.tuner(store, make_options(batch=40))
        tuner.begin(Silent())
        first = tuner.round(Limits(), Silent())
    latest = place.lineage.path("latest")
    assert latest is not None
    asked = set(place.session.asked)
    place.session.asked.clear()
    with place.store() as store:
        tuner = place.tuner(store, make_options(batch=40), seed=1)
        assert tuner.begin(Silent()) == []
        assert tuner.history.best_cost == first.best
        tuner._searched = 0.0  # searches do well
        second = tuner.round(Limits(), Silent())
    assert second.number == 2
    assert not asked & set(place.session.asked)
    newer = place.lineage.path("latest")
    assert newer is not None and newer.name == "latest-00002.weights" and not latest.exists()
    state = place.lineage.read("latest", builtin_weights())
    assert state is not None and state.optimizer_state is not None and state.optimizer_state.count > 0
    assert state.origin.pipelines[0].samples >= 16


def test_the_initial_weights_stay_intact_and_others_are_refused(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "mine.weights"
    write_weights(path, perturbed(1))
    before = path.read_bytes()
    search = Adams2019Options(parallelism=THREADS, beam_size=4, num_passes=1, weights=path)
    with place.store() as store:
        tuner = place.tuner(store, make_options(search=search, batch=40))
        tuner.begin(Silent())
        tuner.round(Limits(), Silent())
        assert path.read_bytes() == before
        tuned = place.lineage.read("latest", perturbed(1))
        assert tuned is not None and weights_hash(tuned.weights) != weights_hash(perturbed(1))
        with pytest.raises(InputError, match=r"trained from other initial ones(.|\n)*--fresh"):
            place.tuner(store, make_options())
        place.lineage.clear()
        place.tuner(store, make_options())


def test_trained_weights_choose_from_the_first_round_on(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "mine.weights"
    write_weights(path, perturbed(1))
    search = Adams2019Options(parallelism=THREADS, beam_size=4, num_passes=1, weights=path)
    with place.store() as store:
        tuner = place.tuner(store, make_options(search=search))
        tuner.begin(Silent())
        samples = tuner.history.samples()
        assert samples is not None and len(samples) < LEAST_SAMPLES
        predictor = tuner.model.predictor
        assert predictor is not None
        scores = predictor(samples.schedules)
        wanted_ms = predict(perturbed(1), samples.pipeline, samples.schedules, samples.cores)
        assert np.allclose(np.diff(scores.mean), np.diff(np.log(wanted_ms)), atol=1e-4)
        place.lineage.clear()
        other = place.tuner(store, make_options())
        other.begin(Silent())
        assert other.model.predictor is None


def test_damaged_weights_are_an_error(place: Place) -> None:
    with place.store() as store:
        tuner = place.tuner(store, make_options(batch=40))
        tuner.begin(Silent())
        tuner.round(Limits(), Silent())
        path = place.lineage.path("latest")
        assert path is not None
        path.write_bytes(path.read_bytes()[:-4])
        with pytest.raises(InputError, match="the file ends within"):
            place.tuner(store, make_options())


def test_frozen_weights_stay_as_they_are(place: Place) -> None:
    with place.store() as store:
        tuner = place.tuner(store, make_options(freeze=True))
        tuner.begin(Silent())
        tuner._searched = 0.0  # searches do well
        done = [tuner.round(Limits(), Silent()) for _ in range(2)]
    assert done[-1].measured > 0 and done[-1].selected is not None
    assert not place.lineage.directory.exists()


def test_failures_are_stored_and_not_tried_again(place: Place) -> None:
    place.session = RecordedSession(broken_share=0.4)
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        done = tuner.round(Limits(), Silent())
        assert done.failures and set(done.failures) == {BROKEN}
        key = (place.subject.spec.content_hash, place.machine.key)
        kept = [sample.measurement for sample in stored.samples(store, *key)]
        assert kept.count(BROKEN) >= len(done.failures)
        tuner.round(Limits(), Silent())
    assert len(place.session.asked) == len(set(place.session.asked))


def test_a_machine_on_which_nothing_works(place: Place) -> None:
    place.session = RecordedSession(broken_share=1.0)
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        done = tuner.round(Limits(), Silent())
    assert done.best is None and done.beam is None and not done.validations
    assert len(done.failures) == done.measured > 0


def test_limits_are_kept(place: Place) -> None:
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        place.session.asked.clear()
        assert tuner.round(Limits(samples=3), Silent()).measured == 3
        assert tuner.round(Limits(end_s=time.monotonic()), Silent()).measured == 0


def test_the_best_weights_find_the_best_beam(tuned: TwoRounds) -> None:
    place = tuned.place
    best = place.lineage.read("best", builtin_weights())
    assert best is not None
    beam_s = best.origin.metrics["beam_s"]
    assert beam_s is not None and beam_s <= min(done.beam for done in tuned.rounds if done.beam)
    # Whoever uses the file finds that schedule.
    path = place.lineage.path("best")
    assert path is not None
    search = replace(make_options().search, weights=path)
    subject = place.subject
    (found,) = place.pool.run(subject.spec, subject.target.name, [search])
    assert isinstance(found, Candidate)
    cost = place.session.cost(found.schedule)
    assert not isinstance(cost, Failure) and cost.value == beam_s


@pytest.mark.long
def test_the_models_choose_better_than_chance(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With costs that follow from the directives, both models take faster probes than chance does."""
    # Parts of a round take a share of the time that measuring takes, which is none here; counts end them instead.
    for limit in ("pace._LEAST_PROBING_S", "proposals._LEAST_DRAFTING_S", "tuner._LEAST_LEARNING_S"):
        monkeypatch.setattr(f"hltune.tuning.{limit}", 60.0)
    monkeypatch.setattr("hltune.tuning.model.TUNING", replace(TUNING, time_limit_s=None))
    with place.store() as store:
        tuner = place.tuner(store, make_options(batch=48, beams=1, random_share=1.0, round_s=300.0))
        tuner.begin(Silent())
        tuner._searched = 0.0  # searches do well
        for _ in range(3):
            tuner.round(Limits(), Silent())
        assert tuner.drafts.validation is not None
        model, rng = tuner.model, tuner.rng
        weights = (model.weights, model.initial)
        probed, _ = tuner.searcher.probes(weights, 4, wanted=200, limit_s=300, known=lambda key: key in tuner.history)
        wanted = len(probed) // 4
        pool = Pool()
        pool.add(probed)
        by_network = pool.take(wanted, model.predictor, random_share=0.0, rng=rng)
        by_ranker = tuner.drafts.pick(probed, wanted, random_share=0.0, rng=rng, end_s=time.monotonic() + 60).chosen
    assert len(by_network) == len(by_ranker) == wanted >= 25
    assert place.mean_log_cost(by_network) < place.mean_log_cost(probed) - 0.1
    assert place.mean_log_cost(by_ranker) < place.mean_log_cost(probed)


class OneFastMoment(RecordedSession):
    """A shared computer: what is measured in one moment, and only then, takes a tenth of its time."""

    moment: int | None = None
    lucky: Schedule | None = None

    def cost(self, schedule: Schedule) -> Measurement:
        found = super().cost(schedule)
        if isinstance(found, Failure):
            return found
        factor = 0.1 if self.is_fast(schedule) else 1.0
        turns = tuple(tuple(factor * each for each in turn) for turn in found.turns)
        return replace(found, unit=MILLISECONDS, counters=None, turns=turns)

    def is_fast(self, schedule: Schedule) -> bool:
        if len(self.asked) != self.moment:
            return False
        self.lucky = schedule
        return True


def test_what_was_fast_in_one_moment_is_measured_again_and_corrected(place: Place) -> None:
    place.session = session = OneFastMoment()
    progress = Notes()
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(progress)
        session.moment = len(session.asked) + 12
        done = tuner.round(Limits(), progress)
        costs = store.costs(place.subject.spec.content_hash, place.machine.key)
    lucky, plain = session.lucky, RecordedSession()
    assert lucky is not None and session.asked.count(lucky) == 2
    expected = plain.cost(lucky)
    assert isinstance(expected, Cost) and costs[schedule_hash(lucky)] == expected.value
    assert done.best == tuner.history.best_cost == min(filter(None, costs.values())) > 0.1 * expected.value
    assert any("not when measured again" in each for each in progress.notes)


def test_what_was_slow_in_a_moment_is_measured_again_beside_what_seems_much_faster(place: Place) -> None:
    """Else mutants that are no better would take over."""

    class SlowStart(RecordedSession):
        slow = True

        def cost(self, schedule: Schedule) -> Measurement:
            found = super().cost(schedule)
            factor = 3.0 if self.slow else 1.0
            if isinstance(found, Failure):
                return found
            turns = tuple(tuple(factor * each for each in turn) for turn in found.turns)
            return replace(found, unit=MILLISECONDS, counters=None, turns=turns)

    place.session = session = SlowStart()
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        (before,) = tuner.history.best(1)
        session.slow = False
        tuner.round(Limits(), Silent())
        plain = RecordedSession().cost(before.schedule)
        assert isinstance(plain, Cost)
        assert before.cost == pytest.approx(3.0 * plain.value)
        assert tuner.history.cost(schedule_hash(before.schedule)) == pytest.approx(plain.value)
        tuner.round(Limits(), Silent())
    assert session.asked.count(before.schedule) == 2


def test_what_is_repaired_to_what_was_wrong_before_is_no_surprise(place: Place) -> None:
    wrong = Schedule((Unroll(Stage("output"), "y"),))

    class Repairing(RecordedSession):
        repairs = False

        def cost(self, schedule: Schedule) -> Measurement:
            found = super().cost(schedule)
            if isinstance(found, Failure):
                return found
            factor = 0.1 if self.repairs else 1.0
            turns = tuple(tuple(factor * each for each in turn) for turn in found.turns)
            repair = wrong if self.repairs else None
            return replace(found, unit=MILLISECONDS, counters=None, turns=turns, repair=repair)

    place.session = session = Repairing()
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        failure = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
        tuner.history.refute(Candidate(schedule=wrong, provenance=Named(name="mine")), failure)
        before = tuner.history.best_cost
        session.repairs = True
        assert tuner.round(Limits(), Silent()).repaired
        assert tuner.history.best_cost == before


def test_a_round_that_has_used_its_time_measures_its_best_again(place: Place) -> None:
    class Slow(OneFastMoment):
        def cost(self, schedule: Schedule) -> Measurement:
            found = super().cost(schedule)
            if schedule is self.lucky and self.asked.count(schedule) == 1:
                time.sleep(0.6)
            return found

    place.session = session = Slow()
    with place.store() as store:
        tuner = place.tuner(store, replace(make_options(), round_s=0.5))
        tuner.begin(Silent())
        session.moment = len(session.asked) + 3
        tuner.round(Limits(), Silent())
    assert session.lucky is not None and session.asked.count(session.lucky) == 2


def test_where_time_is_short_nothing_is_measured_again(place: Place) -> None:
    lucky = Candidate(schedule=Schedule((Unroll(Stage("blurred"), "x"),)), provenance=Named(name="lucky"))
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        seconds = 0.9 * tuner.pace.again_s(2)
        tuner._confirm([lucky], [lucky], end_s=time.monotonic() + seconds, progress=Silent())
        assert not place.session.asked and not tuner._again


def test_what_is_much_faster_and_stays_so_is_kept(place: Place) -> None:
    class OneFastSchedule(OneFastMoment):
        def is_fast(self, schedule: Schedule) -> bool:
            return schedule == self.lucky or (self.lucky is None and super().is_fast(schedule))

    place.session = session = OneFastSchedule()
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        before, asked, (former,) = tuner.history.best_cost, len(session.asked), tuner.history.best(1)
        session.moment = asked + 12
        done = tuner.round(Limits(), Silent())
        assert before is not None and done.best is not None and done.best < 0.85 * before
        assert tuner.history.best(1)[0].schedule == session.lucky
        known, new = session.asked[:asked], session.asked[asked:]
        assert [each for each in new if new.count(each) > 1] == [tuner.history.best(1)[0].schedule] * 2
        assert [each for each in new if each in known] == [former.schedule]  # beside it, and nothing else


def test_what_has_turned_out_wrong_is_not_gone_on_from(place: Place) -> None:
    wrong = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        best, second = tuner.history.best(2)
        tuner.history.refute(Candidate(schedule=best.schedule, provenance=Named(name="x")), wrong)
        for history in (tuner.history, place.tuner(store, make_options()).history):
            assert history.best_cost == second.cost and history.best(1) == [second]
            key = schedule_hash(best.schedule)
            assert key in history and history.cost(key) is None


def test_what_the_author_has_changed_since_is_not_gone_on_from(place: Place) -> None:
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        best, best_cost = tuner.history.best(1)[0], tuner.history.best_cost
        samples = stored.samples(store, place.subject.spec.content_hash, place.machine.key)
        quickest = replace(samples[0], measurement=Cost(unit=MILLISECONDS, turns=((1e-9,),)), featurization=None)
        store.add(replace(quickest, schedule=Schedule(base="0" * 64), provenance=Named(name="manual")))
        history = place.tuner(store, make_options()).history
        assert len(history) == len(tuner.history) and history.best_cost == best_cost
        assert history.best(1) == [best] and schedule_hash(Schedule(base="0" * 64)) not in history.working()


def test_a_fast_moment_of_what_was_repaired_to_a_known_schedule_is_corrected(place: Place) -> None:
    known, leaves_images = (Schedule((Unroll(Stage("blurred"), loop),)) for loop in "xy")
    taken = [Cost(unit=MILLISECONDS, turns=((each, each),)) for each in (1.0, 0.7, 1.0)]
    taken[1] = replace(taken[1], repair=known)

    class Dictated(RecordedSession):
        def cost(self, schedule: Schedule) -> Measurement:  # noqa: ARG002 - whatever is asked for
            return taken.pop(0)

    session, made = Dictated(), Mutated(parent="0" * 64, changes=("tail",))
    with place.store() as store:
        history = place.tuner(store, make_options()).history
        for each in (known, leaves_images):
            candidate = Candidate(schedule=each, provenance=made)
            ((_, measurement),) = history.measure(session, {schedule_hash(each): candidate}, best=None)
        assert history.best_cost == 0.7
        assert not history.repeats(session, candidate.as_measured(measurement), round_number=1)
        assert history.best_cost == 1.0
        costs = store.costs(place.subject.spec.content_hash, place.machine.key)
        assert [each for each in costs.values() if each] == [1.0]


def test_a_default_schedule_without_hope_is_left_out_where_another_one_works(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "forecast", lambda _: Forecast(inlined=1e6, at_root=1.0))
    with place.store() as store:
        tuner = place.tuner(store, make_options())
        tuner.begin(Silent())
        assert tuner.history.best_cost is not None
        assert DEFAULT not in tuner.references and Schedule() not in place.session.asked
