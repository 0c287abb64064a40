"""Where a command searches and measures: on this computer, or on those of a cluster."""

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hltune.commands.verification import further_schedules
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify, open_machine
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Machine, Session
from hltune.pipeline.target import TargetInfo
from hltune.runtime.progress import Progress
from hltune.runtime.worker import usable_cores
from hltune.search.pool import SearchPool
from hltune.workspace.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What searches and what measures; each is there as long as its own context.

    Attributes:
        pool: starts workers that search and lower.
        machine: opens the machine that measures; an `InputError` if code for the target does not run there.
    """

    pool: Callable[[], SearchPool]
    machine: Callable[[], Machine]


@contextlib.contextmanager
def open_place(
    target: TargetInfo,
    measure: MeasureOptions,
    *,
    cluster: str | None,
    workers: int,
    search_timeout_s: float,
    progress: Progress,
) -> Generator[Place]:
    """A place, as long as the context lasts.

    Args:
        cluster: what `--cluster` says; None for this computer alone.
        workers: on this computer, how many search and compile side by side.
        search_timeout_s: limit on each search.

    Raises:
        InputError: the cluster cannot be used.
    """
    if cluster is None:
        yield Place(
            pool=partial(SearchPool, workers, timeout_s=search_timeout_s),
            machine=partial(open_machine, target, measure, workers=workers),
        )
        return
    from hltune.cluster.requirement import prepare_for

    prepare_for(cluster)
    from hltune.cluster.head import Head  # Ray, which only `--cluster` needs
    from hltune.cluster.machine import ClusterMachine
    from hltune.cluster.node import OpenMachine
    from hltune.cluster.workers import RemoteWorkers

    identity = identify(target, measure)
    progress.phase("starting the nodes of the cluster")
    with Head(cluster, OpenMachine(target=target, options=measure), identity, progress.note) as head:
        yield Place(
            pool=partial(SearchPool, RemoteWorkers(head), timeout_s=search_timeout_s),
            machine=partial(ClusterMachine, head, identity, measure),
        )


def begin_session(machine: Machine, subject: Subject, inputs: Inputs, memory: Path | None) -> Session:
    """Begins with a subject; see `Machine.session`."""
    return machine.session(
        subject.spec,
        inputs,
        numpy_reference=subject.numpy_reference,
        more=further_schedules(subject, machine.identity.threads),
        memory=memory,
    )


@contextlib.contextmanager
def open_session(subject: Subject, measure: MeasureOptions, inputs: Inputs, memory: Path | None) -> Generator[Session]:
    """A session for a subject, on a machine of its own here."""
    with (
        open_machine(subject.target, measure, workers=usable_cores()) as machine,
        begin_session(machine, subject, inputs, memory) as session,
    ):
        yield session
