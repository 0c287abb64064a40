"""What people and scripts see of the sample store."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Column

from hltune.commands.samples import ID_DIGITS, Chosen, Featurized
from hltune.report.documents import directives, machine_fields, reason_fields
from hltune.report.layout import Document, numbers, plain_table, print_lines, print_table
from hltune.samples.exchange import Imported
from hltune.samples.results import Ranked
from hltune.samples.statistics import Statistics
from hltune.samples.writer import Deleted
from hltune.values import provenance
from hltune.values.machine_id import MachineId
from hltune.values.provenance import Mutated, Named, Provenance, Searched, to_json
from hltune.values.reasons import Reason
from hltune.values.unit import Unit

NO_SAMPLES = "no samples yet: `hltune tune` measures some, and `hltune samples import` reads others"


def statistics(store: Path, rows: Iterable[Statistics]) -> Document:
    """Result of `hltune samples stats`."""
    return {"store": str(store), "pipelines": [_statistics(row) for row in rows]}


def best(chosen: Chosen, rows: Iterable[Ranked]) -> Document:
    """Result of `hltune samples best`."""
    unit = _unit(chosen)
    return {**_named(chosen), "unit": unit.name, "schedules": [_ranked(row, unit) for row in rows]}


def failures(chosen: Chosen, rows: Iterable[Reason]) -> Document:
    """Result of `hltune samples failures`."""
    failed = [{**reason_fields(row), "hash": row.schedule_hash, "otherwise_since": row.otherwise_since} for row in rows]
    return {**_named(chosen), "failures": failed}


def deleted(chosen: Chosen, gone: Deleted) -> Document:
    """Result of `hltune samples delete`."""
    return {**_named(chosen), "samples": gone.samples, "schedules": gone.schedules}


def exported(chosen: Chosen, directory: Path, files: int) -> Document:
    """Result of `hltune samples export`."""
    return {**_named(chosen), "directory": str(directory), "files": files}


def imported(machine: MachineId, names: Mapping[str, str], result: Imported) -> Document:
    """Result of `hltune samples import`."""
    return {
        "machine": machine_fields(machine),
        "added": result.added,
        "known": result.known,
        "pipelines": [{"pipeline": names[key], "hash": key, "files": n} for key, n in result.pipelines.items()],
        "skipped": [{"file": str(path), "reason": reason} for path, reason in result.skipped],
    }


def featurized(rows: Iterable[Featurized]) -> Document:
    """Result of `hltune samples featurize`."""
    return {"pipelines": [{**_named(row.chosen), "programs": row.programs, "failed": row.failed} for row in rows]}


def print_featurized(console: Console, rows: Iterable[Featurized]) -> None:
    """Result of `hltune samples featurize`: a line for each pipeline and machine, and why some have no features."""
    rows = list(rows)
    if not rows:
        print_lines(console, NO_SAMPLES)
    for row in rows:
        where = row.chosen.machine.key if row.chosen.machine else ""
        print_lines(console, f"{row.chosen.name} on {where}: features of {row.programs} programs")
        print_lines(console, *(f"  {count} without: {reason}" for reason, count in row.failed.items()))


def print_statistics(console: Console, rows: Iterable[Statistics]) -> None:
    """Result of `hltune samples stats`, machine by machine."""
    by_machine: dict[MachineId, list[Statistics]] = {}
    for row in rows:
        by_machine.setdefault(row.machine, []).append(row)
    if not by_machine:
        print_lines(console, NO_SAMPLES)
    for machine, of_machine in by_machine.items():
        title = f"machine {machine.key}: {machine.cpu}, {machine.threads} threads, Halide {machine.halide}"
        print_lines(console, title, f"  {machine.target}")
        unit = machine.unit
        names = (Column(heading, no_wrap=True) for heading in ("pipeline", "id"))
        costs = (f"{which}\n/{unit.name}" for which in ("best", "median", "slowest"))
        table = plain_table(*names, *numbers("samples", "schedules", *costs))
        for row in of_machine:
            counts = (str(row.samples), str(row.schedules))
            measured = map(unit.text, (row.best, row.median, row.slowest))
            table.add_row(row.pipeline_name, row.pipeline_hash[:ID_DIGITS], *counts, *measured)
        print_table(console, table)
        for row in of_machine:
            failed = ", ".join(f"{count} in {stage}" for stage, count in sorted(row.failed.items())) or "none"
            when = f"{_time(row.first_at_s)} to {_time(row.last_at_s)}"
            print_lines(console, f"{row.pipeline_name}: {when}; failed: {failed}")


def print_best(console: Console, chosen: Chosen, rows: Iterable[Ranked]) -> None:
    """Result of `hltune samples best`."""
    unit = _unit(chosen)
    table = plain_table(*numbers(unit.heading, "measured", "round"), "schedule", "directives", "comes from")
    for row in rows:
        count = "unknown" if row.schedule is None else str(len(row.schedule.directives))
        counts = (unit.text(row.cost), str(row.measurements), str(row.round))
        table.add_row(*counts, row.schedule_hash[:ID_DIGITS], count, origin_text(row.provenance))
    print_table(console, table)


def origin_text(origin: Provenance) -> str:
    """Where a schedule comes from."""
    match origin:
        case Searched(autoscheduler=name, weights=weights, parameters=parameters):
            said = ", ".join(f"{key} {value}" for key, value in parameters)
            return ", ".join(filter(None, (name, said, weights and f"weights {weights[:ID_DIGITS]}")))
        case Mutated(parent=parent, changes=changes):
            return f"{parent[:ID_DIGITS]}, changed: {', '.join(changes)}"
        case Named(name=name):
            return name
        case provenance.Imported(file=file):
            return file


def print_failures(console: Console, chosen: Chosen, rows: Iterable[Reason]) -> None:
    """Result of `hltune samples failures`: a line for each reason, the commonest first, with its newest message."""
    lines: list[str] = []
    for row in rows:
        since = ", which came out otherwise since" if row.otherwise_since else ""
        schedule = "" if row.schedule_hash is None else f" (schedule {row.schedule_hash[:ID_DIGITS]}{since})"
        lines.append(f"{row.heading}{schedule}: {row.text}")
    print_lines(console, *(lines or [f"no schedule of {chosen.name} has failed"]))


def print_deleted(console: Console, chosen: Chosen, gone: Deleted) -> None:
    """Result of `hltune samples delete`."""
    where = f" on machine {chosen.machine.key}" if chosen.machine else ""
    print_lines(console, f"deleted {gone.samples} samples of {gone.schedules} schedules of {chosen.name}{where}")


def print_exported(console: Console, chosen: Chosen, directory: Path, files: int) -> None:
    """Result of `hltune samples export`."""
    print_lines(console, f"{directory}: {files} .sample files of {chosen.name}")


def print_imported(console: Console, machine: MachineId, names: Mapping[str, str], result: Imported) -> None:
    """Result of `hltune samples import`."""
    print_lines(console, *(f"skipped {path}: {reason}" for path, reason in result.skipped))
    print_lines(console, *(f"{names[key]}: {files} samples" for key, files in result.pipelines.items()))
    where = f"as measured on this machine with {machine.threads} threads ({machine.key})"
    counts = f"{result.added} added, {result.known} known already, {len(result.skipped)} files skipped"
    print_lines(console, f"{counts}; {where}")


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
        "machine": machine_fields(row.machine),
        "samples": row.samples,
        "schedules": row.schedules,
        "failed": row.failed,
        "unit": unit.name,
        **{name: unit.from_seconds(seconds) for name, seconds in costs.items()},
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
        "schedule": row.schedule and directives(row.schedule),
    }


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
