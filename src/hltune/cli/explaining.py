"""`hltune explain`, `reproduce` and `reduce`: flags to options, results to people."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hltune import INTERRUPTED
from hltune.cli.arguments import LIMITS, OUTPUT, STORED, WHAT, Whole
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import CheckFlags, ImageFlags, InputFlags, OnlyKey, Output, Pipeline, ThreadFlags
from hltune.cli.output import OutputFlags
from hltune.runtime import interrupts
from hltune.values.errors import out_of_range

if TYPE_CHECKING:
    from hltune.commands.example import Wanted

Identifier = Annotated[
    str, Parameter(group=STORED, help="Start of a schedule's id, as `hltune samples` shows it; or a name with it.")
]


@Parameter(name="*", group=STORED)
@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFlags:
    """Which schedule of the store.

    Attributes:
        pipeline: Its pipeline in the store: a name, or the start of an id.
    """

    pipeline: Annotated[str | None, Parameter(metavar="NAME|ID", show_default="the only one")] = None
    machine: OnlyKey = None

    def wanted(self, start: str) -> "Wanted":
        """With the start of the schedule's id."""
        from hltune.commands.example import Wanted

        return Wanted(start=start, pipeline=self.pipeline, machine=self.machine)


def explain(
    pipeline: Pipeline,
    /,
    *,
    source: ImageFlags = ImageFlags(),
    schedule: Annotated[
        str | None, Parameter(group=WHAT, metavar="NAME|ID|FILE", show_default="the best known")
    ] = None,
    against: Annotated[str | None, Parameter(group=WHAT, metavar="NAME|ID|FILE")] = None,
    trying: Annotated[bool, Parameter(name="--try", group=OUTPUT)] = False,
    threads: ThreadFlags = ThreadFlags(),
    limits: CheckFlags = CheckFlags(),
    rounds: Annotated[Whole, Parameter(group=LIMITS)] = 9,
    emulator: EmulatorFlags = EmulatorFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune explain`.

    Args:
        schedule: Schedule to explain: a known one by name, one of `hltune samples best` by id, or a schedule.json.
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


def reproduce(
    schedule: Identifier,
    /,
    *,
    stored: StoredFlags = StoredFlags(),
    directory: Annotated[Path, Output, Parameter(group=OUTPUT)],
    source: InputFlags = InputFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune reproduce`.

    Args:
        directory: Directory for the files.
    """
    with interrupts.importing():
        from hltune.commands import reproduce as command
        from hltune.report import examples

    result = command.reproduce(output.place, stored.wanted(schedule), directory, source.inputs)
    output.show(examples.reproduced, examples.print_reproduced, result)


def reduce(
    schedule: Identifier,
    /,
    *,
    stored: StoredFlags = StoredFlags(),
    minutes: Annotated[float, Parameter(group=LIMITS)] = 5.0,
    directory: Annotated[Path | None, Output, Parameter(group=OUTPUT)] = None,
    source: InputFlags = InputFlags(),
    limits: CheckFlags = CheckFlags(),
    emulator: EmulatorFlags = EmulatorFlags(),
    output: OutputFlags = OutputFlags(),
) -> int:
    """`hltune reduce`.

    Args:
        minutes: How long to go on; the smallest schedule by then is the result.
        directory: Directory for files that reproduce what is left, as `hltune reproduce` writes them.
    """
    with interrupts.importing():
        from hltune.commands import reduce as command
        from hltune.report import examples
        from hltune.report.progress import show_progress

    if not 0 < minutes < float("inf"):
        raise out_of_range("--minutes", "more than 0", minutes)
    with show_progress() as progress:
        result = command.reduce(
            output.place,
            stored.wanted(schedule),
            minutes=minutes,
            directory=directory,
            measure=lambda threads: limits.verified(threads, emulator.options()),
            inputs=source.inputs,
            progress=progress,
        )
    output.show(examples.reduced, examples.print_reduced, result)
    return INTERRUPTED if result.interrupted else 0
