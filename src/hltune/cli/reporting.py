"""`hltune report`, and the page that `tune --report` leaves: flags to options, results to people."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hltune.cli.arguments import LIMITS, OUTPUT, WHAT, Whole
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import CheckFlags, ImageFlags, Output, Pipeline, ThreadFlags
from hltune.cli.output import OutputFlags, print_error
from hltune.runtime import interrupts

if TYPE_CHECKING:
    from hltune.machine.inputs import Inputs
    from hltune.machine.options import MeasureOptions
    from hltune.workspace.records import Workspace
    from hltune.workspace.subject import SubjectOptions


def report(
    *pipelines: Pipeline,
    source: ImageFlags = ImageFlags(),
    against: Annotated[
        str | None, Parameter(group=WHAT, metavar="NAME|ID|FILE", show_default="manual or expert")
    ] = None,
    threads: ThreadFlags = ThreadFlags(),
    limits: CheckFlags = CheckFlags(),
    rounds: Annotated[Whole, Parameter(group=LIMITS)] = 9,
    emulator: EmulatorFlags = EmulatorFlags(),
    file: Annotated[Path, Output, Parameter(group=OUTPUT, metavar="FILE")],
    opened: Annotated[bool, Parameter(name="--open", negative="", group=OUTPUT)] = False,
    output: OutputFlags = OutputFlags(),
) -> int:
    """`hltune report`.

    Args:
        against: Schedule to compare the best known one with.
        rounds: Turns that each schedule takes.
        file: Page to write: one file of HTML.
        opened: Open it in the browser.
    """
    with interrupts.importing():
        import webbrowser

        from hltune.commands.ours import check_page
        from hltune.report.layout import print_lines
        from hltune.suite.catalog import expanded

    check_page(file)
    document = write_report(
        [source.subject(name) for name in expanded(pipelines)],
        against=against,
        workspace=output.place,
        measure=limits.verified(threads.threads(source.target), emulator.options(), turns=rounds),
        inputs=source.inputs(),
        file=file,
    )
    output.show(lambda: document, lambda console: print_lines(console, file))
    if opened:
        webbrowser.open(file.absolute().as_uri())
    return 1 if "failed" in document else 0


def write_report(
    pipelines: "Sequence[SubjectOptions]",
    *,
    against: str | None,
    workspace: "Workspace",
    measure: "MeasureOptions",
    inputs: "Inputs",
    file: Path,
    cluster: str | None = None,
) -> dict[str, Any]:
    """Measures what the page shows, and writes it; returns its document.

    Of several pipelines, those that fail are said on standard error and left out; who interrupts has a page of those
    that are done.

    Args:
        cluster: the computers that measure; None for this one.

    Raises:
        HltuneError: the only pipeline fails, or all of them do.
    """
    from hltune.commands import report as command
    from hltune.commands.survivors import Survivors
    from hltune.report.page import reported, write_page
    from hltune.report.progress import show_progress
    from hltune.runtime.progress import Numbered

    results: list[command.Reported] = []
    survivors = Survivors(len(pipelines), lambda _, error: print_error(error))
    place = () if workspace.root == OutputFlags().workspace else ("--workspace", str(workspace.root))

    def written() -> dict[str, Any]:
        document = reported(results, survivors.failed, command=this_command(), place=place)
        write_page(document, file)
        return document

    try:
        for number, pipeline in enumerate(pipelines, start=1):
            with survivors.trying(pipeline.pipeline), show_progress() as progress:
                result = command.report(
                    pipeline,
                    against=against,
                    workspace=workspace,
                    measure=measure,
                    inputs=inputs,
                    progress=Numbered(progress, number, len(pipelines)),
                    cluster=cluster,
                )
                results.append(result)
    except KeyboardInterrupt:
        if results and not file.exists():  # a page of all pipelines is worth more than one of some
            written()
            print(f"note: {file} has the {len(results)} of {len(pipelines)} pipelines that were done", file=sys.stderr)
        raise
    return written()


def this_command() -> str:
    """What the user typed, for a shell, as text; a file's name may be none."""
    return shlex.join(["hltune", *sys.argv[1:]]).encode(errors="backslashreplace").decode()
