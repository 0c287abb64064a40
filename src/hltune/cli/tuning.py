"""`hltune tune`: flags to options, the result to people."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hltune.cli.arguments import BUDGET, LIMITS, Whole
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import ImageFlags, LimitFlags, Pipeline, SearchFlags, Seconds
from hltune.cli.output import OutputFlags, print_json
from hltune.runtime import interrupts
from hltune.values.errors import InputError

if TYPE_CHECKING:
    from hltune.tuning.options import Budget

_TURNS, _TURN_S = 9, 0.04
"""Turns in the final comparison: enough for an interval, and short, for there are many finalists."""


@Parameter(name="*", group=BUDGET)
@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFlags:
    """When tuning stops, and what it begins with.

    Attributes:
        minutes: Wall time for all pipelines together.
        samples: Measurements of all pipelines together.
        rounds: Rounds of each pipeline; 0 compares what is known.
        fresh: Start over from the initial weights; keep samples.
        discard: With --fresh: forget the samples as well.
        freeze: Measure without training the weights.
        keep: Func whose hand-written schedule stays.
        only: Func whose schedule is searched; others keep theirs.
    """

    minutes: Annotated[float | None, Parameter(show_default="5, unless limited else")] = None
    samples: Whole | None = None
    rounds: Whole | None = None
    fresh: bool = False
    discard: bool = False
    freeze: bool = False
    keep: Annotated[tuple[str, ...], Parameter(metavar="FUNC", negative="")] = ()
    only: Annotated[tuple[str, ...], Parameter(metavar="FUNC", negative="")] = ()

    def budget(self) -> "Budget":
        """When to stop: after some minutes, unless something else is said."""
        from hltune.tuning.options import Budget

        unlimited = self.minutes is None and self.samples is None and self.rounds is None
        return Budget(minutes=5.0 if unlimited else self.minutes, samples=self.samples, rounds=self.rounds)


@Parameter(name="*", group=LIMITS)
@dataclass(frozen=True, slots=True, kw_only=True)
class TuneLimits(LimitFlags):
    """The limits of tuning: what compiles longer is hardly ever fast, and many others could be measured meanwhile."""

    compile_timeout: Seconds = 20.0


def tune(
    *pipelines: Pipeline,
    source: ImageFlags = ImageFlags(),
    budget: BudgetFlags = BudgetFlags(),
    search: SearchFlags = SearchFlags(),
    limits: TuneLimits = TuneLimits(),
    emulator: EmulatorFlags = EmulatorFlags(),
    output: OutputFlags = OutputFlags(),
) -> int:
    """`hltune tune`."""
    with interrupts.importing():  # JAX and LightGBM, which takes longer than most other commands
        from rich.console import Console

        from hltune.commands import tune as command
        from hltune.report import tune as report
        from hltune.report.curve import plot_curve
        from hltune.report.tables import print_failed
        from hltune.suite.catalog import expanded
        from hltune.tuning.options import TuneOptions
        from hltune.workspace.subject import load_subjects

    options = TuneOptions(
        search=search.limited(source.target),
        search_timeout_s=limits.search_timeout,
        budget=budget.budget(),
        fresh=budget.fresh,
        discard=budget.discard,
        freeze=budget.freeze,
        keep=budget.keep,
        only=budget.only,
    )
    threads = search.threads(source.target)
    measure = limits.verified(threads, emulator.options(), turns=_TURNS, turn_s=_TURN_S)
    pictures: list[tuple[Path, ...]] = []
    with report.show_tuning() as progress:
        progress.phase(f"loading {', '.join(pipelines)}")
        tuning = command.tune(
            load_subjects(map(source.subject, expanded(pipelines)), output.place),
            options,
            workspace=output.place,
            measure=measure,
            inputs=source.inputs(search.seed),
            progress=progress,
        )
        for result in tuning.results:
            try:
                pictures.append(plot_curve(result, output.place))
            except InputError as error:  # the result does not depend on its picture
                progress.note(str(error))
                pictures.append(())
    if output.json:
        print_json(report.document(tuning, output.place.samples))
    else:
        for result, paths in zip(tuning.results, pictures, strict=True):
            report.print_tuned(Console(), result, (*result.files, *paths))
        if tuning.failed:
            print_failed(Console(), tuning.failed)
    return 1 if tuning.failed else 0
