"""`hltune explain`: where the time of a schedule goes, what limits it, and which change would help."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from hltune.commands.accounts import Accounts
from hltune.commands.choice import choose, other_names, other_schedules, reference
from hltune.commands.on_record import drop_refuted
from hltune.commands.place import open_session
from hltune.commands.verification import verified_against
from hltune.lowered.account import Account
from hltune.machine.given import on_given
from hltune.machine.inputs import Inputs
from hltune.machine.open import caches_of, identify
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Session
from hltune.machine.quiet import say_if_busy
from hltune.machine.speedup import Speedup, compared
from hltune.machine.verify import Verification
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker, usable_cores
from hltune.search.advice import Advice, advise
from hltune.search.case import Case
from hltune.search.parts import parts
from hltune.values.cost import Cost, Measurement, repair_of
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import FuncInfo
from hltune.values.profile import Profile
from hltune.values.unit import MILLISECONDS
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject, SubjectOptions, load_subject

_PROFILING_S = 2.0
_CHANGES_S = 30.0
"""How long changes, or other schedules, are lowered."""
_TRIED = 6
"""Changes that are measured at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One schedule.

    Attributes:
        schedule: as a person would write it, where that is the same program.
        measured: what it costs; None if code for the target does not run here.
        profile: where the time goes; None if the machine cannot say.
        account: what the lowered program spends where; a Failure if it could not be read.
        advice: for the first schedule alone, if directives say all of it and its program could be read; else None, for
            nobody looked for it.
        beside: what it costs side by side with changes of it, or with parts of what another one says; None if none was
            tried.
    """

    name: str
    schedule: Schedule
    measured: Measurement | None
    profile: Profile | Failure | None
    account: Account | Failure
    advice: tuple[Advice, ...] | None = None
    beside: Measurement | None = None


class Alone(NamedTuple):
    """The other schedule with a part of what the first one says, as it was measured."""

    schedule: Schedule
    measured: Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Schedules of one pipeline, the one that was asked for first.

    Attributes:
        root: the program that computes every Func once, in full: what is needed; a Failure if it could not be read.
        caches: bytes of the machine's caches, the smallest first; empty if nobody knows.
        also: by which other names the first one is known, such as the expert's.
        same_program: others that are written otherwise, and of which Halide makes the first one's program.
        alone: what each part of the difference between two schedules makes of the other one; None if nobody asked.
        not_alone: how many other parts there are, which cannot be alone, or were not measured.
        others: what other known schedules cost, side by side with these, by their names.
        bandwidth_bound: what a parallel, vectorised copy of as many bytes costs; None if nobody asked for others.
        verification: what outputs were verified against; None if nothing ran.
    """

    subject: Subject
    machine: MachineId
    schedules: tuple[Explained, ...]
    root: Account | Failure
    caches: tuple[int, ...]
    others: Mapping[str, Measurement]
    bandwidth_bound: Measurement | None
    verification: Verification | None = None
    also: tuple[str, ...] = ()
    same_program: tuple[str, ...] = ()
    alone: tuple[Alone, ...] | None = None
    not_alone: int = 0


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
    cluster: str | None = None,
) -> Explanation:
    """Measures a schedule, samples where its time goes, reads its lowered program, and says what limits it.

    Args:
        schedule: name of a known schedule, or a file; None for the best known one.
        against: another one; None for none, or, beside others, for the one that people compare with and that works.
        trying: measure the changes that are advised, and parts of what makes two schedules differ.
        beside: measure all other known schedules as well.
        cluster: the computers that measure; None for this one.

    Raises:
        InputError: there is no such schedule, or the inputs do not fit.
        HltuneError: the schedule does not work.
    """
    progress.phase(f"loading {pipeline.pipeline}")
    subject = load_subject(pipeline, workspace)
    for note in subject.notes:
        progress.note(f"{subject.spec.name}: {note}")
    machine = on_given(identify(subject.target, measure), subject.spec, inputs, measure)
    asked = [schedule] if against is None else [schedule, against]
    chosen = choose(subject, asked, workspace, machine, progress)
    also = other_names(subject, workspace, machine, *next(iter(chosen.items())))
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(preload=("halide",))) for _ in range(usable_cores())]
        accounts = Accounts(subject, measure.threads, workers)
        session = None
        if subject.target.machine is not None:
            opened = open_session(subject, measure, inputs, workspace.cache, progress, cluster=cluster)
            session = stack.enter_context(opened)
        others = other_schedules(subject, workspace, machine, chosen) if beside else None
        measured, bound = _measured(session, chosen, others, progress)
        known = chosen | (others or {})
        verdicts = [(known[name], each) for name, each in measured.items()]

        def refute(found: Iterable[tuple[Schedule, Measurement]]) -> None:
            drop_refuted(found, subject.spec, machine, workspace, progress)

        refute(verdicts)
        _check_works(chosen, measured)
        if others and against is None and (name := reference(others, measured)) is not None:
            chosen[name] = others.pop(name)
        chosen = {name: _as_measured(each, measured.get(name)) for name, each in chosen.items()}
        ran = chosen
        progress.phase(f"lowering {' and '.join(chosen)}")
        root, caches = accounts.root(), caches_of(subject.target, measure)
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
        if isinstance(first.account, Account) and isinstance(root, Account) and first.schedule.base is None:
            progress.phase(f"looking for changes of {first.name}")
            case = Case(
                spec=subject.spec,
                schedule=first.schedule,
                account=first.account,
                root=root,
                cores=measure.threads,
                vector_bytes=subject.target.vector_bytes,
                caches=caches,
                counted=machine.unit != MILLISECONDS,
            )
            advice = advise(case, lambda changes: accounts.of(changes, end_s=time.monotonic() + _CHANGES_S))
            explained[0] = replace(first, advice=advice)
            if trying and session is None:
                progress.note(f"no change is measured: code for {subject.target.name} does not run here")
            elif trying and session is not None:
                explained[0] = _tried(session, explained[0], progress)
        alone, left = None, 0
        if trying and session is not None and len(explained) == 2:
            chosen_parts, left = _parts(explained[0], explained[1], accounts, subject.spec.funcs)
            explained[1], alone = _alone(session, explained[1], chosen_parts, progress)
        again = [found for each in explained for found in _measured_again(each, ran[each.name])]
        again += alone or ()
        refute(again)
        _check_right(ran, again)
        twins = _twins(first, {**{name: chosen[name] for name in islice(chosen, 1, None)}, **(others or {})}, accounts)
        verification = None
        if session is not None:
            verification = verified_against(session, subject.spec, progress)
            say_if_busy(session, subject.spec.name, progress)
    return Explanation(
        subject=subject,
        machine=machine,
        schedules=tuple(explained),
        root=root,
        caches=caches,
        others={name: measured[name] for name in others or () if name in measured},
        bandwidth_bound=bound,
        verification=verification,
        also=also,
        same_program=twins,
        alone=alone,
        not_alone=left,
    )


def _twins(first: Explained, others: Mapping[str, Schedule], accounts: Accounts) -> tuple[str, ...]:
    """Which of the others come to the same program, as far as they can be read in time."""
    if not isinstance(first.account, Account) or not others:
        return ()
    read = accounts.of(others, end_s=time.monotonic() + _CHANGES_S)
    programs = {name: each.program_hash for name, each in read.items() if isinstance(each, Account)}
    return tuple(name for name in others if programs.get(name) == first.account.program_hash)


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


def _measured_again(explained: Explained, ran: Schedule) -> Iterator[tuple[Schedule, Measurement]]:
    """What became of a schedule, and of changes of it, after it was measured and right.

    Args:
        ran: what it says as it is on record, and not as a person would write it.
    """
    if isinstance(explained.profile, Failure):
        yield ran, explained.profile
    if explained.beside is not None:
        yield ran, explained.beside
    yield from ((each.change, each.measured) for each in explained.advice or () if each.change and each.measured)


def _check_right(ran: Mapping[str, Schedule], found: Sequence[tuple[Schedule, Measurement]]) -> None:
    """Raises an `HltuneError` if one of these was wrong when it ran again."""
    for schedule, failure in found:
        if schedule in ran.values() and isinstance(failure, Failure) and failure.is_wrong:
            name = next(name for name, each in ran.items() if each == schedule)
            raise HltuneError(f"{name} was right once, and then wrong", where=failure.stage, found=str(failure))


def _as_measured(schedule: Schedule, measured: Measurement | None) -> Schedule:
    """The schedule that ran: what leaves its images was repaired."""
    return repair_of(measured) or schedule


def _profile(session: Session | None, name: str, schedule: Schedule, progress: Progress) -> Profile | Failure | None:
    if session is None:
        return None
    progress.phase(f"profiling {name}")
    return session.profile(schedule, seconds=_PROFILING_S)


def _tried(session: Session, explained: Explained, progress: Progress) -> Explained:
    """With the advised changes measured, side by side with the schedule itself."""
    advice = explained.advice or ()
    different = dict.fromkeys(each.change for each in advice if each.change is not None)
    changes = {str(number): change for number, change in enumerate(islice(different, _TRIED))}
    if not changes:
        return explained
    progress.phase(f"measuring {len(changes)} changes of {explained.name}")
    measured = session.measure({"": explained.schedule, **changes})
    by_schedule = {changes[key]: measured[key] for key in changes}
    advice = [each if each.change is None else _with(each, each.change, by_schedule) for each in advice]
    return in_order(replace(explained, advice=tuple(advice), beside=measured[""]))


def _parts(
    one: Explained, other: Explained, accounts: Accounts, funcs: Sequence[FuncInfo]
) -> tuple[list[Schedule], int]:
    """The parts of a difference that change most of what is predicted, and how many others there are."""
    if same_program(one, other) or one.schedule.base is not None or other.schedule.base is not None:
        return [], 0
    found = {str(number): each for number, each in enumerate(parts(one.schedule, other.schedule, funcs))}
    read = accounts.of(found, end_s=time.monotonic() + _CHANGES_S)
    known = {each.account.program_hash for each in (one, other) if isinstance(each.account, Account)}
    before_s = other.account.seconds if isinstance(other.account, Account) else 0.0
    different: dict[str, str] = {}
    for key, each in read.items():
        if isinstance(each, Account) and each.program_hash not in known | different.keys():
            different[each.program_hash] = key
    seconds = {key: abs(each.seconds - before_s) for key, each in read.items() if isinstance(each, Account)}
    chosen = sorted(different.values(), key=lambda key: -seconds[key])[:_TRIED]
    return [found[key] for key in chosen], len(found) - len(chosen)


def _alone(
    session: Session, other: Explained, chosen: Sequence[Schedule], progress: Progress
) -> tuple[Explained, tuple[Alone, ...]]:
    """What each part makes of the other schedule, side by side with it, which is returned as well; the best first."""
    if not chosen:
        return other, ()
    progress.phase(f"measuring {len(chosen)} parts of what makes another schedule of {other.name}")
    measured = session.measure({"": other.schedule, **{str(number): each for number, each in enumerate(chosen)}})
    other = replace(other, beside=measured.pop(""))
    found = [Alone(_as_measured(chosen[int(key)], each), each) for key, each in measured.items()]

    def order(each: Alone) -> float:
        return 0.0 if (brought := speedup_of(each, other)) is None else -brought.value

    return other, tuple(sorted(found, key=order))


def _with(advice: Advice, change: Schedule, by_schedule: Mapping[Schedule, Measurement]) -> Advice:
    """The advice with what was measured, which is what people should apply."""
    measured = by_schedule.get(change)
    return replace(advice, change=_as_measured(change, measured), measured=measured)


def in_order(explained: Explained) -> Explained:
    """What helped most when it was measured comes first."""
    return replace(explained, advice=tuple(sorted(explained.advice or (), key=lambda each: _order(explained, each))))


def _order(explained: Explained, advice: Advice) -> tuple[int, float]:
    """What helped, by how much; what was not measured; what did not help; where no change is known."""
    if advice.change is None:
        return 3, 0.0
    if advice.measured is None:
        return 1, 0.0
    found = measured_speedup(explained, advice)
    return (2, 0.0) if found is None else (0 if found.faster else 2, -found.value)


def measured_speedup(explained: Explained, advice: Advice) -> Speedup | None:
    """How many times as fast a change made the schedule; None if it was not measured, or failed."""
    return _compared(explained.beside, advice.measured)


def speedup_over(one: Explained, other: Explained) -> Speedup | None:
    """How many times as fast the one is as the other; None if they were not measured."""
    return _compared(other.measured, one.measured)


def _compared(slower: Measurement | None, faster: Measurement | None) -> Speedup | None:
    return compared(slower, faster) if isinstance(slower, Cost) and isinstance(faster, Cost) else None


def speedup_of(alone: Alone, other: Explained) -> Speedup | None:
    """How many times as fast a part made the other schedule; None if one of them failed."""
    return _compared(other.beside, alone.measured)


def same_program(one: Explained, other: Explained) -> bool:
    """They say the same, or Halide makes the same of what they say."""
    if isinstance(one.account, Account) and isinstance(other.account, Account):
        return one.account.program_hash == other.account.program_hash
    return one.schedule == other.schedule


def predicted_speedup(explained: Explained, advice: Advice) -> float | None:
    """How many times as fast a change is predicted to make the schedule; None without a change."""
    if isinstance(explained.account, Account) and advice.seconds:
        return explained.account.seconds / advice.seconds
    return None
