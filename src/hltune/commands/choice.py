"""Which schedules of a pipeline are meant by what people call them, and beside which others they are explained."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hltune.commands.example import several, start_of_id
from hltune.commands.once_wrong import known_wrong
from hltune.commands.samples import START
from hltune.runtime.progress import Progress, Silent
from hltune.samples.reader import Reader
from hltune.values.cost import Measurement
from hltune.values.directives import InsideLoop, Rfactor, Schedule
from hltune.values.errors import Failure, InputError, did_you_mean
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.schedule_codec import Written, read_written, schedule_hash
from hltune.workspace.records import Workspace
from hltune.workspace.subject import DEFAULT, EXPERT, MANUAL, Subject


class Choice(NamedTuple):
    """A schedule with its name and, if that is on record, what it costs on the machine, in seconds."""

    name: str
    schedule: Schedule
    cost: float | None
    machine: MachineId


def choose_one(
    subject: Subject, asked: str | None, workspace: Workspace, machine: MachineId, progress: Progress
) -> Choice:
    """The one schedule that is asked for, see `choose`, for who uses it without verifying it again.

    Raises:
        InputError: its outputs were wrong on this machine, or as for `choose`.
    """
    ((name, schedule),) = choose(subject, [asked], workspace, machine, progress).items()
    measured = _measured_before(schedule, subject.spec, workspace, machine, progress)
    if isinstance(measured, Failure):
        others = "`hltune tune`, which takes it off the record" if asked is None else "leave --schedule out"
        raise InputError(
            "this schedule computes wrong outputs",
            where=name if asked is None else asked,
            expected="one whose outputs were right whenever they were verified",
            found=f"{measured}, perhaps with other threads or another target for this processor",
            todo=f"{others}, or name another one by --schedule: `hltune compare` verifies all others that are known",
        )
    same = [each for each in workspace.records(subject.spec, machine) if each.schedule == schedule]
    called_so = [each for each in same if name in (each.name, each.label)]
    costs = [each.cost for each in called_so or same if each.cost is not None]
    return Choice(name, schedule, min(costs, default=measured), machine)


def _measured_before(
    schedule: Schedule, spec: PipelineSpec, workspace: Workspace, machine: MachineId, progress: Progress
) -> float | Failure | None:
    """How the outputs of a schedule were ever wrong on such a processor; else its least cost on the machine, or None.

    A store that cannot be read keeps nobody from what is on record.
    """
    key = schedule_hash(schedule)
    if (failure := known_wrong(spec, machine, workspace, progress).get(key)) is not None:
        return failure
    with contextlib.suppress(InputError), Reader(workspace.samples) as reader:
        return reader.costs(spec.content_hash, machine.key).get(key)
    return None


def choose(
    subject: Subject, asked: Sequence[str | None], workspace: Workspace, machine: MachineId, progress: Progress
) -> dict[str, Schedule]:
    """Schedules by name, each asked for by its own name, a file's, or its id; None is the best one on record.

    A file is called by its name without folder and suffixes, or as the user wrote it where that is another's name.
    What an id stands for is called as the user wrote it. What people should know of the best one, or of a file that was
    written for another version of the pipeline, is noted.

    Raises:
        InputError: there is no such schedule, or the same one is asked for twice.
    """
    known = known_schedules(subject, workspace, machine)
    asked_for = [each for each in asked if each is not None and each not in known]
    by_id = {each: _by_id(each, known, subject, workspace) for each in asked_for}
    with_id = {each: schedule for each, schedule in by_id.items() if schedule is not None}
    files = [called(each) for each in asked_for if each not in with_id]
    found: dict[str, Schedule] = {}
    for each in asked:
        if each is None:
            best = workspace.best(subject.spec, machine)
            name, schedule = best.name, best.schedule
            for note in best.notes:
                progress.note(f"{subject.spec.name}: {note}")
        elif each in known:
            name, schedule = each, known[each]
        elif each in with_id:
            name, schedule = each, with_id[each]
        else:
            taken = called(each) in known or files.count(called(each)) > 1
            name, schedule = each if taken else called(each), _read(each, known, subject, progress)
        if name in found:
            todo = "name another one, or leave out one of them"
            raise InputError("the same schedule is asked for twice", where=name, todo=todo)
        found[name] = schedule
    return found


def check_files(subjects: Sequence[Subject], asked: Sequence[str]) -> None:
    """Raises an `InputError`, before anything is done, for a file that is no schedule of one of these."""
    for subject in subjects:
        for each in asked:
            if Path(each).is_file():
                read_for(Path(each), subject.spec)


def unknown_schedules(
    subject: Subject, asked: Sequence[str], workspace: Workspace, machine: MachineId
) -> dict[str, Schedule]:
    """The same for who verifies all that have a name anyway: what has none, as people asked for it, and files.

    Raises:
        InputError: as for `choose`.
    """
    known = known_schedules(subject, workspace, machine)
    known |= {record.label: record.schedule for record in workspace.records(subject.spec, machine)}
    ids = {each for each in asked if not Path(each).is_file()}
    chosen = choose(subject, asked, workspace, machine, Silent())
    named = {name for name, each in chosen.items() if name in known or (name in ids and each in known.values())}
    return {name: each for name, each in chosen.items() if name not in named}


def called(file: str | Path) -> str:
    """What the schedule in a file is called: as the file is, up to its first dot."""
    return Path(file).name.partition(".")[0]


def is_known(subject: Subject, asked: str, workspace: Workspace, machine: MachineId) -> bool:
    """True for a file, for an id, and for the name of a schedule that is known on this machine."""
    known = known_schedules(subject, workspace, machine)
    return asked in known or Path(asked).exists() or _by_id(asked, known, subject, workspace) is not None


def _read(file: str, known: Mapping[str, Schedule], subject: Subject, progress: Progress) -> Schedule:
    if Path(file).exists():
        schedule, made_for, _ = read_for(Path(file), subject.spec)
        if made_for not in (None, subject.spec.content_hash):
            other = f"was written for another version, or other sizes, of a pipeline ({made_for[:12]})"
            progress.note(f"{subject.spec.name}: {file} {other}; `hltune compare --schedule` verifies and measures it")
        return schedule
    raise InputError(
        "no such schedule",
        where=file,
        expected=f"a schedule.json, six digits or more of an id's start, or one of {', '.join(known)}",
        found=f"no schedule and no file {file!r}",
        todo=did_you_mean(file, known)
        or "`hltune compare` with the same pipeline finds more of them, and "
        f"`hltune samples best {subject.spec.name}` shows the ids of what was measured",
    )


def read_for(file: Path, spec: PipelineSpec) -> Written:
    """A schedule in a file, if it can be one of this pipeline, whatever that was called when it was written.

    Raises:
        InputError: the file cannot be read or holds none, or it schedules Funcs that this pipeline does not have.
    """
    written = read_written(file)
    named = {each.stage.func for each in written.schedule.directives}
    named |= {each.consumer for each in written.schedule.directives if isinstance(each, InsideLoop)}
    made = {each.intermediate for each in written.schedule.directives if isinstance(each, Rfactor)}
    unknown = sorted(named - made - {each.name for each in spec.funcs})
    if unknown:
        by = "" if written.pipeline in (None, spec.name) else f", in a schedule of {written.pipeline}"
        raise InputError(
            f"this schedule is of another pipeline than {spec.name}",
            where=str(file),
            expected=f"Funcs of {spec.name}: {', '.join(each.name for each in spec.funcs)}",
            found=f"{', '.join(unknown)}{by}",
            todo="name the pipeline that it was written for, with its target, or give a schedule of this one",
        )
    return written


def _by_id(text: str, known: Mapping[str, Schedule], subject: Subject, workspace: Workspace) -> Schedule | None:
    """The schedule whose id begins so, or with what is behind the last dash, as in names such as ``tuned-986a3601``.

    It is one of this pipeline that has a name, or that was measured. None if there is none, or a file of this name.

    Raises:
        InputError: there are several.
    """
    start = start_of_id(text)
    if not START.fullmatch(start) or Path(text).is_file():
        return None
    found = {key: each for each in known.values() if (key := schedule_hash(each)).startswith(start)}
    found |= _measured(start, subject, workspace)
    if len(found) > 1:
        raise several(start, found)
    return next(iter(found.values()), None)


def _measured(start: str, subject: Subject, workspace: Workspace) -> dict[str, Schedule]:
    """Schedules of the pipeline in the store that directives or its author's file say, by their ids."""
    if not workspace.samples.exists():
        return {}
    with Reader(workspace.samples) as reader:
        own = [each for each in reader.find(start) if each.pipeline_hash == subject.spec.content_hash]
    return {
        each.schedule_hash: each.schedule
        for each in own
        if each.schedule is not None and subject.spec.has_base(each.schedule.base)
    }


def known_schedules(subject: Subject, workspace: Workspace, machine: MachineId) -> dict[str, Schedule]:
    """All that have a name: the author's, those of a benchmark, the fastest on record of each finder."""
    known = {name: each.schedule for name, each in subject.known_by_name().items()}
    for record in workspace.records(subject.spec, machine):
        known |= {record.label: record.schedule} if record.name in known else {record.name: record.schedule}
    return known


def other_schedules(
    subject: Subject, workspace: Workspace, machine: MachineId, chosen: Mapping[str, Schedule]
) -> dict[str, Schedule]:
    """The known ones, but for those that are chosen, and all that say the same under another name."""
    found: dict[str, Schedule] = {}
    for name, schedule in known_schedules(subject, workspace, machine).items():
        if name not in chosen and schedule not in (*chosen.values(), *found.values()):
            found[name] = schedule
    return found


def other_names(
    subject: Subject, workspace: Workspace, machine: MachineId, name: str, schedule: Schedule
) -> tuple[str, ...]:
    """By which names it is known as well: what tuning left may be the expert's schedule."""
    label = f"-{schedule_hash(schedule)[:8]}"
    known = known_schedules(subject, workspace, machine)
    return tuple(each for each in known if known[each] == schedule and each != name and not each.endswith(label))


def reference(others: Mapping[str, Schedule], measured: Mapping[str, Measurement]) -> str | None:
    """What people compare with: the author's schedule, or the expert's, or else the fastest on record.

    Args:
        others: as `other_schedules` has them, those on record by their cost.
        measured: what they cost, if they were measured: what failed is passed over.

    Returns:
        Its name; None if none of them works.
    """
    wanted = [name for name in (MANUAL, EXPERT, *others) if name in others and name != DEFAULT]
    working = (name for name in (*wanted, DEFAULT) if name in others and not isinstance(measured.get(name), Failure))
    return next(working, None)
