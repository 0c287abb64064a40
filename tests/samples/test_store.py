"""What goes in comes out, and only where it belongs."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hltune.runtime.progress import Silent
from hltune.samples.reader import Reader
from hltune.samples.writer import Deleted, Store
from hltune.values.cost import Cost
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.features import SCHEDULE_COLUMNS
from hltune.values.pipeline import PipelineSpec
from hltune.values.program_features import ProgramFeatures
from hltune.values.provenance import REPAIR, Mutated, Named, Searched
from hltune.values.sample import PipelineRecord, Sample
from tests.samples import stored
from tests.samples.values import MACHINE, OTHER_MACHINE, PIPELINE, SPEC, cost, featurization, sample, samples, specs

OTHER_PIPELINE = PipelineRecord.of(replace(SPEC, hlpipe=b"another"))
CRASH = Failure(stage="compile", kind="crash", message="ended by SIGSEGV", log="...")
WRONG = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
SLOW = Failure(stage="run", kind="timeout", message="took longer than 20 s")
KEYS = (PIPELINE.hash, MACHINE.key)


def measured(number: int, *repeats: float, when: float) -> Sample:
    return sample(number, cost(*repeats), when=when)


@settings(max_examples=30, deadline=None)
@given(specs, st.lists(samples, max_size=5))
def test_everything_comes_back(spec: PipelineSpec, given_samples: list[Sample]) -> None:
    record = PipelineRecord.of(spec)
    added = [replace(one, pipeline_hash=record.hash) for one in given_samples]
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder) / "samples.sqlite", progress=Silent(), wait_s=0) as store:
            store.add_pipeline(record)
            numbers = store.add_all(added)
        with Reader(Path(folder) / "samples.sqlite") as reader:
            assert reader.spec(record.hash) == spec
            back = stored.samples(reader, record.hash, MACHINE.key)
    by_number = dict(zip(reversed(numbers), reversed(added), strict=True))
    assert back == [by_number[number] for number in sorted(by_number)]


def test_programs_are_kept_by_version_and_go_with_their_schedules(store: Store) -> None:
    store.add_all([sample(1), sample(2), sample(3, CRASH)])
    program = ProgramFeatures(bodies=np.array([[1.0, 2.5], [1e12, 0.0]]), whole=np.array([3.0]), program_hash="a" * 64)
    one, other = (sample(number).schedule_hash for number in (1, 2))
    crashed = sample(3).schedule_hash
    assert set(store.schedules(*KEYS)) == {one, other, crashed}
    assert set(store.failed_hashes(*KEYS)) == {crashed}
    refused = Failure(stage="compile", kind="error", message="invalid location")
    store.add_all([sample(4, refused), sample(3)])  # and what has failed once, works
    assert set(store.schedules(*KEYS)) == {one, other, crashed} and not store.failed_hashes(*KEYS)
    for _ in range(2):  # the second time changes nothing
        store.add_programs(PIPELINE.hash, MACHINE, 1, {one: program})
    ((program_hash, data),) = store.programs(*KEYS, 1).values()
    back = ProgramFeatures.decode(data, program_hash=program_hash, columns=2, whole=1)
    assert back.program_hash == program.program_hash and (back.whole == program.whole).all()
    assert back.bodies == pytest.approx(program.bodies)
    assert store.programs(*KEYS, 2) == {} == store.programs(PIPELINE.hash, OTHER_MACHINE.key, 1)
    for damaged, columns in ((data, 3), (data[:-9], 2), (b"no zlib", 2)):
        with pytest.raises(InputError, match="damaged"):
            ProgramFeatures.decode(damaged, program_hash=program_hash, columns=columns, whole=1)
    store.delete(*KEYS)
    store.add_pipeline(PIPELINE)
    assert store.programs(*KEYS, 1) == {}


def test_measuring_again_keeps_the_history(store: Store) -> None:
    first, second = measured(1, 5.0, 6.0, when=10), measured(1, 4.0, when=20)
    assert store.add(first) != store.add(second)
    assert stored.samples(store, *KEYS) == [first, second]
    [data] = store.training_data(*KEYS)
    assert data.costs.tolist() == [4.0]
    [best] = store.best(*KEYS, 10)
    assert (best.cost, best.measurements, best.measured_at_s) == (4.0, 2, 20)
    assert best.schedule == first.schedule


def test_the_same_measurement_is_added_once(store: Store) -> None:
    assert store.add(sample(1)) == store.add(sample(1))
    assert store.add(sample(2, CRASH)) == store.add(sample(2, CRASH))
    assert store.count() == 2
    store.add(measured(1, 9.0, when=sample(1).measured_at_s))
    assert store.count() == 3


def test_nothing_is_mixed(store: Store) -> None:
    store.add_pipeline(OTHER_PIPELINE)
    here, elsewhere, other = sample(1), sample(2, machine=OTHER_MACHINE), sample(3, pipeline=OTHER_PIPELINE)
    store.add_all([here, elsewhere, other])
    for one, keys in (
        (here, KEYS),
        (elsewhere, (PIPELINE.hash, OTHER_MACHINE.key)),
        (other, (OTHER_PIPELINE.hash, MACHINE.key)),
    ):
        assert stored.samples(store, *keys) == [one]
        assert set(store.costs(*keys)) == {one.schedule_hash}
        assert [best.schedule_hash for best in store.best(*keys, 9)] == [one.schedule_hash]
        [data] = store.training_data(*keys)
        assert data.schedule_hashes == (one.schedule_hash,)
    assert not store.costs(OTHER_PIPELINE.hash, OTHER_MACHINE.key)
    assert not list(store.training_data(OTHER_PIPELINE.hash, OTHER_MACHINE.key))
    assert stored.machines(store) == (MACHINE, OTHER_MACHINE)


def test_seen_schedules_include_failures(store: Store) -> None:
    store.add_all([sample(1), sample(2, CRASH)])
    assert set(store.costs(*KEYS)) == {sample(1).schedule_hash, sample(2).schedule_hash}
    [data] = store.training_data(*KEYS)
    assert data.schedule_hashes == (sample(1).schedule_hash,)


def test_a_failure_is_shown_by_a_schedule_that_fails_to_this_day(store: Store) -> None:
    own = replace(sample(9, CRASH), schedule=Schedule(base="a" * 64), provenance=Named(name="manual"))

    def shown() -> tuple[int, str | None, bool]:
        (found,) = store.failures(*KEYS)
        return found.count, found.schedule_hash, found.otherwise_since

    store.add(own)
    assert shown()[:2] == (1, None)  # only the author's file says it
    store.add_all([sample(1, CRASH), sample(1)])
    assert shown() == (2, sample(1).schedule_hash, True)
    store.add_all([sample(2, CRASH), sample(1, CRASH, when=2000.0), sample(1, when=2001.0)])
    assert shown() == (4, sample(2).schedule_hash, False)


def test_mutants_come_with_their_costs_and_without_repairs(store: Store) -> None:
    mutated = [Mutated(parent="a", changes=changes) for changes in (("tail", "scale"), (REPAIR,), ("align",))]
    outcomes = (cost(2.0), cost(1.0), CRASH)
    samples = [sample(number, each) for number, each in enumerate(outcomes)]
    store.add_all([replace(each, provenance=origin) for each, origin in zip(samples, mutated, strict=True)])
    store.add(sample(9))
    assert store.mutants(*KEYS) == [(mutated[0], 2.0), (mutated[2], None)]


def test_what_has_turned_out_wrong_is_none_of_the_best(store: Store) -> None:
    quick, slow = sample(0), sample(1)
    store.add_all([quick, slow, sample(0, WRONG, when=2000), sample(1, CRASH, when=2000)])
    assert [best.schedule_hash for best in store.best(*KEYS, 9)] == [slow.schedule_hash]  # a crash may be bad luck
    assert store.costs(*KEYS) == {quick.schedule_hash: None, slow.schedule_hash: 2e-3}


def test_best_are_sorted(store: Store) -> None:
    store.add_all([measured(n, t, when=n) for n, t in enumerate((3.0, 1.0, 2.0))])
    assert [best.cost for best in store.best(*KEYS, 2)] == [1.0, 2.0]


def test_what_was_wrong_once_is_never_among_the_best(store: Store) -> None:
    """Though it was right before, for a race need not show; what was slow once still counts."""
    store.add_all([measured(n, n + 1.0, when=n + 10) for n in range(4)])
    store.add_all([replace(sample(n, WRONG), measured_at_s=50.0 + n) for n in range(2)])
    store.add(replace(sample(2, SLOW), measured_at_s=60.0))
    assert [best.cost for best in store.best(*KEYS, 2)] == [3.0, 4.0]
    assert [best.cost for best in store.best(*KEYS, 9, distinct=True)] == [3.0, 4.0]


def test_of_equal_costs_the_first_may_stand_for_all(store: Store) -> None:
    store.add_all([measured(n, t, when=n) for n, t in enumerate((2.0, 1.0, 2.0, 1.0, 3.0))])
    ranked = store.best(*KEYS, 10, distinct=True)
    assert [best.cost for best in ranked] == [1.0, 2.0, 3.0]
    assert [best.schedule_hash for best in ranked] == [sample(number).schedule_hash for number in (1, 0, 4)]
    assert len(store.best(*KEYS, 10)) == 5


def test_what_is_left_out_stands_for_nothing(store: Store) -> None:
    """Else an equal schedule that is not allowed would hide the one that is."""
    store.add_all([measured(n, t, when=n) for n, t in enumerate((1.0, 1.0, 2.0))])
    ranked = store.best(*KEYS, 1, distinct=True, without={sample(0).schedule_hash})
    assert [best.schedule_hash for best in ranked] == [sample(1).schedule_hash]


@pytest.mark.parametrize("chunk", [None, 1, 3, 10, 100])
def test_training_data(store: Store, chunk: int | None) -> None:
    added = [sample(number) for number in range(10)]
    store.add_all([*added, sample(11, SLOW), replace(sample(12), featurization=None)])
    items = list(store.training_data(*KEYS, chunk=chunk))
    assert [len(item.costs) for item in items] == (
        [10] if chunk in (None, 10, 100) else [1] * 10 if chunk == 1 else [3, 3, 3, 1]
    )
    expected = {one.schedule_hash: one for one in added}
    for item in items:
        assert item.schedule_features.shape == (len(item.costs), 3, SCHEDULE_COLUMNS)
        assert item.schedule_features.dtype == np.float32
        for row, key in enumerate(item.schedule_hashes):
            one = expected.pop(key)
            assert one.featurization is not None and isinstance(one.measurement, Cost)
            assert np.array_equal(item.schedule_features[row], one.featurization.schedule_array())
            assert np.array_equal(item.pipeline_features, one.featurization.pipeline_array())
            assert item.costs[row] == one.measurement.value
    assert not expected


def test_the_newest_training_data(store: Store) -> None:
    store.add_all([*(sample(number) for number in range(6)), sample(0, when=5000)])
    [data] = store.training_data(*KEYS, newest=3)
    assert set(data.schedule_hashes) == {sample(number).schedule_hash for number in (4, 5, 0)}


@pytest.mark.parametrize("newest", [None, 2])
def test_nobody_learns_from_what_turned_out_wrong(store: Store, newest: int | None) -> None:
    """It may be wrong because it leaves work out, and then it is the fastest of all."""
    mutant = Mutated(parent=sample(2).schedule_hash, changes=("vectorize",))
    fast = replace(sample(0, cost(1e-6)), provenance=mutant)
    beam = replace(
        sample(1), provenance=Searched(autoscheduler="Adams2019", weights=None, parameters=(("beam_size", "32"),))
    )
    store.add_all([fast, beam, sample(2)])
    assert store.mutants(*KEYS) == [(mutant, 1e-6)] and store.first_beam_cost(*KEYS) == 2e-3
    store.add_all([sample(0, WRONG), sample(1, WRONG)])
    [data] = store.training_data(*KEYS, newest=newest)
    assert data.schedule_hashes == (sample(2).schedule_hash,)
    assert store.mutants(*KEYS) == [(mutant, None)] and store.first_beam_cost(*KEYS) is None


def test_other_stages_of_the_same_pipeline_are_kept_apart(store: Store) -> None:
    odd = replace(sample(2), featurization=featurization(2, stages=5, pipeline_seed=7))
    store.add_all([sample(1), odd])
    assert [data.schedule_features.shape for data in store.training_data(*KEYS)] == [(1, 3, 39), (1, 5, 39)]


def test_statistics(store: Store) -> None:
    store.add_pipeline(OTHER_PIPELINE)
    store.add_all(
        [
            measured(1, 4.0, 5.0, when=30),
            measured(1, 3.0, when=40),
            measured(2, 7.0, when=20),
            measured(3, 8.0, when=50),
            sample(4, CRASH, when=60),
            sample(5, CRASH, when=61),
            sample(6, SLOW, when=10),
            sample(7, CRASH, pipeline=OTHER_PIPELINE, when=5),
        ]
    )
    assert store.measured_on(MACHINE.key) == {PIPELINE.hash, OTHER_PIPELINE.hash}
    assert store.measured_on(OTHER_MACHINE.key) == set()
    by_hash = {one.pipeline_hash: one for one in store.statistics()}
    one = by_hash[PIPELINE.hash]
    assert (one.pipeline_name, one.machine, one.samples, one.schedules) == ("blur", MACHINE, 7, 6)
    assert one.failed == {"compile": 2, "run": 1}
    assert (one.best, one.median, one.slowest) == (3.0, 7.0, 8.0)
    assert (one.first_at_s, one.last_at_s) == (10, 61)
    other = by_hash[OTHER_PIPELINE.hash]
    assert (other.samples, other.best, other.failed) == (1, None, {"compile": 1})


def test_what_has_turned_out_wrong_is_no_best_of_the_statistics(store: Store) -> None:
    store.add_all([measured(1, 1.0, when=1), measured(2, 2.0, when=2), sample(1, WRONG, when=3)])
    (one,) = store.statistics()
    assert (one.best, one.median, one.slowest, one.samples, one.schedules) == (2.0, 2.0, 2.0, 3, 2)


def test_a_store_may_be_a_link(tmp_path: Path) -> None:
    """Its log and its lock are beside the file itself."""
    (tmp_path / "large").mkdir()
    file, link = tmp_path / "large" / "samples.sqlite", tmp_path / "samples.sqlite"
    link.symlink_to(file)
    with Store(link, progress=Silent(), wait_s=0.0) as store:
        store.add_pipeline(PIPELINE)
        store.add_all([sample(number) for number in range(200)])
        with Reader(link) as reader:
            assert len(reader.costs(*KEYS)) == 200
        with pytest.raises(InputError, match="another run writes"):
            Store(file, progress=Silent(), wait_s=0.0)
    assert [each.name for each in tmp_path.iterdir() if each.is_symlink()] == [link.name]


def test_what_was_not_committed_is_not_counted(store: Store) -> None:
    def interrupted() -> Iterator[Sample]:
        yield sample(1)
        raise KeyboardInterrupt

    store.add(sample(2))
    with pytest.raises(KeyboardInterrupt):
        store.add_all(interrupted())
    assert store.added == store.count() == 1


def test_delete(store: Store) -> None:
    store.add_pipeline(OTHER_PIPELINE)
    kept = [sample(1, machine=OTHER_MACHINE), sample(1, pipeline=OTHER_PIPELINE)]
    store.add_all([sample(1), sample(1, when=1), sample(2, CRASH), *kept])
    assert store.delete(PIPELINE.hash, MACHINE.key) == Deleted(samples=3, schedules=1)
    assert not store.costs(*KEYS)
    assert stored.samples(store, PIPELINE.hash, OTHER_MACHINE.key) == [kept[0]]
    assert store.delete(PIPELINE.hash) == Deleted(samples=1, schedules=1)
    assert store.pipelines() == {OTHER_PIPELINE.hash: "blur"}
    assert stored.samples(store, OTHER_PIPELINE.hash, MACHINE.key) == [kept[1]]
    with pytest.raises(InputError, match="does not know this pipeline"):
        store.delete(PIPELINE.hash)


def test_deleting_makes_room(store: Store, path: Path) -> None:
    store.add_pipeline(OTHER_PIPELINE)
    store.add_all([sample(number) for number in range(2000)])
    store.add(sample(1, pipeline=OTHER_PIPELINE))
    store.delete(PIPELINE.hash)
    store.close()
    assert path.stat().st_size < 200_000


def test_all_or_nothing(store: Store) -> None:
    with pytest.raises(InputError, match="does not know this pipeline"):
        store.add_all([sample(1), sample(2, pipeline=OTHER_PIPELINE)])
    assert store.count() == 0
    store.add(sample(1))
    assert store.count() == 1


def test_two_machines_under_one_key(store: Store, path: Path) -> None:
    store.add(sample(1))
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE machines SET cpu = 'another'")
        connection.commit()
    with Store(path, progress=Silent(), wait_s=0) as again, pytest.raises(InputError, match="same key"):
        again.add(sample(2))


def test_a_machine_that_was_not_kept_is_kept_again(store: Store) -> None:
    """What was undone with a transaction is not believed to be there."""
    with pytest.raises(InputError, match="does not know"):
        store.add_all((sample(1), replace(sample(2), pipeline_hash="0" * 64)))
    store.add(sample(3))
    assert set(store.costs(*KEYS)) == {sample(3).schedule_hash}


def test_readers_see_what_a_writer_adds(store: Store, path: Path) -> None:
    with Reader(path) as reader:
        store.add(sample(1))
        assert set(reader.costs(*KEYS)) == {sample(1).schedule_hash}


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no samples here"):
        Reader(tmp_path / "samples.sqlite")
    assert not list(tmp_path.iterdir())


def test_history_and_rounds(store: Store) -> None:
    assert store.history(*KEYS) == () and store.last_round(*KEYS) == 0
    failure = Failure(stage="run", kind="timeout", message="too long")
    store.add_all([sample(3, when=30.0), sample(1, when=10.0), sample(2, failure, when=20.0)])
    store.add(sample(3, cost(1e-3), when=40.0))
    assert store.history(*KEYS) == ((10.0, 2e-3), (30.0, 4e-3), (40.0, 1e-3))
    times = store.costs(*KEYS)
    assert times == {sample(1).schedule_hash: 2e-3, sample(2).schedule_hash: None, sample(3).schedule_hash: 1e-3}
    assert store.last_round(*KEYS) == 1
    wrong = Failure(stage="verify", kind="wrong output", message="3 of 9 elements differ")
    store.add(sample(3, wrong, when=50.0))
    assert store.history(*KEYS) == ((10.0, 2e-3),)  # its times were no times
    store.add(replace(sample(4), round=7))
    store.add(replace(sample(5), round=0))
    assert store.last_round(*KEYS) == 7


def test_the_least_cost_after_each_round_of_all_runs(store: Store) -> None:
    def at(number: int, round_number: int, outcome: Cost | Failure) -> Sample:
        return replace(sample(number, outcome), round=round_number)

    assert store.round_costs(*KEYS) == ()
    store.add_all([at(1, 1, CRASH), at(2, 2, cost(5.0)), at(3, 2, cost(4.0)), at(4, 3, cost(6.0))])
    store.add_all([at(5, 0, cost(3.0)), at(6, 4, cost(7.0)), at(7, 5, cost(1.0)), at(7, 5, WRONG)])
    assert store.round_costs(*KEYS) == (None, 4.0, 4.0, 3.0, 3.0)
    store.add_all([at(8, 8, cost(2.0))])  # in two rounds, nothing new was found
    assert store.round_costs(*KEYS) == (None, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0, 2.0)
    assert store.round_costs(PIPELINE.hash, OTHER_MACHINE.key) == ()
