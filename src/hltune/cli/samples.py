"""`hltune samples`: flags to calls of the sample store, results to people."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hltune.cli.arguments import REQUIRED, Panel, argument, flag
from hltune.cli.flags import ThreadFlags
from hltune.cli.output import OutputFlags
from hltune.machine.options import MeasureOptions
from hltune.runtime import interrupts
from hltune.values.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFlags(Panel):
    """Which samples."""

    title: ClassVar[str] = "which samples"
    pipeline: str = argument("Name in the store, or the start of its id.", "PIPELINE")
    machine: str | None = flag(None, "Machine in the store.", metavar="KEY", shown="the only one")


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFlags(NameFlags):
    """Which samples, and how many."""

    count: int = flag(10, "How many to show.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteFlags(NameFlags):
    """Which samples, on all machines or on one."""

    machine: str | None = flag(None, "Only what was measured there.", metavar="KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesOutput(OutputFlags):
    """Where files go."""

    output: Path = flag(REQUIRED, "Directory for the files.", "-o", "--output")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFlags(ThreadFlags):
    """Which files, and what they were measured on."""

    title: ClassVar[str] = "which samples"
    paths: tuple[Path, ...] = argument(".sample files, and directories of Halide's tuning loop.", "PATH")
    target: str = flag("host", "host, hexagon, or a Halide target string.")


def stats(output: OutputFlags) -> None:
    """`hltune samples stats`."""
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report

    store = output.place.samples
    rows = command.statistics(store)
    output.show(lambda: report.statistics(store, rows), lambda console: report.print_statistics(console, rows))


def best(which: BestFlags, output: OutputFlags) -> None:
    """`hltune samples best`."""
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report

    if which.count < 1:
        raise InputError("option out of range", where="--count", expected="1 or more", found=str(which.count))
    chosen, rows = command.best(output.place.samples, which.pipeline, which.machine, which.count)
    output.show(lambda: report.best(chosen, rows), lambda console: report.print_best(console, chosen, rows))


def delete(which: DeleteFlags, output: OutputFlags) -> None:
    """`hltune samples delete`."""
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report
        from hltune.report.progress import show_progress

    with show_progress() as progress:
        chosen, gone = command.delete(output.place.samples, which.pipeline, which.machine, progress)
    output.show(lambda: report.deleted(chosen, gone), lambda console: report.print_deleted(console, chosen, gone))


def export(which: NameFlags, output: FilesOutput) -> None:
    """`hltune samples export`."""
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report

    directory = output.output
    chosen, files = command.export(output.place.samples, which.pipeline, which.machine, directory)
    output.show(
        lambda: report.exported(chosen, directory, files),
        lambda console: report.print_exported(console, chosen, directory, files),
    )


def import_files(which: ImportFlags, output: OutputFlags) -> None:
    """`hltune samples import`."""
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report
        from hltune.report.progress import show_progress

    with show_progress() as progress:
        measure = MeasureOptions(threads=which.threads(which.target))
        done = command.import_files(output.place.samples, which.paths, measure, which.target, progress)
    output.show(lambda: report.imported(done), lambda console: report.print_imported(console, done))
