"""`hltune samples`: flags to calls of the sample store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from hltune.cli import flags
from hltune.machine.open import TargetJob, identify
from hltune.machine.options import MeasureOptions
from hltune.report import samples as report
from hltune.report.progress import show_progress
from hltune.runtime.files import check_writable
from hltune.runtime.worker import Worker
from hltune.samples.exchange import export_samples, import_samples, sample_files
from hltune.samples.reader import Reader
from hltune.samples.writer import Store
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.workspace.records import Workspace

WAIT_S = 5.0
"""For a run that may be about to end."""
SHOWN = 10
"""Names in an error."""

app = typer.Typer(help="Shows, deletes, exports and imports what was measured.", no_args_is_help=True)

Known = Annotated[str, typer.Argument(metavar="PIPELINE", help="Name in the store, or the start of its id.")]
Machine = Annotated[str | None, typer.Option(metavar="KEY", help="Machine in the store.", show_default="the only one")]


@app.command("stats")
def stats_command(
    *,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Counts samples per pipeline and machine."""
    with Reader(Workspace(workspace).samples) as reader:
        rows = reader.statistics()
        if as_json:
            _print_json(report.statistics(reader.path, rows))
        else:
            report.print_statistics(Console(), rows)


@app.command("best")
def best_command(
    pipeline: Known,
    *,
    machine: Machine = None,
    count: Annotated[int, typer.Option(min=1, help="How many to show.")] = 10,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Shows the fastest schedules of a pipeline."""
    with Reader(Workspace(workspace).samples) as reader:
        key = _pipeline(reader, pipeline)
        where = _machine(reader, key, machine)
        rows = reader.best(key, where.key, count)
        if as_json:
            _print_json(report.best(reader.pipelines()[key], key, where, rows))
        else:
            report.print_best(Console(), where, rows)


@app.command("delete")
def delete_command(
    pipeline: Known,
    *,
    machine: Annotated[str | None, typer.Option(metavar="KEY", help="Only what was measured there.")] = None,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Deletes the samples of a pipeline, without asking."""
    path = Workspace(workspace).samples
    Reader(path).close()  # nothing is made where there is nothing to delete
    with show_progress() as progress, Store(path, progress=progress, wait_s=WAIT_S) as store:
        key = _pipeline(store, pipeline)
        name = store.pipelines()[key]
        machine_key = None if machine is None else _machine(store, key, machine).key
        deleted = store.delete(key, machine_key)
    if as_json:
        _print_json(
            {
                "pipeline": name,
                "hash": key,
                "machine": machine_key,
                "samples": deleted.samples,
                "schedules": deleted.schedules,
            }
        )
    else:
        where = f" on machine {machine_key}" if machine_key else ""
        line = f"deleted {deleted.samples} samples of {deleted.schedules} schedules of {name}{where}"
        Console().print(Text(line), soft_wrap=True)


@app.command("export")
def export_command(
    pipeline: Known,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Directory for the files.")],
    machine: Machine = None,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Writes .sample files for Halide's adams2019_retrain_cost_model."""
    with Reader(Workspace(workspace).samples) as reader:
        key = _pipeline(reader, pipeline)
        machine_key = _machine(reader, key, machine).key
        check_writable(output)
        files = export_samples(reader, key, machine_key, output)
        name = reader.pipelines()[key]
    if as_json:
        _print_json({"pipeline": name, "hash": key, "machine": machine_key, "directory": str(output), "files": files})
    else:
        Console().print(Text(f"{output}: {files} .sample files of {name}"), soft_wrap=True)


@app.command("import")
def import_command(
    paths: Annotated[list[Path], typer.Argument(help=".sample files, and directories of Halide's tuning loop.")],
    *,
    target: flags.Target = "host",
    max_parallelism: flags.Parallelism = None,
    workspace: flags.WorkspaceDir = flags.WORKSPACE,
    as_json: flags.Json = False,
    debug: flags.Debug = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """Reads .sample files that were measured on this machine."""
    files = sample_files(paths)
    with show_progress() as progress:
        progress.phase(f"importing {len(files)} files")
        machine = _this_machine(target, flags.threads(max_parallelism, target))
        with Store(Workspace(workspace).samples, progress=progress, wait_s=WAIT_S) as store:
            result = import_samples(store, files, machine)
            names = store.pipelines()
    if not result.pipelines:
        raise InputError(
            "no file could be used",
            expected="samples that Halide's tuning loop wrote",
            found="; ".join(f"{path}: {reason}" for path, reason in result.skipped[:SHOWN]),
        )
    if as_json:
        _print_json(report.imported(names, machine, result))
    else:
        report.print_imported(Console(), names, machine, result)


def _pipeline(reader: Reader, text: str) -> str:
    """Hash of the pipeline that the user means."""
    known = reader.pipelines()
    found = [key for key, name in known.items() if text and (name == text or key.startswith(text))]
    if len(found) == 1:
        return found[0]
    lines = [f"{known[key]} {key[: report.ID_DIGITS]}" for key in list(found or known)[:SHOWN]]
    raise InputError(
        "several pipelines have this name" if found else "there are no samples of this pipeline",
        where=str(reader.path),
        expected="one of " + ", ".join(lines) if lines else None,
        found=repr(text),
        todo="give the start of an id; `hltune samples stats` shows all of them",
    )


def _machine(reader: Reader, pipeline_hash: str, text: str | None) -> MachineId:
    """The machine that the user means, among those with samples of a pipeline."""
    machines = [row.machine for row in reader.statistics() if row.pipeline_hash == pipeline_hash]
    found = [machine for machine in machines if text is None or machine.key.startswith(text)]
    if len(found) == 1:
        return found[0]
    lines = [f"{machine.key} ({machine.cpu}, {machine.threads} threads)" for machine in machines]
    raise InputError(
        "which machine is not clear" if found else "there are no samples of this pipeline on this machine",
        where=str(reader.path),
        expected="--machine with one of " + ", ".join(lines),
        found="nothing" if text is None else repr(text),
    )


def _this_machine(target: str, threads: int) -> MachineId:
    with Worker(preload=("halide",)) as worker:
        return identify(worker.run(TargetJob(target)), MeasureOptions(threads=threads))


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=1))
