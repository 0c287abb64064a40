"""The schedules that are known of a pipeline: kept by one command, used by the next."""

from __future__ import annotations

import json
from pathlib import Path

from hltune.autoschedule import Autoscheduled
from hltune.compare import Comparison
from hltune.errors import InputError
from hltune.machine.fingerprint import Fingerprint
from hltune.machine.protocol import Cost
from hltune.pipeline.spec import PipelineSpec
from hltune.schedule import codec
from hltune.schedule.directives import Schedule
from hltune.subject import Subject
from hltune.workspace import Record, Workspace


def best_known(workspace: Workspace, spec: PipelineSpec, machine: Fingerprint) -> Record:
    """The fastest schedule on record.

    Raises:
        InputError: there is none for this pipeline, with these estimates, on this machine.
    """
    records = workspace.records(spec, machine)
    if not records:
        raise InputError(
            "no schedule is known for this pipeline",
            where=spec.name,
            expected=f"one that was measured on this machine with {machine.threads} threads, under {workspace.root}",
            todo="run `hltune schedule` first, with the same options",
        )
    return records[0]


def keep_autoscheduled(workspace: Workspace, subject: Subject, result: Autoscheduled, machine: Fingerprint) -> None:
    """Keeps a schedule that was measured."""
    if result.cost is not None:
        origin = str(result.candidate.options) if result.candidate else result.name
        record = Record(name=result.name, schedule=result.schedule, cost_s=result.cost.value, origin=origin)
        workspace.keep(record, subject.spec, machine)


def keep_comparison(workspace: Workspace, result: Comparison, machine: Fingerprint) -> None:
    """Keeps all schedules of a comparison that were verified."""
    for row in result.rows:
        if row.schedule is not None and isinstance(row.measurement, Cost):
            record = Record(name=row.name, schedule=row.schedule, cost_s=row.measurement.value, origin="hltune compare")
            workspace.keep(record, result.subject.spec, machine)


def read_schedule_file(path: Path) -> Schedule:
    """Reads a schedule that `hltune schedule` or `hltune export` wrote as JSON.

    Raises:
        InputError: it cannot be read or is none.
    """
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise InputError("cannot read the schedule", where=str(path), found=error.strerror) from None
    except ValueError as error:
        raise InputError("not a schedule: no JSON", where=str(path), found=str(error)) from None
    try:
        return codec.from_json(document)
    except InputError as error:
        error.where = f"{path}: {error.where}" if error.where else str(path)
        raise
