"""What hltune 0.1.0 left behind still opens, and work goes on from there."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hltune.machine.open import identify, target_job
from hltune.machine.options import MeasureOptions
from hltune.runtime.progress import Silent
from hltune.runtime.worker import Worker
from hltune.samples import database
from hltune.samples.reader import Reader
from hltune.samples.schema import VERSION
from hltune.samples.writer import Store
from hltune.values.cost import Cost
from hltune.values.machine_id import MachineId
from hltune.values.provenance import Imported, Mutated, Named, Searched
from tests.samples import stored
from tests.workspace.conftest import CONV, DSP, HOST, adopt


def schema(path: Path) -> set[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'")
        return set(rows)


def check(reader: Reader) -> None:
    """The facts that were noted when it was written; but for the cost, which was the fastest repeat then, 0.007058."""
    statistics = {(row.pipeline_name, row.machine.key): row for row in reader.statistics()}
    host, dsp = statistics["conv3x3a16", HOST], statistics["conv3x3a16", DSP]
    assert (host.samples, host.schedules, host.failed) == (40, 40, {"compile": 1, "run": 1})
    assert (dsp.samples, dsp.failed) == (12, {"compile": 1, "run": 1, "verify": 1})
    assert [unit.name for unit in (host.machine.unit, dsp.machine.unit)] == ["ms", "packets"]
    assert host.best is not None and host.machine.unit.from_seconds(host.best) == 0.00762144
    assert dsp.best is not None and dsp.machine.unit.from_seconds(dsp.best) == 8111
    assert reader.count() == 64
    key = host.pipeline_hash
    samples = stored.samples(reader, key, HOST)
    rounds = [sample.round for sample in samples]
    assert [rounds.count(number) for number in range(3)] == [6, 18, 16]
    origins = [sample.provenance for sample in samples]
    assert {type(origin) for origin in origins} == {Searched, Mutated, Named}
    assert {origin.name for origin in origins if isinstance(origin, Named)} == {"default", "simple", "expert"}
    searched = [origin for origin in origins if isinstance(origin, Searched)]
    assert {origin.autoscheduler for origin in searched} == {"Adams2019", "Mullapudi2016", "Li2018"}
    steered = [each.provenance for each in samples if each.round and isinstance(each.provenance, Searched)]
    assert steered and all(re.fullmatch("[0-9a-f]{64}", origin.weights or "") for origin in steered)
    assert all(dict(origin.parameters)["parallelism"] for origin in searched)
    known = reader.costs(key, HOST).keys()
    assert {origin.parent for origin in origins if isinstance(origin, Mutated)} <= known
    costs = [sample.measurement for sample in samples if isinstance(sample.measurement, Cost)]
    assert len(costs) == 38 and all(cost.unit.name == "ms" for cost in costs)
    (imported,) = (row for row in statistics.values() if row.pipeline_name.startswith("imported"))
    files = [sample.provenance for sample in stored.samples(reader, imported.pipeline_hash, HOST)]
    assert len(files) == 4 and all(isinstance(origin, Imported) for origin in files)
    assert reader.first_beam_cost(key, HOST) is not None


def test_readers_see_all_of_it_and_change_nothing(old: Path) -> None:
    before = (old / "samples.sqlite").read_bytes()
    with Reader(old / "samples.sqlite") as reader:
        check(reader)
    assert (old / "samples.sqlite").read_bytes() == before


def test_writers_bring_it_up_to_date(old: Path, tmp_path: Path) -> None:
    path = old / "samples.sqlite"
    with Store(path, progress=Silent(), wait_s=0) as store:
        check(store)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Reader(path) as reader:
        check(reader)
    database.create(tmp_path / "new.sqlite")
    assert schema(path) == schema(tmp_path / "new.sqlite")


def test_a_migration_that_fails_leaves_it_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hltune.samples.migration._STEPS", {1: ("UPDATE samples SET search = 'no JSON'", "no SQL")})
    with pytest.raises(Exception, match="damaged"):
        Store(old / "samples.sqlite", progress=Silent(), wait_s=0)
    monkeypatch.undo()
    with Reader(old / "samples.sqlite") as reader:
        check(reader)


@pytest.fixture
def adopted(old: Path) -> Path:
    """A workspace that this machine wrote, under the conditions of today."""
    Store(old / "samples.sqlite", progress=Silent(), wait_s=0).close()  # brings it up to the schema of today
    adopt(old, HOST, this_machine())
    return old


def this_machine() -> MachineId:
    with Worker() as worker:
        target = worker.run(target_job("host"))
    return identify(target, MeasureOptions(threads=2))


def hltune(workspace: Path, *arguments: str) -> dict:
    """The JSON document of a command."""
    flags = ["--workspace", str(workspace), "--max-parallelism", "2", "--json"]
    command = [sys.executable, "-m", "hltune", *arguments, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_commands_go_on_with_it(adopted: Path, tmp_path: Path) -> None:
    conv = ("conv3x3a16", "--size", "128x128")
    (weights,) = adopted.glob(f"{CONV}/*/weights/latest-00002.weights")
    exported = hltune(adopted, "export", *conv, "-o", str(tmp_path / "out"), "--format", "json,cpp")
    assert exported["name"] == "tuned" and len(exported["files"]) == 2
    compared = {row["name"]: row for row in hltune(adopted, "compare", *conv, "--rounds", "2")["schedules"]}
    assert compared["tuned"]["verified"] and {"adams2019", "adams2019+weights", "expert"} <= compared.keys()
    # Both go on from the built-in weights that they began with, which are not the default any more.
    tuned = hltune(adopted, "tune", *conv, "--samples", "8")
    assert tuned["rounds"][0]["round"] == 3 and tuned["distinct"] > 40 and not weights.exists()
    trained = hltune(adopted, "pretrain", "--batches", "3", "--schedules", "4", "--no-benchmarks")
    # 4 searched, about as many mutants of these, and the one with every Func at root.
    assert trained["batches"] == 3 and 4 < trained["measured"] <= 9


@pytest.mark.long
@pytest.mark.parametrize("versions", [1, 2])
def test_schedules_of_former_conditions_are_used_until_there_are_new_ones(
    old: Path, tmp_path: Path, versions: int
) -> None:
    former = this_machine()
    for _ in range(versions):
        assert former.former is not None
        former = former.former
    if former.conditions:
        Store(old / "samples.sqlite", progress=Silent(), wait_s=0).close()  # for its first schema has no such column
    adopt(old, HOST, former)
    conv = ("conv3x3a16", "--size", "128x128")
    exported = hltune(old, "export", *conv, "-o", str(tmp_path / "out"), "--format", "json")
    assert exported["name"] == "tuned"
    tuned = hltune(old, "tune", *conv, "--samples", "8")
    assert tuned["rounds"][0]["round"] == 1


def write_builtin(path: Path) -> None:
    from hltune.cost_model.adams2019.weights import builtin_weights, write_weights

    write_weights(path, builtin_weights())


def test_machines_keep_their_keys() -> None:
    cpu, target = "AMD EPYC", "x86-64-linux-tune_znver3-avx-avx2-f16c-fma-sse41"
    assert MachineId(cpu=cpu, target=target, threads=2, halide="21.0.0").key == HOST
