"""`hltune list`, `schedule` and `compare`: flags to options, results to people."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hltune import INTERRUPTED
from hltune.cli.arguments import LIMITS, OUTPUT, SEARCH, WHAT, Whole, parsed
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import (
    ADAMS2019,
    CAREFUL,
    ClusterFlags,
    ImageFlags,
    LimitFlags,
    Output,
    Pipeline,
    SearchFlags,
    changed,
    mebibytes,
    parse_bytes,
)
from hltune.cli.output import JsonFlags, OutputFlags, print_error, print_json
from hltune.runtime import interrupts
from hltune.search.autoschedulers import AUTOSCHEDULERS, Adams2019Options, Mullapudi2016Options, SearchOptions
from hltune.values.errors import InputError

if TYPE_CHECKING:
    from hltune.values.machine_id import MachineId

_MULLAPUDI2016 = Mullapudi2016Options(parallelism=1)


@Parameter(name="*", group=SEARCH)
@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSearch(SearchFlags):
    """The search of `hltune schedule`, which may be another one than the tree search.

    Attributes:
        autoscheduler: adams2019, mullapudi2016 or li2018.
        random_dropout: Chance of dropping no state at all: 100 drops none, 1 makes probes.
        last_level_cache: Size of the cache that the tiles of mullapudi2016 fit into.
        balance: For mullapudi2016: cost of a load relative to arithmetic.
    """

    autoscheduler: str = "adams2019"
    random_dropout: Annotated[Whole, Parameter(metavar="PERCENT")] = ADAMS2019.random_dropout
    last_level_cache: Annotated[
        int, parsed(partial(parse_bytes, "--last-level-cache"), metavar="BYTES", show_default=mebibytes)
    ] = _MULLAPUDI2016.last_level_cache_bytes
    balance: float = _MULLAPUDI2016.balance

    def options(self, target: str) -> SearchOptions:
        """The options of the autoscheduler that is asked for; an `InputError` if others were given as well."""
        from hltune.search.ladder import ladder

        adams2019 = self.limited(target, random_dropout=self.random_dropout)
        quick = self.mullapudi2016(target)
        with_flags: dict[type, SearchOptions] = {Adams2019Options: adams2019, Mullapudi2016Options: quick}
        kind = AUTOSCHEDULERS.get(self.autoscheduler)
        if kind is None:
            expected = ", ".join(AUTOSCHEDULERS)
            found = repr(self.autoscheduler)
            raise InputError("unknown autoscheduler", where="--autoscheduler", expected=expected, found=found)
        search = with_flags.get(kind) or kind(parallelism=adams2019.parallelism)
        used = {each for rung in ladder(search, quick) for each in rung.searches}
        for other in with_flags.values():
            if other not in used and other.flags:
                name, flags = other.autoscheduler.lower(), ", ".join(other.flags)
                raise InputError(
                    f"only for {name}, which does not search with {self._alone(search)}",
                    where=flags,
                    todo=f"leave {flags} out, or give --autoscheduler {name}",
                )
        return search

    def _alone(self, search: SearchOptions) -> str:
        """Which flag leaves other searches out."""
        if not isinstance(search, Adams2019Options):
            return f"--autoscheduler {self.autoscheduler}"
        return "--memory-limit" if search.memory_limit_bytes is not None else "--random-dropout"

    def mullapudi2016(self, target: str) -> Mullapudi2016Options:
        """The quick search, which is also tried before a tree search."""
        return Mullapudi2016Options(
            parallelism=self.threads(target), last_level_cache_bytes=self.last_level_cache, balance=self.balance
        )


def list_benchmarks(*, output: JsonFlags = JsonFlags()) -> None:
    """`hltune list`."""
    with interrupts.importing():
        from hltune.report import documents, tables
        from hltune.suite.catalog import ALL
    output.show(documents.benchmarks, tables.print_benchmarks, ALL)


def schedule(
    pipeline: Pipeline,
    /,
    *,
    source: ImageFlags = ImageFlags(),
    search: ScheduleSearch = ScheduleSearch(),
    limits: LimitFlags = LimitFlags(),
    measured: Annotated[bool, Parameter(name="--measure", negative="--no-measure", group=LIMITS)] = True,
    emulator: EmulatorFlags = EmulatorFlags(),
    nodes: ClusterFlags = ClusterFlags(),
    directory: Annotated[Path | None, Output, Parameter(group=OUTPUT, show_default="in the workspace")] = None,
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune schedule`.

    Args:
        measured: Measure what was found and keep the fastest; without it, nothing runs, and a prediction decides.
        directory: Directory for the schedule.
    """
    with interrupts.importing():
        from hltune.commands import schedule as command
        from hltune.report import documents, tables
        from hltune.report.progress import show_progress

    elsewhere = nodes.elsewhere(source.target)
    _check_used(source, limits, elsewhere, measured=measured)
    search = search.on(elsewhere)
    threads = search.threads(source.target)
    measure = limits.verified(threads, emulator.options(), elsewhere=elsewhere, **CAREFUL)
    with show_progress() as progress:
        result = command.schedule(
            source.subject(pipeline, elsewhere),
            search.options(source.target),
            mullapudi2016=search.mullapudi2016(source.target),
            search_timeout_s=limits.search_timeout,
            workspace=output.place,
            measure=measure,
            measuring=measured,
            inputs=source.inputs(search.seed),
            directory=directory,
            progress=progress,
            cluster=nodes.cluster,
        )
    output.show(documents.scheduled, tables.print_scheduled, result)


def _check_used(source: ImageFlags, limits: LimitFlags, elsewhere: "MachineId | None", *, measured: bool) -> None:
    """Raises an `InputError` for flags of what runs, where nothing does."""
    given = [*changed(limits, ("run_timeout", "tolerance", "integer_tolerance")), *["-i"] * bool(source.images)]
    if not given:
        return
    from hltune.machine.open import resolve

    found = ", ".join(given)
    if not measured:
        raise InputError("--no-measure runs nothing", found=found, todo="leave that out, or --no-measure")
    if resolve(source.target, elsewhere).machine is None:
        what = "nothing runs, for this machine does not run code for this target"
        raise InputError(what, where=f"--target {source.target}", found=found, todo="leave that out")


def compare(
    *pipelines: Pipeline,
    source: ImageFlags = ImageFlags(),
    schedules: Annotated[tuple[str, ...], Parameter(name="--schedule", group=WHAT, metavar="NAME|ID|FILE")] = (),
    search: SearchFlags = SearchFlags(),
    limits: LimitFlags = LimitFlags(),
    rounds: Annotated[Whole, Parameter(group=LIMITS)] = 9,
    emulator: EmulatorFlags = EmulatorFlags(),
    nodes: ClusterFlags = ClusterFlags(),
    output: OutputFlags = OutputFlags(),
) -> int:
    """`hltune compare`.

    Args:
        schedules: A schedule to compare as well: one of `hltune samples best` by id, or a schedule.json.
        rounds: Turns that each schedule takes.
    """
    with interrupts.importing():
        from rich.console import Console

        from hltune.commands import compare as command
        from hltune.commands.choice import check_files
        from hltune.commands.survivors import Survivors, load_subjects
        from hltune.report import documents, tables
        from hltune.report.progress import show_progress
        from hltune.runtime.progress import Numbered
        from hltune.suite.catalog import expanded

    elsewhere = nodes.elsewhere(source.target)
    search = search.on(elsewhere)
    adams2019 = search.limited(source.target)
    threads = search.threads(source.target)
    measure = limits.verified(threads, emulator.options(), turns=rounds, elsewhere=elsewhere)
    results: list[command.Comparison] = []
    asked = [source.subject(name, elsewhere) for name in expanded(pipelines)]
    survivors = Survivors(len(asked), lambda _, error: print_error(error))
    subjects = load_subjects(asked, output.place, measure, survivors)
    check_files(subjects, schedules)
    interrupted = False
    try:
        for number, subject in enumerate(subjects, start=1):
            with survivors.trying(subject.spec.name):
                with show_progress() as progress:
                    result = command.compare(
                        subject,
                        adams2019,
                        search_timeout_s=limits.search_timeout,
                        asked=schedules,
                        workspace=output.place,
                        measure=measure,
                        inputs=source.inputs(search.seed),
                        progress=Numbered(progress, number, len(subjects)),
                        cluster=nodes.cluster,
                    )
                results.append(result)
                if not output.json:
                    tables.print_comparison(Console(), result)
    except KeyboardInterrupt:
        if not (output.json and results):
            raise
        print("interrupted", file=sys.stderr)
        interrupted = True
    if output.json:
        print_json(documents.comparisons(results, survivors.failed, interrupted=interrupted))
    elif survivors.failed:
        tables.print_failed(Console(), survivors.failed)
    if interrupted:
        return INTERRUPTED
    return 1 if survivors.failed or any(result.only_default for result in results) else 0
