"""`hltune compare`: all known schedules of a pipeline side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hltune.commands.schedule import DEFAULT, search_job
from hltune.machine.inputs import Inputs
from hltune.machine.open import open_machine
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Cost, Measurement
from hltune.runtime.files import check_writable
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker, run_all, usable_cores
from hltune.search.autoschedulers import Adams2019Options, Li2018Options, Mullapudi2016Options, SearchOptions
from hltune.search.jobs import ENVIRONMENT
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.machine_id import fingerprint
from hltune.values.schedule_codec import read_schedule_file
from hltune.values.unit import Unit
from hltune.workspace.default_weights import with_default_weights
from hltune.workspace.records import TUNED, Record, Workspace
from hltune.workspace.subject import Subject, SubjectOptions, load_subject

OTHER_WEIGHTS = "adams2019+weights"
"""Name of what beam search finds with other weights than the built-in ones."""
_SEARCHES = ("adams2019", OTHER_WEIGHTS, "mullapudi2016", "li2018")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """What to compare.

    Attributes:
        adams2019: options of the beam search; with weights, it is done with the built-in ones as well.
        search_timeout_s: limit on each search.
        files: schedules that the user gave, by name; see `read_schedules`.
    """

    adams2019: Adams2019Options
    search_timeout_s: float
    files: Sequence[tuple[str, Schedule]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One schedule of a comparison.

    Attributes:
        finder: who found it, which is its name unless it comes from a record.
        schedule: None if no search found one.
    """

    name: str
    finder: str
    schedule: Schedule | None
    measurement: Measurement

    def order(self) -> float:
        """By cost, failures last."""
        return self.measurement.value if isinstance(self.measurement, Cost) else float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The schedules of one pipeline, in order of their cost, failures last.

    Attributes:
        unit: that people see costs in.
        bandwidth_bound: cost of a parallel, vectorised copy that moves as many bytes.
    """

    subject: Subject
    rows: tuple[Row, ...]
    unit: Unit
    bandwidth_bound: float | None

    def records(self) -> list[Record]:
        """What is worth keeping of it: the schedules that were verified."""
        return [
            Record(name=row.finder, schedule=row.schedule, cost_s=row.measurement.value, origin="hltune compare")
            for row in self.rows
            if row.schedule is not None and isinstance(row.measurement, Cost)
        ]

    @property
    def best_s(self) -> float | None:
        """Cost of the fastest verified schedule."""
        return min((row.measurement.value for row in self.rows if isinstance(row.measurement, Cost)), default=None)


def read_schedules(paths: Sequence[Path]) -> list[tuple[str, Schedule]]:
    """Reads schedules that are to be compared as well; a file's name up to its first dot is the schedule's.

    Raises:
        InputError: one of them is no schedule.
    """
    return [(path.name.partition(".")[0], read_schedule_file(path)) for path in paths]


def load_subjects(pipelines: Sequence[SubjectOptions], workspace: Workspace) -> list[Subject]:
    """Loads all pipelines before the first one is compared.

    Raises:
        InputError: one of them cannot be used, or the workspace cannot be written to.
    """
    check_writable(workspace.root)
    return [load_subject(pipeline, workspace) for pipeline in pipelines]


def compare(
    subject: Subject,
    options: CompareOptions,
    *,
    workspace: Workspace,
    measure: MeasureOptions,
    inputs: Inputs,
    progress: Progress,
) -> Comparison:
    """Finds and measures all schedules of a pipeline, those on record included, and keeps what was verified.

    Raises:
        InputError: the inputs do not fit the pipeline, code for the target does not run on this machine, or two
            schedules have the same name.
    """
    key = fingerprint(subject.target, measure)
    options = replace(options, adams2019=with_default_weights(options.adams2019, workspace, key, progress))
    recorded = {
        TUNED if record.name == TUNED else record.label: record
        for record in best_of_each(workspace.records(subject.spec, key))
    }
    known = {DEFAULT, *subject.hand_written, *_SEARCHES, TUNED, *recorded}
    _check_names([*known, *(name for name, _ in options.files)])
    with (
        open_machine(subject.target, measure, workers=usable_cores()) as machine,
        machine.session(subject.spec, inputs, numpy_reference=subject.numpy_reference) as session,
    ):
        progress.phase(f"searching schedules for {subject.spec.name}")
        found = _search_all(subject, options)
        session.ready()
        schedules = {DEFAULT: Schedule(), **subject.hand_written}
        schedules |= {name: outcome for name, outcome in found.items() if isinstance(outcome, Schedule)}
        schedules |= {
            label: record.schedule
            for label, record in recorded.items()
            if label == TUNED or record.schedule not in schedules.values()
        }
        schedules |= dict(options.files)
        progress.phase(f"measuring {len(schedules)} schedules for {subject.spec.name}")
        measured, limit = session.measure_with_bound(schedules)
    finders = {label: record.name for label, record in recorded.items()}
    rows = [
        Row(name=name, finder=finders.get(name, name), schedule=schedules.get(name), measurement=outcome)
        for name, outcome in (measured | {n: o for n, o in found.items() if isinstance(o, Failure)}).items()
    ]
    result = Comparison(
        subject=subject,
        unit=machine.unit,
        rows=tuple(sorted(rows, key=Row.order)),
        bandwidth_bound=limit.value if isinstance(limit, Cost) else None,
    )
    for record in result.records():
        workspace.keep(record, subject.spec, key)
    return result


def best_of_each(recorded: Sequence[Record]) -> list[Record]:
    """The fastest one on record of each name; `recorded` has the fastest first."""
    best: dict[str, Record] = {}
    for record in recorded:
        best.setdefault(record.name, record)
    return list(best.values())


def _check_names(names: Sequence[str]) -> None:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(
            "two schedules of the same name", where="--schedule", found=", ".join(sorted(twice)), todo="rename the file"
        )


def _search_all(subject: Subject, options: CompareOptions) -> dict[str, Schedule | Failure]:
    """Searches with every autoscheduler, side by side."""
    parallelism = options.adams2019.parallelism
    searches: dict[str, SearchOptions] = {
        "adams2019": replace(options.adams2019, weights=None),
        "mullapudi2016": Mullapudi2016Options(parallelism=parallelism),
        "li2018": Li2018Options(parallelism=parallelism),
    }
    if options.adams2019.weights is not None:
        searches[OTHER_WEIGHTS] = options.adams2019
    jobs = [search_job(subject, search, timeout_s=options.search_timeout_s) for search in searches.values()]
    with Worker(environment=ENVIRONMENT) as one, Worker(environment=ENVIRONMENT) as another:
        outcomes = run_all(jobs, [one, another])
    return {
        name: outcome if isinstance(outcome, Failure) else outcome.schedule
        for name, outcome in zip(searches, outcomes, strict=True)
    }
