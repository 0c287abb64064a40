"""What is on record: what tuning leaves as `TUNED`, however it ends, and what is wrong now, though once verified."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING

from hltune.machine.given import has_tolerances
from hltune.runtime.progress import Progress
from hltune.values.candidate import Candidate
from hltune.values.cost import Measurement, repair_of
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.provenance import Searched
from hltune.workspace.lines import add_line
from hltune.workspace.record import TUNED, Record
from hltune.workspace.records import Workspace
from hltune.workspace.refuted import Refuted

if TYPE_CHECKING:  # what tuning learns with comes with them, and `schedule` needs none of it
    from hltune.tuning.finals import Finals
    from hltune.tuning.rounds import Run


def put_on_record(finals: Finals, spec: PipelineSpec, machine: MachineId, workspace: Workspace) -> Record:
    """The winner becomes `TUNED`, unless there was no comparison and another one has won one before.

    Returns what was left, or else what would have been: with `--keep` and `--only` that may be another schedule.
    """
    record = finals.winner.record(TUNED, compared=finals.compared)
    assert record is not None
    former = _has_won(workspace.records(spec, machine))
    if former is not None and not finals.compared:
        return former if former.schedule == record.schedule else record
    workspace.replace(record, spec, machine)
    return record


def leave_best(run: Run, finals: Finals, workspace: Workspace, progress: Progress, *, again: str) -> Record:
    """Puts the winner on record, and what autoschedulers have found; returns what `run` and `export` take from now on.

    Where that is another one, or what was faster goes off the record, people are told.

    Args:
        again: the command that goes on where this run ends, for people.
    """
    spec, machine = run.tuner.subject.spec, run.machine
    former = next((each for each in workspace.records(spec, machine) if each.name == TUNED), None)
    record = put_on_record(finals, spec, machine, workspace)
    _keep_searched(run, finals, workspace, progress)
    taken = workspace.best(spec, machine)
    if taken.schedule != record.schedule:
        why = "which won a comparison before" if taken.name == TUNED else "which has cost less"
        said = f"`run` and `export` take {taken.name}, {why}; {again}, with --rounds 0, compares them"
        progress.note(f"{spec.name}: {said}")
    elif former is not None and not run.tuner.allowed([former]) and _costs_less(former, taken):
        less = f"{former.label}, which cost {machine.unit.text(former.cost)} {machine.unit.label}, is off the record"
        back = "tuning without these, with --rounds 0, compares both, and keeps the faster one"
        progress.note(f"{spec.name}: {less}: it is not what --keep or --only allows; {back}")
    return taken


def _keep_searched(run: Run, finals: Finals, workspace: Workspace, progress: Progress) -> None:
    """What autoschedulers have found is on record, as after `compare`: who reads a report asks for it.

    What was left out of the final comparison has the cost that it had before; if it was repaired then, it is not kept.
    """
    spec, history = run.tuner.subject.spec, run.tuner.history
    rows = {row.name: row for row in finals.rows}
    for name, each in run.tuner.references.items():
        if not isinstance(each.provenance, Searched):
            continue
        cost = history.cost_of(each)
        if name in rows:
            record = rows[name].record(name, compared=False)
        elif cost is None or not math.isfinite(cost) or history.refuted(each) or history.is_repaired(each):
            record = None
        else:
            record = Record(name=name, schedule=each.schedule, cost=cost, provenance=each.provenance, compared=False)
        if record is not None:
            try:
                workspace.keep(record, spec, run.machine)
            except InputError as error:  # a full disk takes nothing away
                progress.note(f"{spec.name}: {name} is not kept: {error}")


@contextlib.contextmanager
def leaving_something(runs: Mapping[str, Run], workspace: Workspace, progress: Progress) -> Generator[None]:
    """Who interrupts, or is interrupted by an error, can use the best so far, unless a comparison left something."""
    try:
        yield
    except BaseException:
        for name, run in runs.items():
            with contextlib.suppress(Exception):  # nor may this hide why it ended
                if (said := _keep_best(run, workspace)) is not None:
                    progress.note(f"{name}: {said}")
        raise


def drop_refuted(
    measured: Iterable[tuple[Schedule, Measurement]],
    spec: PipelineSpec,
    machine: MachineId,
    workspace: Workspace,
    progress: Progress,
) -> frozenset[Schedule]:
    """Drops the records of those whose outputs were wrong, and says so; returns all these. Tuning will know of them.

    Who gives tolerances of their own may ask for more than the records promise: then these stay, and say so wherever
    they are used.
    """
    wrong = ((schedule, each) for schedule, each in measured if isinstance(each, Failure) and each.is_wrong)
    refuted = {repair_of(each) or schedule: each for schedule, each in wrong}
    for schedule, failure in refuted.items():
        counts = failure.is_wrong_by_any or not has_tolerances(machine.given)
        try:
            if counts:
                everywhere = not failure.is_disputed
                names = workspace.drop(schedule, spec, machine, other_conditions=everywhere)
                so = "is off the record"
            else:
                names, so = workspace.doubt(schedule, spec, machine), "stays on record for the usual tolerances only"
        except (InputError, OSError) as error:  # a disk that is full or read-only takes no comparison away
            progress.note(f"{spec.name}: that a schedule is wrong could not be noted. {error}")
            continue
        if counts and not failure.is_disputed:
            with contextlib.suppress(InputError):  # what is off the record is so, whether or not tuning hears of it
                add_line(workspace.refuted(spec, machine), Refuted.of(schedule, failure, machine.cpu))
        if names:
            known = " and ".join(sorted(names))
            progress.note(f"{spec.name}: {known} was verified before, is wrong now, and {so}. {failure}")
    return frozenset(refuted)


def drop_once_wrong(
    refuted: Callable[[Candidate], Failure | None],
    spec: PipelineSpec,
    machine: MachineId,
    workspace: Workspace,
    progress: Progress,
) -> None:
    """Drops the records of what is known to have been wrong on such a processor, and says so.

    Args:
        refuted: how a schedule was wrong, if ever.
    """
    for record in workspace.records(spec, machine):
        failure = refuted(record.candidate)
        if failure and (names := workspace.drop(record.schedule, spec, machine, other_conditions=False)):
            progress.note(f"{spec.name}: {' and '.join(sorted(names))} is off the record. {failure}")


def _keep_best(run: Run, workspace: Workspace) -> str | None:
    """Puts the best by times of different moments on record, unless something better is; returns what people hear."""
    spec = run.tuner.subject.spec
    known = workspace.records(spec, run.machine)
    records = [each for each in known if run.tuner.history.refuted(each.candidate) is None]
    best = next(iter(run.tuner.history.ranked(1, distinct=True)), None)
    if best is None or best.schedule in (None, Schedule()):
        return None
    if _has_won(records) is not None:  # whatever --keep and --only allow
        return None
    allowed = run.tuner.allowed(records)
    cheaper = next((each for each in allowed if each.cost is not None and each.cost < best.cost), None)
    if cheaper is not None:  # perhaps by a calmer moment, but nothing says that the other one is faster
        return f"nothing so far costs less than {cheaper.name} did, which stays the best on record"
    record = Record(name=TUNED, schedule=best.schedule, cost=best.cost, provenance=best.provenance, compared=False)
    workspace.replace(record, spec, run.machine)
    return f"the best so far is kept as `{TUNED}`, though compared with no other"


def _costs_less(one: Record, other: Record) -> bool:
    return one.cost is not None and other.cost is not None and one.cost < other.cost


def _has_won(records: Iterable[Record]) -> Record | None:
    """What tuning left after a comparison."""
    return next((each for each in records if each.name == TUNED and each.has_won), None)
