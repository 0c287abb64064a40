"""Of many drafts, those are measured that Halide accepts, that are new, and that the ranker thinks most of."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hltune.cost_model.pretrained import Pretrained
from hltune.cost_model.programs import Programs
from hltune.cost_model.ranker import Ranker, fit
from hltune.cost_model.scorer import Scores
from hltune.lowered.features import BODY, MEANS, WHOLE
from hltune.samples.writer import Store
from hltune.schedule.parse import parse_schedule
from hltune.search.mutation import Parent
from hltune.search.remedied import MOVE, REMEDY
from hltune.tuning.drafts import Drafts, Make
from hltune.tuning.history import History
from hltune.tuning.known import best_and_others
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement
from hltune.values.errors import Failure, FailureKind, InputError
from hltune.values.program_features import ProgramFeatures
from hltune.values.provenance import Mutated, Named
from hltune.values.schedule_codec import schedule_hash
from hltune.values.unit import MILLISECONDS
from tests.tuning.conftest import THREADS, Place

WIDTHS = (8, 16, 32, 64, 128)
ROWS = (2, 4, 8, 16, 32)
INNERMOST = len(BODY) - len(MEANS) + BODY.index("innermost")
"""The column of the longest innermost loop."""


def candidate(place: Place, text: str) -> Candidate:
    return Candidate(schedule=parse_schedule(text, place.subject.spec.funcs), provenance=Named(name="by hand"))


def tiled(place: Place, width: int, rows: int) -> Candidate:
    return candidate(
        place, f"blurred.split(y, y, yi, {rows}).split(x, x, xi, {width}).reorder(xi, x, yi, y).parallel(y);"
    )


def making(*candidates: Candidate) -> Make:
    """Makes these, all at once."""

    def make(_further: Sequence[Parent], _count: int, known: Callable[[str], bool]) -> dict[str, Candidate]:
        by_hash = {schedule_hash(each.schedule): each for each in candidates}
        return {key: each for key, each in by_hash.items() if not known(key)}

    return make


def drafts_of(place: Place, store: Store, pretrained: Pretrained | None = None) -> Drafts:
    history = History(place.subject.spec, place.machine, store)
    return Drafts(place.subject.spec, place.subject.target, THREADS, place.pool.workers, history, pretrained)


def choose(drafts: Drafts, make: Make, wanted: int, *, limit_s: float = 60.0, random_share: float = 0.0):
    return drafts.choose(
        make, wanted, random_share=random_share, rng=np.random.default_rng(0), end_s=time.monotonic() + limit_s
    )


def test_what_halide_refuses_is_not_measured(place: Place) -> None:
    good = tiled(place, 16, 8)
    bad = candidate(place, "blurred.vectorize(y);")  # of no constant extent
    with place.store() as store:
        drafts = drafts_of(place, store)
        found = choose(drafts, making(bad, good), 2)
        assert list(found.chosen.values()) == [good]
        assert (found.made, found.lowered, found.refused) == (2, 1, 1)
        assert not choose(drafts, making(bad), 1).made  # it is known by now


def test_what_needs_more_stack_than_a_thread_may_have_is_not_measured(place: Place) -> None:
    whole = candidate(place, "rows.compute_root().store_in(Stack);")
    tile = candidate(place, "rows.compute_at(blurred, y).store_in(Stack);")
    with place.store() as store:
        drafts = drafts_of(place, store)
        drafts.programs.stack_limit_bytes = 16 << 10
        found = choose(drafts, making(whole, tile), 2)
        assert list(found.chosen.values()) == [tile] and (found.lowered, found.refused) == (1, 1)
        assert not choose(drafts, making(whole), 1).made  # it is known by now
        assert choose(drafts_of(place, store), making(whole), 1).chosen  # a thread has so much, and more


def test_what_drafts_are_changes_of_was_measured(place: Place) -> None:
    """The second generation changes drafts, which need not be measured: it is told as a change of their parents."""

    def make(further: Sequence[Parent], _count: int, known: Callable[[str], bool]) -> dict[str, Candidate]:
        parents = [schedule_hash(each.schedule) for each in further] or ["measured"]
        widths = WIDTHS[:2] if parents == ["measured"] else WIDTHS[2:]
        made = (
            replace(tiled(place, width, 4), provenance=Mutated(parent=parents[0], changes=(str(width),)))
            for width in widths
        )
        return {key: each for each in made if not known(key := schedule_hash(each.schedule))}

    with place.store() as store:
        found = choose(drafts_of(place, store), make, 5)
    origins = [each.provenance for each in found.chosen.values()]
    assert len(origins) == 5 and all(isinstance(each, Mutated) and each.parent == "measured" for each in origins)
    changes = {each.changes for each in origins if isinstance(each, Mutated)}
    first = {("8",), ("16",)}
    assert first < changes and all(each[:1] in first and len(each) == 2 for each in changes - first)


def test_equal_programs_are_measured_once(place: Place) -> None:
    one = candidate(place, "blurred.split(y, y, yi, 8).parallel(y);")
    other = candidate(place, "blurred.split(y, y, yi, 8).reorder(x, yi, y).parallel(y);")
    assert one.schedule != other.schedule
    with place.store() as store:
        drafts = drafts_of(place, store)
        assert list(choose(drafts, making(one, other), 2).chosen.values()) == [one]
        measure(drafts, {schedule_hash(one.schedule): (one, 1.0)}, place)
        assert not choose(drafts, making(other), 1).chosen


def test_the_ranker_learns_what_is_fast(place: Place) -> None:
    """The wider the faster, in what was measured: so it is predicted of what is new, and the widest are chosen."""
    old = [(tiled(place, width, rows), 1.0 / width) for width in WIDTHS for rows in ROWS[:4]]
    new = {width: tiled(place, width, ROWS[4]) for width in WIDTHS}
    with place.store() as store:
        drafts = drafts_of(place, store)
        measure(drafts, {schedule_hash(each.schedule): (each, cost) for each, cost in old}, place)
        drafts.learn(end_s=math.inf)
        keys, scores = drafts.scores({str(width): each.schedule for width, each in new.items()}, end_s=math.inf)
        by_cost = [int(keys[index]) for index in np.argsort(scores.mean)]
        assert {*by_cost[:2]} == {128, 64} and by_cost[2:] == [32, 16, 8]
        chosen = list(choose(drafts, making(*new.values()), 2).chosen.values())
        assert (new[128] in chosen or new[64] in chosen) and new[8] not in chosen


def test_what_fails_as_others_did_is_not_measured(place: Place) -> None:
    """The wider the faster, and the widest failed."""
    failure = Failure(stage="compile", kind="timeout", message="took longer than 1 s")
    *seen, between = (2, 4, 16, 32, 8)
    old: list[tuple[Candidate, float | Failure]] = []
    old += [(tiled(place, width, rows), 1.0 / width) for width in WIDTHS[:4] for rows in seen]
    new = {width: tiled(place, width, between) for width in WIDTHS}
    with place.store() as store:
        drafts = drafts_of(place, store)
        old += [(tiled(place, WIDTHS[4], rows), failure) for rows in seen]
        measure(drafts, {schedule_hash(each.schedule): (each, cost) for each, cost in old}, place)
        drafts.learn(end_s=math.inf)
        chosen = [*choose(drafts, making(*new.values()), 2).chosen.values()]
        assert new[64] in chosen and new[128] not in chosen
        # It is learned from in the next run as well, and neither run lowers twice.
        again = drafts_of(place, store)
        assert set(again.history.program_hashes()) == {schedule_hash(each.schedule) for each, _ in old}
        again.learn(end_s=math.inf)
        keys, _ = again.scores({str(width): each.schedule for width, each in new.items()}, end_s=math.inf)
        assert "64" in keys and "128" not in keys


class WidestFirst:
    """Stands in for what was pre-trained: the wider the inner loop, the faster."""

    failing = None
    strange = False

    def __call__(self, programs: Programs) -> Scores:
        assert programs.x.shape[1] % 2 == 0  # with what differs from the program at root
        return Scores(mean=-programs.x[:, INNERMOST], spread=np.zeros(len(programs)))

    def unlike(self, programs: Programs) -> bool:
        return len(programs) > 0 and self.strange

    def scaled_t0(self, programs: Programs) -> Scores:
        """Stands in for T0: the narrower, the faster."""
        return Scores(mean=programs.x[:, INNERMOST], spread=np.zeros(len(programs)))


def test_what_was_pretrained_chooses_before_anything_is_measured(place: Place) -> None:
    new = {width: tiled(place, width, ROWS[4]) for width in WIDTHS}
    with place.store() as store:
        drafts = drafts_of(place, store, WidestFirst())  # type: ignore[arg-type]
        chosen = list(choose(drafts, making(*new.values()), 1).chosen.values())
        assert drafts.ranks is drafts.pretrained and drafts.validation is None
        assert chosen == [new[128]]
        schedules = {str(width): each.schedule for width, each in new.items()}
        predicted = drafts.predict(schedules, end_s=math.inf)
        assert predicted is not None
        keys, scores = predicted
        assert [keys[number] for number in np.argsort(scores.mean)] == ["128", "64", "32", "16", "8"]
        assert not drafts.unlike


def test_where_it_knows_nothing_alike_t0_chooses(place: Place) -> None:
    new = {width: tiled(place, width, ROWS[4]) for width in WIDTHS}
    start = WidestFirst()
    start.strange = True
    with place.store() as store:
        drafts = drafts_of(place, store, start)  # type: ignore[arg-type]
        assert list(choose(drafts, making(*new.values()), 1).chosen.values()) == [new[8]]
        assert drafts.unlike
        start.strange = False  # what was found once holds: what is learned of the pipeline corrects one and the same
        assert list(choose(drafts, making(*new.values()), 1).chosen.values()) == [new[8]]


def test_of_what_searches_found_the_most_promising_is_picked(place: Place) -> None:
    found = {schedule_hash(each.schedule): each for each in (tiled(place, width, ROWS[4]) for width in WIDTHS)}
    tiles = "blurred.split(y, y, yi, 32).split(x, x, xi, 128).reorder(xi, x, yi, y)"
    twin = candidate(place, f"{tiles}.reorder(xi, x, yi, y).parallel(y);")
    bad = candidate(place, "blurred.vectorize(y);")
    given = {**found, schedule_hash(twin.schedule): twin, schedule_hash(bad.schedule): bad}

    def pick(drafts: Drafts, wanted: int):
        return drafts.pick(given, wanted, random_share=0.0, rng=np.random.default_rng(0), end_s=math.inf)

    with place.store() as store:
        assert pick(drafts_of(place, store), len(given)) == (given, {})
        drafts = drafts_of(place, store, WidestFirst())  # type: ignore[arg-type]
        best = tiled(place, 128, ROWS[4])
        picked = pick(drafts, 1)
        assert list(picked.chosen.values()) == [best]
        # What Halide refuses, or what comes to the same program as another one, is not asked for again.
        assert list(picked.left.values()) == [tiled(place, width, ROWS[4]) for width in WIDTHS[:-1]]
        measure(drafts, {schedule_hash(best.schedule): (best, 1.0)}, place)
        assert list(pick(drafts, 1).chosen.values()) == [tiled(place, 64, ROWS[4])]


def test_predictions_beside_measured_costs_are_on_their_scale(place: Place) -> None:
    """What was pre-trained says nothing of how long a program takes as a whole."""
    old = [(tiled(place, width, 2), 1000.0 / width) for width in WIDTHS[:3]]
    promised: list[float] = []

    def make(further: Sequence[Parent], count: int, known: Callable[[str], bool]) -> dict[str, Candidate]:
        promised.extend(each.cost for each in further)
        return making(tiled(place, 8, 32), tiled(place, 16, 32))(further, count, known)

    with place.store() as store:
        drafts = drafts_of(place, store, WidestFirst())  # type: ignore[arg-type]
        measure(drafts, {schedule_hash(each.schedule): (each, cost) for each, cost in old}, place)
        drafts.learn(end_s=math.inf)
        choose(drafts, make, 1)
    assert promised and all(10 < cost < 1000 for cost in promised)  # of 31 to 125 that were measured


def test_programs_of_what_has_no_samples_are_not_kept(place: Place) -> None:
    """A schedule that was repaired is known, and has no sample of its own."""
    one, other = tiled(place, 8, 4), tiled(place, 16, 4)
    keys = [schedule_hash(each.schedule) for each in (one, other)]
    program = ProgramFeatures(bodies=np.zeros((0, len(BODY))), whole=np.zeros(len(WHOLE)), program_hash="a" * 64)
    with place.store() as store:
        drafts = drafts_of(place, store)
        measure(drafts, {keys[0]: (one, 1.0)}, place)
        drafts.history.keep_programs(dict.fromkeys(keys, program))
        assert list(drafts.history.program_hashes()) == keys[:1]
        with pytest.raises(InputError, match="no samples of this schedule"):
            store.add_programs(place.subject.spec.content_hash, place.machine, 1, {keys[1]: program})


def test_without_anything_learned_t0_chooses_and_nothing_is_predicted(place: Place) -> None:
    texts = (f"blurred.split(x, x, xi, 16){each}.parallel(y);" for each in ("", ".vectorize(xi)"))
    scalar, vector = (candidate(place, each) for each in texts)
    with place.store() as store:
        drafts = drafts_of(place, store)
        assert list(choose(drafts, making(scalar, vector), 1).chosen.values()) == [vector]
        assert drafts.predict({"one": tiled(place, 8, 4).schedule}, end_s=math.inf) is None


def test_what_nobody_has_predicted_of_a_parent_is_expected_of_its_mutants(place: Place) -> None:
    """Of two parents that seem alike, the one takes ten times as long: so will what seems better of it."""
    slow, fast = tiled(place, 16, 2), tiled(place, 16, 4)
    of_slow, of_fast = (
        replace(tiled(place, width, 8), provenance=Mutated(parent=schedule_hash(parent.schedule), changes=("scale",)))
        for width, parent in ((32, slow), (16, fast))
    )
    with place.store() as store:
        drafts = drafts_of(place, store, WidestFirst())  # type: ignore[arg-type]
        make = making(of_slow, of_fast)
        assert list(choose(drafts, make, 1).chosen.values()) == [of_slow]
        measured = {schedule_hash(each.schedule): (each, cost) for each, cost in ((slow, 10.0), (fast, 1.0))}
        measure(drafts, measured, place)
        drafts.learn(end_s=math.inf)
        assert list(choose(drafts, make, 1).chosen.values()) == [of_fast]


def test_what_was_not_chosen_is_left_and_lowered_no_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    new = {width: tiled(place, width, ROWS[4]) for width in WIDTHS}
    monkeypatch.setattr("hltune.tuning.drafts._LEFT", 3)
    with place.store() as store:
        drafts = drafts_of(place, store, WidestFirst())  # type: ignore[arg-type]
        found = choose(drafts, making(*new.values()), 1)
        assert list(found.chosen.values()) == [new[128]]
        assert list(found.left.values()) == [new[64], new[32], new[16]]  # the most promising first
        monkeypatch.setattr("hltune.lowered.many.FeaturesJob", lambda **_: pytest.fail("lowered again"))
        assert list(choose(drafts, making(*found.left.values()), 1).chosen.values()) == [new[64]]


def test_what_is_known_is_learned_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[int] = []

    def counted(programs: Programs, costs: np.ndarray, **named: Any) -> Ranker:
        learned.append(len(programs))
        return fit(programs, costs, **named)

    monkeypatch.setattr("hltune.tuning.drafts.fit", counted)
    old = [(tiled(place, width, rows), 1.0 / width) for width in WIDTHS for rows in ROWS[:4]]
    with place.store() as store:
        drafts = drafts_of(place, store)
        for some in (old[:17], [], old[17:]):
            measure(drafts, {schedule_hash(each.schedule): (each, cost) for each, cost in some}, place)
            drafts.learn(end_s=math.inf)
        assert learned == [17, 20]


def test_with_nothing_left_nothing_is_chosen(place: Place) -> None:
    """Neither where all drafts are known programs, nor where none is wanted, nor where none can be made."""
    old = [(tiled(place, width, rows), 1.0 / width) for width in WIDTHS for rows in ROWS[:4]]
    with place.store() as store:
        drafts = drafts_of(place, store)
        measure(drafts, {schedule_hash(each.schedule): (each, cost) for each, cost in old}, place)
        drafts.learn(end_s=math.inf)
        text = "blurred.split(y, y, yi, 4).split(x, x, xi, 8).reorder(xi, x, yi, y).parallel(y)"
        same = candidate(place, text + ".reorder(xi, x, yi, y);")
        assert choose(drafts, making(same), 3).chosen == {}
        assert choose(drafts, making(), 3).chosen == {}
        assert choose(drafts, making(tiled(place, 8, 32)), 0).chosen == {}


def test_without_the_time_to_lower_all_some_of_each_kind_are_chosen(place: Place) -> None:
    near = [tiled(place, width, rows) for width in WIDTHS for rows in ROWS]
    others = [replace(each, provenance=Named(name="other")) for each in near]
    made = [*near[:12], *others[12:]]
    with place.store() as store:
        chosen = choose(drafts_of(place, store), making(*made), 12, limit_s=0.0).chosen.values()
    assert 2 <= sum(each in near[:12] for each in chosen) <= 10


def test_what_was_not_lowered_in_time_fills_up(place: Place) -> None:
    with place.store() as store:
        drafts = drafts_of(place, store)
        first = tiled(place, 8, 4)
        assert list(choose(drafts, making(first), 1).chosen.values()) == [first]
        late = [tiled(place, width, 4) for width in WIDTHS[1:]]
        assert len(choose(drafts, making(first, *late), 3, limit_s=0.0).chosen) == 3


def test_what_nobody_makes_again_is_left_where_there_was_no_time_to_lower_it(place: Place) -> None:
    parent = schedule_hash(tiled(place, 8, 2).schedule)
    all_of_them = [
        replace(tiled(place, width, 4), provenance=Mutated(parent=parent, changes=changes))
        for width, changes in zip(WIDTHS, [(MOVE,), ("scale",), (REMEDY,), ("tail",), (MOVE,)], strict=True)
    ]
    with place.store() as store:
        found = choose(drafts_of(place, store), making(*all_of_them), 1, limit_s=0.0)
        assert len(found.chosen) == 1
        once = [each for each in all_of_them if each.provenance.changes in ((MOVE,), (REMEDY,))]
        assert {*found.left} == {schedule_hash(each.schedule) for each in once} - found.chosen.keys()


@pytest.mark.parametrize(
    ("kind", "measured"), [("timeout", False), ("crash", False), ("memory", False), ("error", True)]
)
def test_what_takes_too_long_to_lower_is_not_compiled_either(
    kind: FailureKind, measured: bool, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = tiled(place, 8, 4), tiled(place, 16, 4)
    with place.store() as store:
        drafts = drafts_of(place, store)
        assert list(choose(drafts, making(first), 1).chosen.values()) == [first]
        failure = Failure(stage="read", kind=kind, message="as it was")
        monkeypatch.setattr(
            "hltune.tuning.lowered.features_of_each", lambda _, new, *__, **___: ((key, failure) for key in new)
        )
        found = choose(drafts, making(first, other), 2)
    assert (other in found.chosen.values()) == measured


def test_programs_outlive_the_process(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    only = tiled(place, 8, 4)
    with place.store() as store:
        drafts = drafts_of(place, store)
        measure(drafts, {schedule_hash(only.schedule): (only, 1.0)}, place)
        drafts.learn(end_s=math.inf)
    with place.store() as store:
        again = drafts_of(place, store)
        monkeypatch.setattr("hltune.lowered.many.FeaturesJob", lambda **_: pytest.fail("lowered again"))
        again.learn(end_s=math.inf)
        assert list(again.history.program_hashes()) == [schedule_hash(only.schedule)]


def test_what_is_lowered_already_is_not_read_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store may hold a hundred thousand schedules, and each takes a millisecond and more to decode."""
    asked: list[str] = []
    schedules = History.schedules
    monkeypatch.setattr(History, "schedules", lambda self, keys: (asked.extend(keys), schedules(self, keys))[1])
    first, second = tiled(place, 8, 4), tiled(place, 16, 4)
    with place.store() as store:
        drafts = drafts_of(place, store)
        for only in (first, second):
            measure(drafts, {schedule_hash(only.schedule): (only, 1.0)}, place)
            drafts.learn(end_s=math.inf)
            drafts.learn(end_s=math.inf)
        assert asked == [schedule_hash(each.schedule) for each in (first, second)]


def test_of_many_the_best_and_some_others_are_learned_from(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    old = [(tiled(place, width, rows), 1.0 / width) for width in WIDTHS for rows in ROWS[:4]]
    failure = Failure(stage="compile", kind="timeout", message="took longer than 1 s")
    costs: list[tuple[Candidate, float | Failure]] = [*old, *((tiled(place, 4, rows), failure) for rows in ROWS)]
    learned: list[tuple[int, int]] = []
    monkeypatch.setattr("hltune.tuning.drafts._MOST_LEARNED", 16)
    monkeypatch.setattr(
        "hltune.tuning.drafts.fit_failing", lambda works, fails, **_: learned.append((len(works), len(fails)))
    )
    with place.store() as store:
        drafts = drafts_of(place, store)
        measure(drafts, {schedule_hash(each.schedule): (each, cost) for each, cost in costs}, place)
        drafts.learn(end_s=math.inf)
        new = {width: tiled(place, width, ROWS[4]) for width in WIDTHS}
        keys, scores = drafts.scores({str(width): each.schedule for width, each in new.items()}, end_s=math.inf)
        by_cost = [int(keys[index]) for index in np.argsort(scores.mean)]
        assert {*by_cost[:2]} == {128, 64} and by_cost[2:] == [32, 16, 8]
        chosen = list(choose(drafts, making(*new.values()), 2).chosen.values())
        assert (new[128] in chosen or new[64] in chosen) and new[8] not in chosen
        again = drafts_of(place, store)
        again.learn(end_s=math.inf)
    assert learned == [(16, 4), (16, 4)]  # the same share of both
    hashes = [schedule_hash(each.schedule) for each, _ in old]
    some = best_and_others(hashes, 7)
    assert len(some) == 7 and some[:3] == hashes[:3] and best_and_others(hashes, 20) == hashes
    assert set(some[3:]) == set(sorted(hashes[3:])[:4])


def test_without_time_drafts_are_measured_as_they_are(place: Place) -> None:
    with place.store() as store:
        found = choose(drafts_of(place, store), making(tiled(place, 8, 4), tiled(place, 16, 4)), 1, limit_s=0.0)
    assert len(found.chosen) == 1 and found.lowered == 0


def measure(drafts: Drafts, costs: Mapping[str, tuple[Candidate, float | Failure]], place: Place) -> None:
    """Stores that candidates cost so much, or fail."""
    known = {each.schedule: of_cost(cost) for each, cost in costs.values()}
    place.session.cost = known.__getitem__  # type: ignore[method-assign]
    candidates = {key: each for key, (each, _) in costs.items()}
    assert [each for _, each in drafts.history.measure(place.session, candidates, best=None)] == [*known.values()]


def of_cost(cost: float | Failure) -> Measurement:
    return cost if isinstance(cost, Failure) else Cost(unit=MILLISECONDS, turns=((cost,),))


def test_which_schedules_come_to_the_same_program(place: Place) -> None:
    one, other = tiled(place, 16, 8), tiled(place, 32, 8)
    named = candidate(place, "blurred.split(y, a, b, 8).split(x, c, d, 16).reorder(d, c, b, a).parallel(a);")
    with place.store() as store:
        drafts, end_s = drafts_of(place, store), time.monotonic() + 60.0
        others = {"other": other.schedule, "expert": named.schedule}
        assert drafts.same_program(one.schedule, others, end_s=end_s) == ("expert",)
        assert drafts_of(place, store).same_program(one.schedule, others, end_s=time.monotonic()) == ()
