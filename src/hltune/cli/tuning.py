"""`hltune tune`: flags to options, the result to people."""

import contextlib
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hltune import INTERRUPTED
from hltune.cli.arguments import BUDGET, LIMITS, OUTPUT, SEARCH, Whole, parsed
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import CAREFUL, ClusterFlags, ImageFlags, LimitFlags, Pipeline, SearchFlags, Seconds, parse_bytes
from hltune.cli.output import OutputFlags, print_error, print_json
from hltune.runtime import interrupts
from hltune.values.errors import HltuneError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from hltune.tuning.options import Budget
    from hltune.tuning.round import Round
    from hltune.values.unit import Unit

_REFRESH_S = 5


@Parameter(name="*", group=SEARCH)
@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSearch(SearchFlags):
    """The beam search of tuning.

    Attributes:
        memory_limit: What `TuneOptions` refuses, and says why; not in the help.
    """

    memory_limit: Annotated[int | None, parsed(partial(parse_bytes, "--memory-limit")), Parameter(show=False)] = None


@Parameter(name="*", group=BUDGET)
@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFlags:
    """When tuning stops, and what it begins with.

    Attributes:
        minutes: Wall time for all pipelines together.
        samples: Measurements of all pipelines together; known schedules always are.
        rounds: Rounds of each pipeline; 0 compares what is known.
        until_done: Stop when more rounds would bring little.
        fresh: Start over from the initial weights; keep samples.
        discard: With --fresh: forget the samples as well.
        freeze: Measure without training the weights.
        keep: Func whose hand-written schedule stays.
        only: Func whose schedule is searched; others keep theirs.
    """

    minutes: Annotated[float | None, Parameter(show_default="5, unless limited else")] = None
    samples: Whole | None = None
    rounds: Whole | None = None
    until_done: Annotated[bool, Parameter(negative="")] = False
    fresh: bool = False
    discard: bool = False
    freeze: bool = False
    keep: Annotated[tuple[str, ...], Parameter(metavar="FUNC", negative="")] = ()
    only: Annotated[tuple[str, ...], Parameter(metavar="FUNC", negative="")] = ()

    def budget(self) -> "Budget":
        """When to stop: after some minutes, unless something else is said."""
        from hltune.tuning.options import Budget

        limits = (self.minutes, self.samples, self.rounds)
        unlimited = not self.until_done and all(each is None for each in limits)
        minutes = 5.0 if unlimited else self.minutes
        return Budget(minutes=minutes, samples=self.samples, rounds=self.rounds, until_done=self.until_done)


@Parameter(name="*", group=LIMITS)
@dataclass(frozen=True, slots=True, kw_only=True)
class TuneLimits(LimitFlags):
    """The limits of tuning: what compiles longer is hardly ever fast, and many others could be measured meanwhile."""

    compile_timeout: Seconds = 20.0


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, slots=True, kw_only=True)
class PageFlags:
    """The page of `hltune report`.

    Attributes:
        report: Page of HTML to write after each round and, as `hltune report` does, at the end.
        watch: With --report: browsers show each round as it ends.
    """

    report: Annotated[Path | None, Parameter(metavar="FILE")] = None
    watch: Annotated[bool, Parameter(negative="")] = False

    def check(self) -> None:
        """Raises an `InputError` if it cannot be written, or there is none to watch."""
        from hltune.commands.ours import check_page

        if self.report is not None:
            check_page(self.report)
        elif self.watch:
            raise InputError("nothing to watch", found="--watch without --report", todo="give --report FILE")

    @contextlib.contextmanager
    def listening(self) -> "Generator[Callable[[Sequence[Round], Unit], None] | None]":
        """Writes the page after a round, and once more at the end, whatever ends it; None if nobody asked for one."""
        from hltune.cli.reporting import this_command
        from hltune.report.page import under_way, write_page

        path, refresh_s = self.report, _REFRESH_S if self.watch else None
        if path is None:
            yield None
            return
        last: tuple[Sequence[Round], Unit] | None = None

        def listen(rounds: "Sequence[Round]", unit: "Unit") -> None:
            nonlocal last
            last = rounds, unit
            write_page(under_way(rounds, unit, command=this_command()), path, refresh_s=refresh_s)

        try:
            yield listen
        finally:
            if last is not None:
                with contextlib.suppress(InputError):  # which was said after the round
                    write_page(under_way(*last, command=this_command(), ended=True), path)


def tune(
    *pipelines: Pipeline,
    source: ImageFlags = ImageFlags(),
    budget: BudgetFlags = BudgetFlags(),
    search: TuneSearch = TuneSearch(),
    limits: TuneLimits = TuneLimits(),
    emulator: EmulatorFlags = EmulatorFlags(),
    nodes: ClusterFlags = ClusterFlags(),
    page: PageFlags = PageFlags(),
    output: OutputFlags = OutputFlags(),
) -> int:
    """`hltune tune`."""
    with interrupts.importing():  # JAX and LightGBM, which takes longer than most other commands
        from hltune.cli.reporting import this_command, write_report
        from hltune.commands import tune as command
        from hltune.commands.survivors import Survivors, load_subjects
        from hltune.report import tune as report
        from hltune.report.layout import LastingConsole
        from hltune.report.pictures import plot_curve
        from hltune.report.tables import print_failed
        from hltune.suite.catalog import expanded
        from hltune.tuning.options import TuneOptions

    page.check()
    elsewhere = nodes.elsewhere(source.target)
    search = search.on(elsewhere)
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
    measure = limits.verified(threads, emulator.options(), elsewhere=elsewhere, **CAREFUL)
    pictures: list[tuple[Path, ...]] = []
    asked = [source.subject(name, elsewhere) for name in expanded(pipelines)]
    with page.listening() as listener, report.show_tuning(listener) as progress:
        progress.phase(f"loading {', '.join(pipelines)}")
        loading = Survivors(len(asked), lambda name, error: progress.note(f"{name} is left out. {error}"))
        subjects = load_subjects(asked, output.place, measure, loading)
        loaded = [each for each in asked if each.pipeline not in loading.failed]
        tuning = command.tune(
            subjects,
            options,
            workspace=output.place,
            measure=measure,
            inputs=source.inputs(search.seed),
            progress=progress,
            cluster=nodes.cluster,
            command=this_command(),
        )
        tuning = replace(tuning, failed={**loading.failed, **tuning.failed})
        for result in tuning.results:
            try:
                pictures.append(plot_curve(result, output.place))
            except InputError as error:  # the result does not depend on its picture
                progress.note(str(error))
                pictures.append(())
    if not output.json:
        console = LastingConsole()
        for result, paths in zip(tuning.results, pictures, strict=True):
            report.print_tuned(console, result, (*result.files, *paths))
        if tuning.failed:
            print_failed(console, tuning.failed)
    code = 1 if tuning.failed else 0
    if page.report is not None:
        names = {result.subject.spec.name for result in tuning.results}
        write = partial(
            write_report,
            [each for each, subject in zip(loaded, subjects, strict=True) if subject.spec.name in names],
            against=None,
            workspace=output.place,
            measure=measure,
            inputs=source.inputs(search.seed),
            file=page.report,
            cluster=elsewhere and nodes.cluster,
        )
        code = _attempted(write) or code
    if output.json:  # last, for there is one document on standard output whatever becomes of the page
        print_json(report.document(tuning, output.place.samples))
    return code


def _attempted(write: "Callable[[], Mapping[str, Any]]") -> int:
    """Writes the page; 0, or the exit code of an error, which is said: what was tuned is a result all the same."""
    try:
        return 1 if "failed" in write() else 0
    except HltuneError as error:
        print_error(error)
        return error.exit_code
    except OSError as error:
        print_error(HltuneError("the page could not be written", where=error.filename, found=str(error)))
        return HltuneError.exit_code
    except KeyboardInterrupt:
        print("interrupted: the page is not complete, and `hltune report` makes it anew", file=sys.stderr)
        return INTERRUPTED
