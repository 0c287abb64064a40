"""Where a command searches and measures: on this computer, or on those of a cluster."""

import contextlib
from dataclasses import dataclass

from hltune.machine.open import identify, open_machine
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Machine
from hltune.pipeline.target import TargetInfo
from hltune.runtime.progress import Progress
from hltune.search.pool import SearchPool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A machine that measures, and workers that search."""

    machine: Machine
    pool: SearchPool


def open_place(
    stack: contextlib.ExitStack,
    target: TargetInfo,
    measure: MeasureOptions,
    *,
    cluster: str | None,
    workers: int,
    search_timeout_s: float,
    progress: Progress,
) -> Place:
    """Opens it for as long as the stack lasts.

    Args:
        cluster: what `--cluster` says; None for this computer alone.
        workers: on this computer, how many search and compile side by side.

    Raises:
        InputError: code for the target does not run here, or the cluster cannot be used.
    """
    if cluster is None:
        machine = stack.enter_context(open_machine(target, measure, workers=workers))
        return Place(machine=machine, pool=stack.enter_context(SearchPool(workers, timeout_s=search_timeout_s)))
    from hltune.cluster.head import Head  # Ray, which only `--cluster` needs
    from hltune.cluster.machine import ClusterMachine
    from hltune.cluster.node import OpenMachine
    from hltune.cluster.workers import RemoteWorkers

    identity = identify(target, measure)
    progress.phase("starting the nodes of the cluster")
    head = stack.enter_context(Head(cluster, OpenMachine(target=target, options=measure), identity, progress.note))
    pool = stack.enter_context(SearchPool(RemoteWorkers(head), timeout_s=search_timeout_s))
    return Place(machine=ClusterMachine(head, identity, measure), pool=pool)
