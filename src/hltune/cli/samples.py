"""`hltune samples`: flags to calls of the sample store, results to people."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hltune.cli.arguments import OUTPUT, STORED, Whole
from hltune.cli.flags import Key, OnlyKey, Output, Target, ThreadFlags
from hltune.cli.output import OutputFlags
from hltune.machine.options import MeasureOptions
from hltune.runtime import interrupts
from hltune.values.errors import out_of_range

_MOST = 10**9
Stored = Annotated[str, Parameter(group=STORED, help="Name in the store, or the start of its id.")]


@Parameter(name="*", group=STORED)
@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFlags(ThreadFlags):
    """What the files were measured on."""

    target: Target = "host"


def stats(*, output: OutputFlags = OutputFlags()) -> None:
    """`hltune samples stats`."""
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report

    store = output.place.samples
    output.show(partial(report.statistics, store), report.print_statistics, command.statistics(store))


def best(
    pipeline: Stored,
    /,
    *,
    machine: OnlyKey = None,
    count: Annotated[Whole, Parameter(group=STORED)] = 10,
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune samples best`.

    Args:
        count: How many to show.
    """
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report

    if not 1 <= count <= _MOST:
        raise out_of_range("--count", f"1 to {_MOST}", count)
    output.show(report.best, report.print_best, *command.best(output.place.samples, pipeline, machine, count))


def failures(pipeline: Stored, /, *, machine: OnlyKey = None, output: OutputFlags = OutputFlags()) -> None:
    """`hltune samples failures`."""
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report

    output.show(report.failures, report.print_failures, *command.failures(output.place.samples, pipeline, machine))


def delete(pipeline: Stored, /, *, machine: Key = None, output: OutputFlags = OutputFlags()) -> None:
    """`hltune samples delete`.

    Args:
        machine: Only what was measured there.
    """
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report
        from hltune.report.progress import show_progress

    with show_progress() as progress:
        result = command.delete(output.place.samples, pipeline, machine, progress)
    output.show(report.deleted, report.print_deleted, *result)


def featurize(pipeline: Stored | None = None, /, *, machine: Key = None, output: OutputFlags = OutputFlags()) -> None:
    """`hltune samples featurize`.

    Args:
        machine: Only what was measured there.
    """
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report
        from hltune.report.progress import show_progress

    with show_progress() as progress:
        done = command.featurize(output.place.samples, pipeline, machine, progress)
    output.show(report.featurized, report.print_featurized, done)


def export(
    pipeline: Stored,
    /,
    *,
    machine: OnlyKey = None,
    directory: Annotated[Path, Output, Parameter(group=OUTPUT)],
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune samples export`.

    Args:
        directory: Directory for the files.
    """
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report

    chosen, files = command.export(output.place.samples, pipeline, machine, directory)
    output.show(report.exported, report.print_exported, chosen, directory, files)


def import_files(
    *paths: Annotated[Path, Parameter(group=STORED, required=True)],
    measured: ImportFlags = ImportFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune samples import`.

    Args:
        paths: .sample files, and directories of Halide's tuning loop.
    """
    with interrupts.importing():
        from hltune.commands import samples as command
        from hltune.report import samples as report
        from hltune.report.progress import show_progress

    with show_progress() as progress:
        measure = MeasureOptions(threads=measured.threads(measured.target))
        done = command.import_files(output.place.samples, paths, measure, measured.target, progress)
    output.show(report.imported, report.print_imported, *done)
