"""`hltune list`, `schedule` and `compare`: flags to options, results to people."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hltune.cli.arguments import default_of, flag
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import InputFlags, LimitFlags, PipelineFlags, PipelinesFlags, SearchFlags, parse_bytes
from hltune.cli.output import JsonFlags, OutputFlags, print_json
from hltune.runtime import interrupts
from hltune.search.autoschedulers import Adams2019Options, Li2018Options, Mullapudi2016Options, SearchOptions
from hltune.values.errors import InputError

_TURNS = 3
_LAST_LEVEL_CACHE_MIB = default_of(Mullapudi2016Options, "last_level_cache_bytes") >> 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSearch(SearchFlags):
    """The search of `hltune schedule`, which may be another one than the tree search."""

    autoscheduler: str = flag("adams2019", "adams2019, mullapudi2016 or li2018.")
    random_dropout: int = flag(
        default_of(Adams2019Options, "random_dropout"),
        "Chance of dropping no state at all: 100 drops none, 1 makes probes.",
        metavar="PERCENT",
    )
    last_level_cache: int = flag(
        default_of(Mullapudi2016Options, "last_level_cache_bytes"),
        "Of mullapudi2016.",
        metavar="BYTES",
        parse=partial(parse_bytes, "--last-level-cache"),
        shown=f"{_LAST_LEVEL_CACHE_MIB}M",
    )
    balance: float = flag(
        default_of(Mullapudi2016Options, "balance"), "Of mullapudi2016: cost of a load relative to arithmetic."
    )

    def options(self, target: str) -> SearchOptions:
        """The options of the autoscheduler that is asked for."""
        adams2019 = self.limited(target, random_dropout=self.random_dropout)
        known: dict[str, SearchOptions] = {
            "adams2019": adams2019,
            "mullapudi2016": Mullapudi2016Options(
                parallelism=adams2019.parallelism, last_level_cache_bytes=self.last_level_cache, balance=self.balance
            ),
            "li2018": Li2018Options(parallelism=adams2019.parallelism),
        }
        if self.autoscheduler not in known:
            raise InputError(
                "unknown autoscheduler",
                where="--autoscheduler",
                expected=", ".join(known),
                found=repr(self.autoscheduler),
            )
        return known[self.autoscheduler]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOutput(OutputFlags):
    """Where the schedule goes."""

    output: Path | None = flag(None, "Directory for the schedule.", "-o", "--output", shown="in the workspace")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSource(PipelinesFlags):
    """What is compared."""

    schedules: tuple[Path, ...] = flag((), "A schedule.json to compare as well.", "--schedule", metavar="FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareLimits(LimitFlags):
    """How often everything is measured."""

    rounds: int = flag(7, "Turns that each schedule takes.")


def list_benchmarks(output: JsonFlags) -> None:
    """`hltune list`."""
    with interrupts.importing():
        from hltune.report import documents, tables
        from hltune.suite.catalog import BENCHMARKS
    output.show(lambda: documents.benchmarks(BENCHMARKS), lambda console: tables.print_benchmarks(console, BENCHMARKS))


def schedule(
    source: PipelineFlags,
    inputs: InputFlags,
    search: ScheduleSearch,
    limits: LimitFlags,
    emulator: EmulatorFlags,
    output: ScheduleOutput,
) -> None:
    """`hltune schedule`."""
    with interrupts.importing():
        from hltune.commands import schedule as command
        from hltune.report import documents, tables
        from hltune.report.progress import show_progress

    options = command.AutoscheduleOptions(
        search=search.options(source.target), search_timeout_s=limits.search_timeout_s
    )
    measure = limits.verified(search.threads(source.target), emulator.options(), turns=_TURNS)
    with show_progress() as progress:
        result = command.schedule(
            source.subject(source.pipeline),
            options,
            workspace=output.place,
            measure=measure,
            inputs=inputs.inputs(search.seed),
            directory=output.output,
            progress=progress,
        )
    output.show(lambda: documents.scheduled(result), lambda console: tables.print_scheduled(console, result))


def compare(
    source: CompareSource,
    inputs: InputFlags,
    search: SearchFlags,
    limits: CompareLimits,
    emulator: EmulatorFlags,
    output: OutputFlags,
) -> int:
    """`hltune compare`."""
    with interrupts.importing():
        from rich.console import Console

        from hltune.commands import compare as command
        from hltune.report import documents, tables
        from hltune.report.progress import show_progress

    options = command.CompareOptions(
        adams2019=search.limited(source.target),
        search_timeout_s=limits.search_timeout_s,
        files=command.read_schedules(source.schedules),
    )
    measure = limits.verified(search.threads(source.target), emulator.options(), turns=limits.rounds)
    results: list[command.Comparison] = []
    for subject in command.load_subjects(source.subjects(), output.place):
        with show_progress() as progress:
            result = command.compare(
                subject,
                options,
                workspace=output.place,
                measure=measure,
                inputs=inputs.inputs(search.seed),
                progress=progress,
            )
        results.append(result)
        if not output.json:
            tables.print_comparison(Console(), result)
    if output.json:
        print_json(documents.comparisons(results))
    return 0 if all(result.best is not None for result in results) else 1
