"""What people and scripts see of the sample store."""

import json
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hltune.commands.samples import ID_DIGITS, Chosen, Import
from hltune.report.documents import Document, directives
from hltune.samples.reader import Ranked
from hltune.samples.statistics import Statistics
from hltune.samples.writer import Deleted
from hltune.values.machine_id import MachineId
from hltune.values.provenance import to_json
from hltune.values.unit import Unit


def statistics(store: Path, rows: Iterable[Statistics]) -> Document:
    """Result of `hltune samples stats`."""
    return {"store": str(store), "pipelines": [_statistics(row) for row in rows]}


def best(chosen: Chosen, rows: Iterable[Ranked]) -> Document:
    """Result of `hltune samples best`."""
    unit = _unit(chosen)
    return {**_named(chosen), "unit": unit.name, "schedules": [_ranked(row, unit) for row in rows]}


def deleted(chosen: Chosen, gone: Deleted) -> Document:
    """Result of `hltune samples delete`."""
    return {**_named(chosen), "samples": gone.samples, "schedules": gone.schedules}


def exported(chosen: Chosen, directory: Path, files: int) -> Document:
    """Result of `hltune samples export`."""
    return {**_named(chosen), "directory": str(directory), "files": files}


def imported(done: Import) -> Document:
    """Result of `hltune samples import`."""
    result = done.result
    return {
        "machine": _machine(done.machine),
        "added": result.added,
        "known": result.known,
        "pipelines": [
            {"pipeline": done.names[key], "hash": key, "files": files} for key, files in result.pipelines.items()
        ],
        "skipped": [{"file": str(path), "reason": reason} for path, reason in result.skipped],
    }


def print_statistics(console: Console, rows: Iterable[Statistics]) -> None:
    """Result of `hltune samples stats`, machine by machine."""
    by_machine: dict[MachineId, list[Statistics]] = {}
    for row in rows:
        by_machine.setdefault(row.machine, []).append(row)
    for machine, of_machine in by_machine.items():
        title = f"machine {machine.key}: {machine.cpu}, {machine.threads} threads, Halide {machine.halide}"
        console.print(Text(title), soft_wrap=True)
        console.print(Text(f"  {machine.target}"), soft_wrap=True)
        table = Table(box=None, pad_edge=False)
        for heading in ("pipeline", "id"):
            table.add_column(heading, no_wrap=True)
        unit = machine.unit
        costs = (f"{which}\n/{unit.name}" for which in ("best", "median", "slowest"))
        for heading in ("samples", "schedules", *costs):
            table.add_column(heading, justify="right")
        for row in of_machine:
            counts = (str(row.samples), str(row.schedules))
            table.add_row(
                row.pipeline_name,
                row.pipeline_hash[:ID_DIGITS],
                *counts,
                *map(unit.text, (row.best, row.median, row.slowest)),
            )
        console.print(table)
        for row in of_machine:
            failed = ", ".join(f"{count} in {stage}" for stage, count in sorted(row.failed.items())) or "none"
            line = f"{row.pipeline_name}: {_time(row.first_at_s)} to {_time(row.last_at_s)}; failed: {failed}"
            console.print(Text(line), soft_wrap=True)


def print_best(console: Console, chosen: Chosen, rows: Iterable[Ranked]) -> None:
    """Result of `hltune samples best`."""
    unit = _unit(chosen)
    table = Table(box=None, pad_edge=False)
    for heading in (unit.heading, "measured", "round"):
        table.add_column(heading, justify="right")
    for heading in ("schedule", "directives", "search"):
        table.add_column(heading)
    for row in rows:
        count = "unknown" if row.schedule is None else str(len(row.schedule.directives))
        numbers = (unit.text(row.cost), str(row.measurements), str(row.round))
        table.add_row(*numbers, row.schedule_hash[:ID_DIGITS], count, json.dumps(to_json(row.provenance)))
    console.print(table)


def print_deleted(console: Console, chosen: Chosen, gone: Deleted) -> None:
    """Result of `hltune samples delete`."""
    where = f" on machine {chosen.machine.key}" if chosen.machine else ""
    line = f"deleted {gone.samples} samples of {gone.schedules} schedules of {chosen.name}{where}"
    console.print(Text(line), soft_wrap=True)


def print_exported(console: Console, chosen: Chosen, directory: Path, files: int) -> None:
    """Result of `hltune samples export`."""
    console.print(Text(f"{directory}: {files} .sample files of {chosen.name}"), soft_wrap=True)


def print_imported(console: Console, done: Import) -> None:
    """Result of `hltune samples import`."""
    machine, result = done.machine, done.result
    for path, reason in result.skipped:
        console.print(Text(f"skipped {path}: {reason}"), soft_wrap=True)
    for key, files in result.pipelines.items():
        console.print(Text(f"{done.names[key]}: {files} samples"), soft_wrap=True)
    where = f"as measured on this machine with {machine.threads} threads ({machine.key})"
    counts = f"{result.added} added, {result.known} known already, {len(result.skipped)} files skipped"
    console.print(Text(f"{counts}; {where}"), soft_wrap=True)


def _machine(machine: MachineId) -> Document:
    return {"key": machine.key, **machine.document()}


def _named(chosen: Chosen) -> Document:
    machine = chosen.machine.key if chosen.machine else None
    return {"pipeline": chosen.name, "hash": chosen.hash, "machine": machine}


def _unit(chosen: Chosen) -> Unit:
    assert chosen.machine is not None
    return chosen.machine.unit


def _statistics(row: Statistics) -> Document:
    unit = row.machine.unit
    costs = {"best": row.best, "median": row.median, "slowest": row.slowest}
    return {
        "pipeline": row.pipeline_name,
        "hash": row.pipeline_hash,
        "machine": _machine(row.machine),
        "samples": row.samples,
        "schedules": row.schedules,
        "failed": row.failed,
        "unit": unit.name,
        **{name: None if seconds is None else unit.from_seconds(seconds) for name, seconds in costs.items()},
        "first": _time(row.first_at_s),
        "last": _time(row.last_at_s),
    }


def _ranked(row: Ranked, unit: Unit) -> Document:
    return {
        "hash": row.schedule_hash,
        "cost": unit.from_seconds(row.cost),
        "measurements": row.measurements,
        "round": row.round,
        "search": to_json(row.provenance),
        "measured": _time(row.measured_at_s),
        "schedule": None if row.schedule is None else directives(row.schedule),
    }


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
