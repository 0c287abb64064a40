"""`hltune compare`: all known schedules of a pipeline side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hltune.autoschedule import DEFAULT, open_session, search_job
from hltune.errors import Failure, HltuneError, JobFailed
from hltune.machine.host import COPY
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Cost, Measurement
from hltune.progress import Progress
from hltune.schedule.directives import Schedule
from hltune.search.job import ENVIRONMENT, SearchJob
from hltune.search.options import Adams2019Options, Li2018Options, Mullapudi2016Options, SearchOptions
from hltune.subject import Subject
from hltune.worker import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """What to compare.

    Attributes:
        adams2019: options of the beam search.
        search_timeout_s: limit on each search.
        known: schedules from elsewhere, by name.
    """

    adams2019: Adams2019Options
    search_timeout_s: float
    known: Mapping[str, Schedule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One schedule of a comparison.

    Attributes:
        schedule: None if no search found one.
    """

    name: str
    schedule: Schedule | None
    measurement: Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The schedules of one pipeline, in order of their cost, failures last.

    Attributes:
        limit_s: time of a parallel, vectorised copy that moves as many bytes.
    """

    subject: Subject
    rows: tuple[Row, ...]
    limit_s: float | None

    @property
    def best_s(self) -> float | None:
        """Cost of the fastest verified schedule."""
        return min((row.measurement.value for row in self.rows if isinstance(row.measurement, Cost)), default=None)


def compare(
    subject: Subject, options: CompareOptions, *, measure: MeasureOptions, inputs: Inputs, progress: Progress
) -> Comparison:
    """Finds and measures all schedules of a pipeline.

    Raises:
        InputError: the inputs do not fit the pipeline.
        HltuneError: the target's code does not run on this machine.
    """
    if not subject.target.is_host:
        raise HltuneError("code for this target does not run on this machine", where=subject.target.name,
                          todo="compare with --target host")  # fmt: skip
    with open_session(subject, measure, inputs) as session:
        progress.phase(f"searching schedules for {subject.spec.name}")
        found = _search_all(subject, options)
        session.ready()
        # What is on record may be from another search: this one's results go before it.
        schedules = {**options.known, DEFAULT: Schedule(), **subject.hand_written()}
        schedules |= {name: outcome for name, outcome in found.items() if isinstance(outcome, Schedule)}
        progress.phase(f"measuring {len(schedules)} schedules for {subject.spec.name}")
        measured = session.measure_with_copy(schedules)
    limit = measured.pop(COPY)
    rows = [Row(name=name, schedule=schedules[name], measurement=outcome) for name, outcome in measured.items()]
    rows += [Row(name=name, schedule=None, measurement=o) for name, o in found.items() if isinstance(o, Failure)]
    return Comparison(
        subject=subject,
        rows=tuple(sorted(rows, key=_order)),
        limit_s=limit.value if isinstance(limit, Cost) else None,
    )


def _order(row: Row) -> float:
    return row.measurement.value if isinstance(row.measurement, Cost) else float("inf")


def _search_all(subject: Subject, options: CompareOptions) -> dict[str, Schedule | Failure]:
    """Searches with every autoscheduler, side by side."""
    parallelism = options.adams2019.parallelism
    with Worker(environment=ENVIRONMENT) as beam, Worker(environment=ENVIRONMENT) as others:
        job = search_job(subject, options.adams2019, timeout_s=options.search_timeout_s)
        beam.start(job, timeout_s=60)
        found: dict[str, Schedule | Failure] = {}
        quick: tuple[SearchOptions, ...] = (
            Mullapudi2016Options(parallelism=parallelism),
            Li2018Options(parallelism=parallelism),
        )
        for search in quick:
            quick_job = search_job(subject, search, timeout_s=options.search_timeout_s)
            others.start(quick_job, timeout_s=60)
            found[search.autoscheduler.lower()] = _finish(others, quick_job)
        found["adams2019"] = _finish(beam, job)
    return found


def _finish(worker: Worker, job: SearchJob) -> Schedule | Failure:
    try:
        return worker.finish(job).schedule
    except JobFailed as failed:
        return failed.failure
