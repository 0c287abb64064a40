"""`hltune explain`: where the time of a schedule goes, what limits it, and which change would help."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from hltune.commands.accounts import Accounts
from hltune.commands.place import open_session
from hltune.commands.refuted import drop_refuted
from hltune.commands.verification import verified_against
from hltune.lowered.account import Account
from hltune.machine.given import on_given
from hltune.machine.inputs import Inputs
from hltune.machine.open import caches_of, identify
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Session
from hltune.machine.reference_job import Verification
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker, usable_cores
from hltune.search.faults import Case, Fault, faults
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, InputError, did_you_mean
from hltune.values.machine_id import MachineId
from hltune.values.profile import Profile
from hltune.values.schedule_codec import read_schedule_file
from hltune.workspace.records import Workspace
from hltune.workspace.subject import DEFAULT, EXPERT, MANUAL, Subject, SubjectOptions, load_subject

_PROFILING_S = 2.0
_CHANGES_S = 30.0
"""How long changes are lowered."""
_TRIED = 6
"""Changes that are measured at most."""
_HELPS = 1.03
"""How many times as fast a change has to be predicted to be, to be advised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A fault, and what came of the changes that address it.

    Attributes:
        change: the one that is predicted to help most; None if none is predicted to help.
        seconds: T0 of the changed schedule.
        measured: what it costs, side by side with the schedule; None if it was not measured.
    """

    fault: Fault
    change: Schedule | None = None
    seconds: float | None = None
    measured: Measurement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One schedule.

    Attributes:
        schedule: as a person would write it, where that is the same program.
        measured: what it costs; None if code for the target does not run here.
        profile: where the time goes; None if the machine cannot say.
        account: what the lowered program spends where; a Failure if it could not be read.
        beside: what it costs side by side with changes of it; None if none was tried.
    """

    name: str
    schedule: Schedule
    measured: Measurement | None
    profile: Profile | Failure | None
    account: Account | Failure
    advice: tuple[Advice, ...] = ()
    beside: Measurement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Schedules of one pipeline, the one that was asked for first.

    Attributes:
        root: the program that computes every Func once, in full: what is needed.
        caches: bytes of the machine's caches, the smallest first; empty if nobody knows.
        others: what other known schedules cost, side by side with these, by their names.
        bandwidth_bound: what a parallel, vectorised copy of as many bytes costs; None if nobody asked for others.
        verification: what outputs were verified against; None if nothing ran.
    """

    subject: Subject
    machine: MachineId
    schedules: tuple[Explained, ...]
    root: Account
    caches: tuple[int, ...]
    others: Mapping[str, Measurement]
    bandwidth_bound: Measurement | None
    verification: Verification | None = None


def explain(
    pipeline: SubjectOptions,
    *,
    schedule: str | None,
    against: str | None,
    trying: bool,
    beside: bool = False,
    workspace: Workspace,
    measure: MeasureOptions,
    inputs: Inputs,
    progress: Progress,
) -> Explanation:
    """Measures a schedule, samples where its time goes, reads its lowered program, and says what limits it.

    Args:
        schedule: name of a known schedule, or a file; None for the best known one.
        against: another one; None for none, or, beside others, for the one that people compare with.
        trying: measure the changes that are advised.
        beside: measure all other known schedules as well.

    Raises:
        InputError: there is no such schedule, or the inputs do not fit.
        HltuneError: the schedule does not work, or its program cannot be read.
    """
    progress.phase(f"loading {pipeline.pipeline}")
    subject = load_subject(pipeline, workspace)
    for note in subject.notes:
        progress.note(f"{subject.spec.name}: {note}")
    machine = on_given(identify(subject.target, measure), subject.spec, inputs, measure)
    asked = [schedule] if against is None else [schedule, against]
    chosen = dict(_choose(subject, each, workspace, machine) for each in asked)
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(preload=("halide",))) for _ in range(usable_cores())]
        accounts = Accounts(subject, measure.threads, workers)
        session = None
        if subject.target.machine is not None:
            session = stack.enter_context(open_session(subject, measure, inputs))
        others = _others(subject, workspace, machine, chosen) if beside else None
        if others and against is None:
            name = _reference(others)
            chosen[name] = others.pop(name)
        measured, bound = _measured(session, chosen, others, progress)
        known = chosen | (others or {})
        verdicts = [(known[name], each) for name, each in measured.items()]
        drop_refuted(verdicts, subject.spec, machine, measure, workspace, progress)
        _check_works(chosen, measured)
        chosen = {name: _as_measured(each, measured.get(name)) for name, each in chosen.items()}
        progress.phase(f"lowering {' and '.join(chosen)}")
        root = accounts.root()
        chosen = accounts.readable(chosen)
        read = accounts.of(chosen, end_s=math.inf)
        explained = [
            Explained(
                name=name,
                schedule=each,
                measured=measured.get(name),
                profile=_profile(session, name, each, progress),
                account=read[name],
            )
            for name, each in chosen.items()
        ]
        first = explained[0]
        if isinstance(first.account, Account) and first.schedule.base is None:
            progress.phase(f"looking for changes of {first.name}")
            case = Case(
                spec=subject.spec,
                schedule=first.schedule,
                account=first.account,
                root=root,
                cores=measure.threads,
                vector_bytes=subject.target.vector_bytes,
            )
            advice = _advice(case, accounts)
            explained[0] = replace(first, advice=advice)
            if trying and session is not None:
                explained[0] = _tried(session, explained[0], progress)
        verification = None if session is None else verified_against(session, subject.spec, progress)
    return Explanation(
        subject=subject,
        machine=machine,
        schedules=tuple(explained),
        root=root,
        caches=caches_of(subject.target),
        others={name: measured[name] for name in others or () if name in measured},
        bandwidth_bound=bound,
        verification=verification,
    )


def _choose(subject: Subject, asked: str | None, workspace: Workspace, machine: MachineId) -> tuple[str, Schedule]:
    """Name and directives of a schedule by its name, that of its file, or the best one on record."""
    if asked is None:
        best = workspace.best(subject.spec, machine)
        return best.name, best.schedule
    known = _known(subject, workspace, machine)
    if asked in known:
        return asked, known[asked]
    if Path(asked).is_file():
        return Path(asked).name.partition(".")[0], read_schedule_file(Path(asked))
    raise InputError(
        "no such schedule",
        where=asked,
        expected=f"a schedule.json, or one of {', '.join(known)}",
        found=f"no schedule and no file {asked!r}",
        todo=did_you_mean(asked, known) or f"`hltune compare {subject.spec.name}` finds more of them",
    )


def _known(subject: Subject, workspace: Workspace, machine: MachineId) -> dict[str, Schedule]:
    """All that have a name: the author's, those of a benchmark, the fastest on record of each finder."""
    known = {name: each.schedule for name, each in subject.known_by_name().items()}
    for record in workspace.records(subject.spec, machine):
        known |= {record.label: record.schedule} if record.name in known else {record.name: record.schedule}
    return known


def _others(
    subject: Subject, workspace: Workspace, machine: MachineId, chosen: Mapping[str, Schedule]
) -> dict[str, Schedule]:
    """The known ones, but for those that are chosen, and all that say the same under another name."""
    found: dict[str, Schedule] = {}
    for name, schedule in _known(subject, workspace, machine).items():
        if name not in chosen and schedule not in (*chosen.values(), *found.values()):
            found[name] = schedule
    return found


def _reference(others: Mapping[str, Schedule]) -> str:
    """What people compare with: the author's schedule, or the expert's, or else the fastest that a search found."""
    names = [name for name in (MANUAL, EXPERT, *reversed([*others])) if name in others]
    return next((name for name in names if name != DEFAULT), DEFAULT)


def _measured(
    session: Session | None, chosen: Mapping[str, Schedule], others: Mapping[str, Schedule] | None, progress: Progress
) -> tuple[dict[str, Measurement], Measurement | None]:
    """Costs of all, and that of the copy if others were asked for."""
    if session is None:
        return {}, None
    progress.phase(f"measuring {' and '.join(chosen)}{f' beside {len(others)} others' if others else ''}")
    if others is None:
        return session.measure(chosen), None
    return session.measure_with_bound({**chosen, **others})


def _check_works(chosen: Mapping[str, Schedule], measured: Mapping[str, Measurement]) -> None:
    for name in chosen:
        if isinstance(failure := measured.get(name), Failure):
            raise HltuneError(f"the schedule {name} does not work", where=failure.stage, found=str(failure))


def _as_measured(schedule: Schedule, measured: Measurement | None) -> Schedule:
    """The schedule that ran: what leaves its images was repaired."""
    return measured.repair if isinstance(measured, Cost) and measured.repair is not None else schedule


def _profile(session: Session | None, name: str, schedule: Schedule, progress: Progress) -> Profile | Failure | None:
    if session is None:
        return None
    progress.phase(f"profiling {name}")
    return session.profile(schedule, seconds=_PROFILING_S)


def _tried(session: Session, explained: Explained, progress: Progress) -> Explained:
    """With the advised changes measured, side by side with the schedule itself."""
    different = dict.fromkeys(each.change for each in explained.advice if each.change is not None)
    changes = {str(number): change for number, change in enumerate(islice(different, _TRIED))}
    if not changes:
        return explained
    progress.phase(f"measuring {len(changes)} changes of {explained.name}")
    measured = session.measure({"": explained.schedule, **changes})
    by_schedule = {changes[key]: measured[key] for key in changes}
    advice = tuple(
        each if each.change is None else replace(each, measured=by_schedule.get(each.change))
        for each in explained.advice
    )
    return replace(explained, advice=advice, beside=measured[""])


def _advice(case: Case, accounts: Accounts) -> tuple[Advice, ...]:
    """What is wrong, with the change that is predicted to help most, the most helpful first."""
    found = faults(case)
    changes = {f"{number}.{at}": each for number, fault in enumerate(found) for at, each in enumerate(fault.changes)}
    read = accounts.of(changes, end_s=time.monotonic() + _CHANGES_S)
    seconds = {key: each.seconds for key, each in read.items() if isinstance(each, Account)}
    advice: list[Advice] = []
    for number, fault in enumerate(found):
        keys = [f"{number}.{at}" for at in range(len(fault.changes))]
        best = min((key for key in keys if key in seconds), key=seconds.__getitem__, default=None)
        if best is None or seconds[best] * _HELPS > case.account.seconds:
            if not fault.price:
                advice.append(Advice(fault=fault))
        else:
            advice.append(Advice(fault=fault, change=changes[best], seconds=seconds[best]))
    return tuple(sorted(advice, key=lambda each: (each.change is None, each.seconds or 0.0)))


def speedup(explained: Explained, advice: Advice) -> float | None:
    """How many times as fast a change made the schedule, measured; None if it was not, or failed."""
    if isinstance(explained.beside, Cost) and isinstance(advice.measured, Cost):
        return explained.beside.value / advice.measured.value
    return None


def predicted_speedup(explained: Explained, advice: Advice) -> float | None:
    """How many times as fast a change is predicted to make the schedule; None without a change."""
    if isinstance(explained.account, Account) and advice.seconds:
        return explained.account.seconds / advice.seconds
    return None
