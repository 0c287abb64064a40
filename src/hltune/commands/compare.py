"""`hltune compare`: all known schedules of a pipeline side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from hltune.commands.schedule import open_session
from hltune.commands.verification import verified_against
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.machine.reference_job import Verification
from hltune.runtime.progress import Progress
from hltune.runtime.worker import usable_cores
from hltune.search.autoschedulers import Adams2019Options, baselines
from hltune.search.pool import SearchPool
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.provenance import Named
from hltune.values.unit import Unit
from hltune.workspace.default_weights import with_default_weights
from hltune.workspace.records import TUNED, Workspace
from hltune.workspace.rows import Row, without_twins
from hltune.workspace.subject import Subject

OTHER_WEIGHTS = "adams2019+weights"
"""Name of what beam search finds with other weights than the built-in ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The schedules of one pipeline, in order of their cost, failures last.

    Attributes:
        bandwidth_bound: cost of a parallel, vectorised copy that moves as many bytes.
        verification: what outputs were verified against.
    """

    subject: Subject
    rows: tuple[Row, ...]
    unit: Unit
    bandwidth_bound: float | None
    verification: Verification | None = None

    @property
    def best(self) -> float | None:
        """Cost of the fastest verified schedule."""
        return min((row.cost.value for row in self.rows if row.cost), default=None)


def compare(
    subject: Subject,
    adams2019: Adams2019Options,
    *,
    search_timeout_s: float,
    files: Sequence[tuple[str, Schedule]],
    workspace: Workspace,
    measure: MeasureOptions,
    inputs: Inputs,
    progress: Progress,
) -> Comparison:
    """Finds and measures all schedules of a pipeline, those on record included, and keeps what was verified.

    Args:
        adams2019: options of the beam search; with weights, it is done with the built-in ones as well.
        files: schedules that the user gave, by name.

    Raises:
        InputError: the inputs do not fit the pipeline, code for the target does not run on this machine, or two
            schedules have the same name.
    """
    key = identify(subject.target, measure)
    adams2019 = with_default_weights(adams2019, workspace, key, progress)
    records = workspace.records(subject.spec, key)
    recorded = {TUNED if record.name == TUNED else record.label: record for record in records}
    candidates = subject.known_by_name()
    searches = baselines(adams2019)
    if adams2019.weights is not None:
        searches[OTHER_WEIGHTS] = adams2019
    _check_names([*{*candidates, *searches, OTHER_WEIGHTS, TUNED, *recorded}, *(name for name, _ in files)])
    with open_session(subject, measure, inputs) as session:
        progress.phase(f"searching schedules for {subject.spec.name}")
        with SearchPool(min(usable_cores(), len(searches)), timeout_s=search_timeout_s) as pool:
            outcomes = pool.run(subject.spec, subject.target.name, list(searches.values()))
        found = dict(zip(searches, outcomes, strict=True))
        verification = verified_against(session, subject.spec.name, progress)
        candidates |= {name: outcome for name, outcome in found.items() if isinstance(outcome, Candidate)}
        schedules = [each.schedule for each in candidates.values()]
        for label, record in recorded.items():
            if label == TUNED or record.schedule not in schedules:
                candidates[label] = Candidate(schedule=record.schedule, provenance=record.provenance)
        for name, schedule in files:
            candidates[name] = Candidate(schedule=schedule, provenance=Named(name=name))
        progress.phase(f"measuring {len(candidates)} schedules for {subject.spec.name}")
        measured, bound = session.measure_with_bound({name: each.schedule for name, each in candidates.items()})
    measured |= {name: outcome for name, outcome in found.items() if isinstance(outcome, Failure)}
    finders = {label: record.name for label, record in recorded.items()}
    rows = [Row.of(name, finders.get(name, name), candidates.get(name), each) for name, each in measured.items()]
    rows = sorted(without_twins(rows, {*recorded} - {TUNED}), key=Row.order)
    for row in rows:
        if (record := row.record(row.finder)) is not None:
            workspace.keep(record, subject.spec, key)
    return Comparison(
        subject=subject,
        unit=key.unit,
        rows=tuple(rows),
        bandwidth_bound=bound.value if isinstance(bound, Cost) else None,
        verification=verification,
    )


def _check_names(names: Sequence[str]) -> None:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(
            "two schedules of the same name", where="--schedule", found=", ".join(sorted(twice)), todo="rename the file"
        )
