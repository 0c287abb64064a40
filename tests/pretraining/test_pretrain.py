"""Pre-training end to end, on a few small batches."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hltune.commands.pretrain import Pretrained
from hltune.cost_model.adams2019.lineage import Lineage, read_stored
from hltune.cost_model.adams2019.weights import builtin_weights, read_weights, weights_hash
from hltune.cost_model.ranker_file import Rankers
from hltune.lowered.features import VERSION
from hltune.machine.open import identify, resolve
from hltune.pretraining.ranking import Ranking
from hltune.pretraining.replay import Replay, is_held_out
from hltune.samples.reader import Reader
from hltune.search.autoschedulers import Adams2019Options
from hltune.values.errors import InputError
from hltune.workspace.default_weights import initial_weights
from hltune.workspace.records import Workspace
from tests.cost_model.adams2019.test_lineage_files import ORIGIN
from tests.pretraining.conftest import MEASURE, Recorder, make_options, run
from tests.samples import stored

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
KILLS = 6
LONGEST_S = 5.0


def schedules(root: Path) -> dict[str, set[str]]:
    """Hashes of all measured schedules by the name of the program."""
    with Reader(root / "samples.sqlite") as reader:
        (machine,) = stored.machines(reader)
        return {name: set(reader.costs(key, machine.key)) for key, name in reader.pipelines().items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Pretrained]]:
    root = tmp_path_factory.mktemp("finished")
    yield root, run(root, make_options(), use=True)


def test_every_batch_is_a_program_with_distinct_schedules(finished: tuple[Path, Pretrained]) -> None:
    root, result = finished
    assert [batch.number for batch in result.batches] == [0, 1, 2]
    assert [len(found) for found in schedules(root).values()] == [batch.measured for batch in result.batches]
    assert all(batch.measured >= 3 + 1 + 3 for batch in result.batches)  # searched, at root, and mutants
    assert result.journal.measured == sum(batch.measured for batch in result.batches)


def test_what_was_measured_is_lowered_and_teaches_a_ranker(
    finished: tuple[Path, Pretrained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, result = finished
    assert result.ranker is None  # of three programs there is nothing to learn
    monkeypatch.setattr("hltune.pretraining.ranking._LEAST_PROGRAMS", 1)
    with Reader(root / "samples.sqlite") as reader:
        (machine,) = stored.machines(reader)
        replay = Replay(reader, machine)
        groups = replay.groups([*reader.pipelines()])
        measured = sum(
            cost is not None for key in reader.pipelines() for cost in reader.costs(key, machine.key).values()
        )
        assert len(groups) == len(result.batches) and sum(len(each.costs) for each in groups) == measured
        ranking = Ranking(replay=replay, rankers=Rankers(tmp_path), seed=0)
        found = ranking.checkpoint(3, [*reader.pipelines()])
        assert found is not None and found.path.parent == tmp_path and ranking.rankers.version() == 3
        assert found.benchmarks.pipelines == len(groups) and found.benchmarks.samples == measured
        assert not ranking.due(3) and ranking.due(4)
        written = found.path.stat().st_mtime_ns
        again = ranking.checkpoint(3, [])
        assert again is not None and again.path.stat().st_mtime_ns == written  # nothing new to learn from


@pytest.mark.parametrize("change", ["UPDATE programs SET version = version - 1", "DELETE FROM programs"])
def test_what_this_version_has_not_lowered_is_lowered(tmp_path: Path, change: str) -> None:
    """An earlier one has, or nobody: a restored workspace has measurements alone."""
    run(tmp_path, make_options(batches=1))
    with contextlib.closing(sqlite3.connect(tmp_path / "samples.sqlite")) as store, store:
        (known,) = store.execute("SELECT count(*) FROM programs").fetchone()
        store.execute(change)
    with Reader(tmp_path / "samples.sqlite") as reader:
        (machine,) = stored.machines(reader)
        assert Replay(reader, machine).unread() == list(reader.pipelines())
    run(tmp_path, make_options(batches=1))
    with Reader(tmp_path / "samples.sqlite") as reader:
        (key,) = reader.pipelines()
        assert len(reader.programs(key, machine.key, VERSION)) == known > 0
        assert not Replay(reader, machine).unread()


def test_weights_say_where_they_come_from(finished: tuple[Path, Pretrained]) -> None:
    root, result = finished
    stored = read_stored(result.checkpoint.weights)
    start = initial_weights(None, None, resolve("host"), parent=None)
    assert stored.origin.parent_hash == weights_hash(start) != weights_hash(builtin_weights())
    assert stored.origin.options["batches"] == 3.0
    changed = [not np.array_equal(stored.weights[name], values) for name, values in start.items()]
    assert any(changed)
    assert result.default is not None and result.default.parent.parent == root / "default"
    assert weights_hash(read_weights(result.default)) == weights_hash(stored.weights)


def test_a_second_call_does_what_is_left(finished: tuple[Path, Pretrained], tmp_path: Path) -> None:
    _, whole = finished
    first = run(tmp_path, make_options(batches=1))
    recorder = Recorder()
    second = run(tmp_path, make_options(batches=2), recorder)
    assert [batch.number for batch in recorder.batches] == [1]
    assert [batch.name for batch in (*first.batches, *second.batches)] == [batch.name for batch in whole.batches[:2]]
    assert [checkpoint.batches for checkpoint in recorder.checkpoints] == [2]
    again = run(tmp_path, make_options(batches=2))
    assert again.batches == () and again.checkpoint.weights == second.checkpoint.weights


@pytest.mark.alone  # what takes too long is searched by other means, and beside other tests much does
def test_killed_at_random_moments_it_ends_with_the_same_samples(
    finished: tuple[Path, Pretrained], tmp_path: Path
) -> None:
    root, _ = finished
    rng = random.Random(1)
    for _ in range(KILLS):
        command = [sys.executable, "-m", "tests.pretraining.driver", str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline()  # else most kills would hit the start of Python
            killer = threading.Timer(rng.uniform(0, LONGEST_S), kill, (process.pid,))
            killer.start()
            process.stdout.read()
            killer.cancel()
    run(tmp_path, make_options())
    assert schedules(tmp_path) == schedules(root)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it was done before
        os.killpg(pid, signal.SIGKILL)


def test_other_settings_need_a_fresh_start(tmp_path: Path) -> None:
    run(tmp_path, make_options(batches=1))
    for changes, flag in (
        ({"schedules": 6}, "--schedules"),
        ({"from_scratch": True}, "--weights"),
        ({"search": Adams2019Options(parallelism=2, seed=2)}, "--seed"),
    ):
        with pytest.raises(InputError, match="other settings") as raised:
            run(tmp_path, make_options(batches=1, **changes))
        assert flag in str(raised.value) and (raised.value.todo or "").startswith("start over with --fresh")
    before = schedules(tmp_path)
    fresh = replace(make_options(batches=1), fresh=True)
    result = run(tmp_path, fresh)
    assert schedules(tmp_path) == before  # measured already
    assert result.journal.batches == 1 and result.batches[0].measured == 0


def test_held_out_programs_are_never_learned(finished: tuple[Path, Pretrained]) -> None:
    root, result = finished
    with Reader(root / "samples.sqlite") as reader:
        held_out = [key for key in reader.pipelines() if is_held_out(key)]
        assert result.checkpoint.programs == len(reader.pipelines()) - len(held_out)
    assert result.checkpoint.held_out.new.pipelines == len(held_out)


def test_without_a_batch_the_default_stays_as_it_was(tmp_path: Path) -> None:
    folder = Workspace(tmp_path).default_folder(identify(resolve("host"), MEASURE))
    before = Lineage(folder).write("best", 1, builtin_weights(), ORIGIN, None, keep=True).read_bytes()
    recorder = Recorder()
    result = run(tmp_path, make_options(minutes=1e-6), recorder, use=True)
    assert result.default is None and not result.batches
    assert any("the default stays as it was" in note and "give more --minutes" in note for note in recorder.notes)
    assert [each.read_bytes() for each in folder.glob("*.weights")] == [before]
