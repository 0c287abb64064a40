"""Where a command searches and measures: on this computer, or on those of a cluster."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hltune.commands.verification import further_schedules
from hltune.machine.alone import alone
from hltune.machine.inputs import Inputs
from hltune.machine.open import default_threads, identify, measured_on, open_machine, this_computer
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Machine, Session
from hltune.machine.reference import References
from hltune.pipeline.target import HOST, TargetInfo
from hltune.runtime.progress import Progress
from hltune.runtime.worker import usable_cores
from hltune.search.pool import SearchPool
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.workspace.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What searches and what measures; each is there as long as its own context.

    Attributes:
        pool: starts workers that search and lower.
        machine: opens the machine that measures; an `InputError` if code for the target does not run there.
        others: machines of other kinds that measure for themselves at present.
    """

    pool: Callable[[], SearchPool]
    machine: Callable[[], AbstractContextManager[Machine]]
    others: Callable[[], Sequence[Machine]] = tuple


@contextlib.contextmanager
def open_place(
    target: TargetInfo,
    measure: MeasureOptions,
    *,
    cluster: str | None,
    workers: int,
    search_timeout_s: float,
    progress: Progress,
    lanes: int | None = None,
    others: str | None = None,
) -> Generator[Place]:
    """A place, as long as the context lasts.

    Args:
        cluster: what `--cluster` says; None for this computer alone.
        workers: on this computer, how many search and compile side by side.
        lanes: how many of them measure, if not as many: each has all images in memory.
        search_timeout_s: limit on each search.
        others: what the user called the target, where computers of other kinds measure for themselves; else None.

    Raises:
        InputError: the cluster cannot be used.
    """
    if cluster is None:
        yield Place(
            pool=partial(SearchPool, workers, timeout_s=search_timeout_s),
            machine=partial(_open_alone, target, measure, lanes or workers, progress),
        )
        return
    from hltune.cluster.requirement import prepare_for

    prepare_for(cluster)
    from hltune.cluster.head import Head  # Ray, which only `--cluster` needs
    from hltune.cluster.machine import ClusterMachine
    from hltune.cluster.node import OpenForItself, OpenMachine
    from hltune.cluster.workers import RemoteWorkers

    identity = identify(target, measure)
    progress.phase("starting the nodes of the cluster")
    opener = OpenMachine(target=target, options=measure)
    if others is not None:
        usual = measure.elsewhere.threads if measure.elsewhere else default_threads(others)
        usual_threads = measure.threads == usual
        opener = OpenForItself(target=target, options=measure, asked=others, usual_threads=usual_threads)
    where = "here" if measure.elsewhere is None else "by --machine"
    with Head(cluster, opener, identity, progress.note, others=others is not None, place=where) as head:
        yield Place(
            pool=partial(SearchPool, RemoteWorkers(head), timeout_s=search_timeout_s),
            machine=partial(ClusterMachine, head, identity, measure),
            others=lambda: [ClusterMachine(head, each, measure) for each in head.others()],
        )


@contextlib.contextmanager
def _open_alone(target: TargetInfo, measure: MeasureOptions, workers: int, progress: Progress) -> Generator[Machine]:
    """Nodes of clusters leave this computer alone meanwhile, if it is timed; that somebody else times here is told."""
    with contextlib.ExitStack() as stack:
        machine = stack.enter_context(open_machine(target, measure, workers=workers))
        if target.machine == HOST and not stack.enter_context(alone()):
            progress.note(
                "another hltune measures on this computer, or a node of a cluster: the times of both are too long; "
                "measure again when it has ended"
            )
        yield machine


def find_computers(cluster: str, text: str, target: str, progress: Progress) -> MachineId | None:
    """The computers of a cluster that `--machine` names; None if this one is of their kind.

    Args:
        text: the beginning of their key, or a part of their name.
        target: what the user called it.

    Raises:
        InputError: there is no such cluster, none or several kinds are called so, or the target is emulated.
    """
    if measured_on(target) != HOST:
        raise InputError(
            "what is emulated costs the same on all computers",
            where=f"--target {target}",
            found=f"--machine {text}",
            todo="leave --machine out",
        )
    from hltune.cluster.requirement import prepare_for

    prepare_for(cluster)
    from hltune.cluster.kinds import named
    from hltune.cluster.survey import survey  # Ray, which only `--cluster` needs

    progress.phase("asking the computers of the cluster what they are")
    found = named(text, survey(cluster, progress.note))
    return None if found == this_computer() else found


def begin_session(machine: Machine, subject: Subject, inputs: Inputs, memory: Path | None) -> Session:
    """Begins with a subject; see `Machine.session`."""
    more = further_schedules(subject, machine.identity.threads)
    return machine.session(subject.spec, inputs, References(numpy=subject.numpy_reference, more=more, memory=memory))


@contextlib.contextmanager
def open_session(
    subject: Subject,
    measure: MeasureOptions,
    inputs: Inputs,
    memory: Path | None,
    progress: Progress,
    *,
    cluster: str | None = None,
) -> Generator[Session]:
    """A session for a subject, where nothing is searched; see `open_place`."""
    with (
        open_place(
            subject.target, measure, cluster=cluster, workers=usable_cores(), search_timeout_s=0.0, progress=progress
        ) as place,
        place.machine() as machine,
        begin_session(machine, subject, inputs, memory) as session,
    ):
        yield session
