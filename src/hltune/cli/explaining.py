"""`hltune explain`: flags to options, results to people."""

from typing import Annotated

from cyclopts import Parameter

from hltune.cli.arguments import LIMITS, OUTPUT, WHAT, Whole
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import CheckFlags, ImageFlags, Pipeline, ThreadFlags
from hltune.cli.output import OutputFlags
from hltune.runtime import interrupts


def explain(
    pipeline: Pipeline,
    /,
    *,
    source: ImageFlags = ImageFlags(),
    schedule: Annotated[str | None, Parameter(group=WHAT, metavar="NAME|FILE", show_default="the best known")] = None,
    against: Annotated[str | None, Parameter(group=WHAT, metavar="NAME|FILE")] = None,
    trying: Annotated[bool, Parameter(name="--try", group=OUTPUT)] = False,
    threads: ThreadFlags = ThreadFlags(),
    limits: CheckFlags = CheckFlags(),
    rounds: Annotated[Whole, Parameter(group=LIMITS)] = 5,
    emulator: EmulatorFlags = EmulatorFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune explain`.

    Args:
        schedule: Schedule to explain: a known one by name, or a schedule.json.
        against: Schedule to compare it with.
        trying: Measure the changes that are advised, so that each claim is checked.
        rounds: Turns that each schedule takes.
    """
    with interrupts.importing():
        from hltune.commands import explain as command
        from hltune.report.explain import print_explained
        from hltune.report.explanation import explained
        from hltune.report.progress import show_progress

    with show_progress() as progress:
        result = command.explain(
            source.subject(pipeline),
            schedule=schedule,
            against=against,
            trying=trying,
            workspace=output.place,
            measure=limits.verified(threads.threads(source.target), emulator.options(), turns=rounds),
            inputs=source.inputs(),
            progress=progress,
        )
    output.show(explained, lambda console, result: print_explained(console, explained(result)), result)
