"""What people and scripts see of the sample store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from hltune.commands.samples import Chosen
from hltune.report import samples as report
from hltune.samples.exchange import Imported
from hltune.samples.results import Ranked
from hltune.samples.statistics import Statistics
from hltune.samples.writer import Deleted
from hltune.values.machine_id import MachineId
from tests.report.conftest import dumped, shown
from tests.report.values import DSP, HOST, MUTATED, SCHEDULE, SEARCHED, STORE

TIMED = Statistics(
    pipeline_hash="ab" * 32,
    pipeline_name="blur",
    machine=HOST,
    samples=120,
    schedules=100,
    failed={"run": 2, "compile": 1},
    best=1e-3,
    median=2.5e-3,
    slowest=1.25,
    first_at_s=1_700_000_000.0,
    last_at_s=1_700_086_400.9,
)
COUNTED = replace(TIMED, machine=DSP, failed={}, best=1.2e-3, median=None, slowest=None)
ROWS = (TIMED, COUNTED, replace(TIMED, pipeline_name="sobel", pipeline_hash="cd" * 32))
CHOSEN = Chosen(name="blur", hash="ab" * 32, machine=HOST)
RANKED = (
    Ranked(
        schedule_hash="0123456789abcdef" * 4,
        schedule=SCHEDULE,
        cost=1e-3,
        measurements=3,
        round=2,
        provenance=SEARCHED,
        measured_at_s=1_700_000_000.0,
    ),
    Ranked(
        schedule_hash="fedcba9876543210" * 4,
        schedule=None,
        cost=2e-3,
        measurements=1,
        round=0,
        provenance=MUTATED,
        measured_at_s=1_700_000_000.0,
    ),
)
IMPORT = (
    HOST,
    {"ab" * 32: "imported-abababab", "cd" * 32: "other"},
    Imported(pipelines={"ab" * 32: 7}, added=5, known=2, skipped=((Path("a.sample"), "[bold] wrong size"),)),
)


def test_statistics(snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: report.print_statistics(console, ROWS)) == snapshot(name="text")
    assert dumped(report.statistics(STORE, ROWS)) == snapshot(name="json")


@pytest.mark.parametrize("machine", [HOST, DSP], ids=["timed", "counted"])
def test_best(machine: MachineId, snapshot: SnapshotAssertion) -> None:
    chosen = replace(CHOSEN, machine=machine)
    assert shown(lambda console: report.print_best(console, chosen, RANKED)) == snapshot(name="text")
    assert dumped(report.best(chosen, RANKED)) == snapshot(name="json")


@pytest.mark.parametrize("machine", [HOST, None], ids=["one machine", "all machines"])
def test_deleted(machine: MachineId | None, snapshot: SnapshotAssertion) -> None:
    chosen, gone = replace(CHOSEN, machine=machine), Deleted(samples=12, schedules=10)
    assert shown(lambda console: report.print_deleted(console, chosen, gone)) == snapshot(name="text")
    assert dumped(report.deleted(chosen, gone)) == snapshot(name="json")


def test_exported(snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: report.print_exported(console, CHOSEN, Path("out"), 3)) == snapshot(name="text")
    assert dumped(report.exported(CHOSEN, Path("out"), 3)) == snapshot(name="json")


def test_imported(snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: report.print_imported(console, *IMPORT)) == snapshot(name="text")
    assert dumped(report.imported(*IMPORT)) == snapshot(name="json")
