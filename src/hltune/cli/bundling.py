"""`hltune bundle`: flags to options, results to people."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hltune.cli.arguments import OUTPUT, STORED, Whole
from hltune.cli.flags import BeamFlags, ImageFlags, Output, Pipeline
from hltune.cli.output import OutputFlags
from hltune.cli.tuning import TuneLimits
from hltune.runtime import interrupts
from hltune.values.errors import out_of_range

_MOST = 1000


def make(
    pipeline: Pipeline,
    /,
    *,
    source: ImageFlags = ImageFlags(),
    count: Annotated[Whole, Parameter(name=("-n", "--candidates"), group=OUTPUT)] = 64,
    device: Annotated[str | None, Parameter(group=STORED, metavar="KEY", show_default="the only one")] = None,
    search: BeamFlags = BeamFlags(),
    limits: TuneLimits = TuneLimits(),
    file: Annotated[Path, Output, Parameter(group=OUTPUT, metavar="FILE")],
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune bundle make`.

    Args:
        count: How many candidates.
        device: Device whose results the choice learns from; new for another one.
        file: Bundle to write: a .zip file.
    """
    with interrupts.importing():
        from hltune.commands import bundle as command
        from hltune.report import bundle as report
        from hltune.report.progress import show_progress
        from hltune.tuning.options import Budget, TuneOptions

    if not 1 <= count <= _MOST:
        raise out_of_range("-n", f"1 to {_MOST}", count)
    options = TuneOptions(
        search=search.adams2019(source.target), search_timeout_s=limits.search_timeout, budget=Budget(), batch=count
    )
    with show_progress() as progress:
        made = command.make(
            source.subject(pipeline),
            options,
            device=device,
            output=file,
            workspace=output.place,
            measure=limits.verified(search.threads(source.target), None),
            inputs=source.inputs(search.seed),
            progress=progress,
        )
    output.show(report.made, report.print_made, made)


def read(
    results: Annotated[Path, Parameter(group=STORED, required=True)],
    /,
    *,
    bundle: Annotated[Path | None, Parameter(group=STORED, metavar="FILE", show_default="found by its id")] = None,
    output: OutputFlags = OutputFlags(),
) -> int:
    """`hltune bundle read`.

    Args:
        results: File that the bundle's runner wrote on the device.
        bundle: Bundle that ran there, if it was made in another workspace.
    """
    with interrupts.importing():
        from hltune.commands import bundle_results as command
        from hltune.report import bundle as report
        from hltune.report.progress import show_progress

    with show_progress() as progress:
        done = command.read(results, bundle, workspace=output.place, progress=progress)
    output.show(report.read, report.print_read, done)
    return 1 if done.problems else 0


def best(
    pipeline: Annotated[str | None, Parameter(group=STORED, show_default="all of them")] = None,
    /,
    *,
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune bundle best`.

    Args:
        pipeline: Name in the store, or the start of its id.
    """
    with interrupts.importing():
        from hltune.commands import bundle_results as command
        from hltune.report import bundle as report
        from hltune.report.progress import show_progress

    with show_progress() as progress:
        rows = command.best(pipeline, workspace=output.place, progress=progress)
    output.show(report.best, report.print_best, rows)
