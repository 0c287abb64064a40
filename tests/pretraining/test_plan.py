"""Advice from stores whose answer is known."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from hltune.commands.pretrain import plan_pretraining
from hltune.cost_model.adams2019.weights import builtin_weights
from hltune.machine.open import identify, resolve
from hltune.machine.options import MeasureOptions
from hltune.pretraining.options import PretrainOptions
from hltune.pretraining.plan import Plan, _extrapolated_gain, plan
from hltune.runtime.files import write_bytes
from hltune.runtime.progress import Remembered, Silent
from hltune.samples.writer import Store
from hltune.search.autoschedulers import Adams2019Options
from hltune.values.cost import Cost
from hltune.values.directives import ComputeRoot, Schedule, Split
from hltune.values.machine_id import MachineId
from hltune.values.provenance import Named, Searched
from hltune.values.roles import Stage
from hltune.values.sample import PipelineRecord, Sample
from hltune.values.unit import MILLISECONDS
from hltune.workspace.records import Workspace

MACHINE = MachineId(cpu="some CPU", target="x86-64-linux", threads=2, halide="21.0.0")
BEAM = Searched(autoscheduler="Adams2019", parameters=(("beam_size", "32"),))
OUTPUT = Stage("output")


def tuned(path: Path, name: str, speedups: dict[float, float]) -> None:
    """A pipeline that takes 10 ms as found by beam search, and less from these minutes on."""
    key = hashlib.sha256(name.encode()).hexdigest()
    samples: list[Sample] = []
    for number in range(600):
        minute = number / 100
        speedup = max((gain for since, gain in speedups.items() if since <= minute), default=1.0)
        schedule = Schedule((ComputeRoot(OUTPUT), Split(OUTPUT, "x", "xo", "xi", number + 2)))
        samples.append(
            Sample(
                pipeline_hash=key,
                machine=MACHINE,
                schedule=schedule,
                featurization=None,
                measurement=Cost(unit=MILLISECONDS, turns=((1e-2 / speedup,),)),
                provenance=BEAM if number == 0 else Named(name="another"),
                round=int(number > 0),
                measured_at_s=1e9 + 60 * minute,
            )
        )
    with Store(path, progress=Silent(), wait_s=0) as store:
        store.add_pipeline(PipelineRecord(hash=key, name=name, spec=None))
        store.add_all(samples)


def planned(path: Path, *, pipelines: int, hours: float, machine: MachineId = MACHINE) -> Plan:
    with Store(path, progress=Silent(), wait_s=0) as store:
        return plan(store, machine, builtin_weights(), pipelines=pipelines, hours=hours, seconds_per_program=10.0)


def test_what_tuning_gains_in_the_time_of_each(tmp_path: Path) -> None:
    tuned(tmp_path / "s.sqlite", "one", {1.0: 2.0, 3.0: 8.0})
    tuned(tmp_path / "s.sqlite", "two", {3.0: 2.0})
    advice = planned(tmp_path / "s.sqlite", pipelines=15, hours=0.5)
    assert (advice.minutes_each, set(advice.tuned)) == (2.0, {"one", "two"})
    assert advice.tuning_gain == pytest.approx(2.0**0.5)
    assert dict(advice.tuning_curve)[4.0] == pytest.approx(4.0)
    assert advice.pretraining_gain is None and advice.advice is None
    assert advice.programs == 180


def test_other_machines_and_few_samples_say_nothing(tmp_path: Path) -> None:
    tuned(tmp_path / "s.sqlite", "one", {1.0: 2.0})
    elsewhere = planned(tmp_path / "s.sqlite", pipelines=1, hours=1, machine=replace(MACHINE, cpu="another CPU"))
    assert (elsewhere.tuned, elsewhere.tuning_gain) == ((), None)


def test_regret_is_extrapolated_by_its_power_law() -> None:
    curve = ((0, 3.0), (10, 2.0), (20, 1.5), (40, 1.25), (80, 1.125))
    assert _extrapolated_gain(curve, 160) == pytest.approx(3.0 / 1.0625)


def test_a_curve_that_does_not_fall_promises_nothing() -> None:
    rising = ((0, 2.0), (10, 1.5), (20, 1.6), (40, 1.7), (80, 1.8))
    assert _extrapolated_gain(rising, 10**6) == _extrapolated_gain(rising, 80) < 2.0 / 1.5


@pytest.mark.parametrize(
    ("tuning", "pretraining", "advice"), [(2.0, 1.5, "tune"), (1.2, 1.5, "pretrain"), (None, 2.0, None)]
)
def test_the_larger_gain_is_the_advice(tuning: float | None, pretraining: float, advice: str | None) -> None:
    made = Plan(
        pipelines=1,
        hours=1,
        minutes_each=60,
        tuned=(),
        tuning_curve=(),
        tuning_gain=tuning,
        learning_curve=(),
        programs=1,
        pretraining_gain=pretraining,
    )
    assert made.advice == advice


def test_nobody_knows_what_longer_tuning_gains(tmp_path: Path) -> None:
    """Than any was: at least as much as the longest, which counts."""
    tuned(tmp_path / "s.sqlite", "one", {1.0: 2.0, 3.0: 8.0})
    advice = planned(tmp_path / "s.sqlite", pipelines=1, hours=1)
    assert (advice.minutes_each, advice.tuning_gain) == (60.0, pytest.approx(8.0))
    assert max(minutes for minutes, _ in advice.tuning_curve) == 4.0


def test_pipelines_of_one_name_count_each(tmp_path: Path) -> None:
    tuned(tmp_path / "s.sqlite", "one", {1.0: 2.0})
    tuned(tmp_path / "s.sqlite", "two", {1.0: 8.0})
    with contextlib.closing(sqlite3.connect(tmp_path / "s.sqlite")) as database, database:
        database.execute("UPDATE pipelines SET name = 'one'")
    assert planned(tmp_path / "s.sqlite", pipelines=15, hours=0.5).tuning_gain == pytest.approx(4.0)


def test_a_damaged_journal_takes_no_plan_away(tmp_path: Path) -> None:
    """What a run starts over by is no flag of a plan."""
    workspace, measure = Workspace(tmp_path), MeasureOptions(threads=2)
    tuned(workspace.samples, "tuned", {0.0: 1.0})
    journal = workspace.pretrained(identify(resolve("host"), measure)) / "pretraining.json"
    options, heard = PretrainOptions(search=Adams2019Options(parallelism=2)), Remembered(Silent())
    for text, notes in (("{", 1), (None, 0)):
        heard.notes.clear()
        write_bytes(journal, text.encode()) if text else journal.unlink()
        found = plan_pretraining(options, 10, 1.0, target="host", workspace=workspace, measure=measure, progress=heard)
        assert found.pipelines == 10 and len(heard.notes) == notes
        assert all(str(journal) in note and "--fresh" not in note for note in heard.notes)
