"""Processes that search schedules, many searches side by side: the one way to run an autoscheduler."""

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from hltune.cost_model.adams2019.weights import Weights, weights_hash, write_weights
from hltune.runtime.files import ScratchFolder
from hltune.runtime.worker import AnyRunning, AnyWorker, Worker, memory_share_bytes, run_all
from hltune.search.autoschedulers import SearchOptions
from hltune.search.jobs import ENVIRONMENT, SearchJob
from hltune.values.candidate import Candidate
from hltune.values.errors import Failure
from hltune.values.pipeline import PipelineSpec

Outcome = Candidate | Failure

_RECYCLED_AFTER = 300
"""Jobs that one process runs, some of which are a dozen searches: Halide never gives all memory back."""


def search_worker(beside: int) -> Worker:
    """A process that searches, one of so many that share the memory."""
    return Worker(
        environment=ENVIRONMENT,
        preload=("halide",),
        recycle_after=_RECYCLED_AFTER,
        memory_bytes=memory_share_bytes(beside),
    )


class SearchPool:
    """Searches for any number of pipelines. Used by one thread; leaving the context ends its processes.

    Args:
        workers: so many processes of its own, or those of somebody else, of which there may be more in time.
        timeout_s: limit on each search.
    """

    def __init__(self, workers: int | Sequence[AnyWorker], *, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        with contextlib.ExitStack() as stack:
            self._scratch = Path(stack.enter_context(ScratchFolder()))
            if isinstance(workers, int):
                workers = [stack.enter_context(search_worker(workers)) for _ in range(workers)]
            self.workers = workers
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __len__(self) -> int:
        return len(self.workers)

    def begin(
        self,
        worker: AnyWorker,
        spec: PipelineSpec,
        target: str,
        searches: tuple[SearchOptions, ...],
        *,
        timeout_s: float,
    ) -> AnyRunning[tuple[Outcome, ...]]:
        """Has one of its processes begin with searches, in one job, and returns; the limit is on all together."""
        return worker.start(SearchJob(spec=spec, target=target, searches=searches, timeout_s=timeout_s, together=True))

    def run(
        self, spec: PipelineSpec, target: str, searches: Sequence[SearchOptions], *, timeout_s: float = math.inf
    ) -> list[Outcome]:
        """Runs searches that each take a while; returns what they found, in their order."""
        groups = [(search,) for search in searches]
        return [outcome for (outcome,) in self.run_groups(spec, target, groups, timeout_s=timeout_s)]

    def run_groups(
        self,
        spec: PipelineSpec,
        target: str,
        groups: Sequence[tuple[SearchOptions, ...]],
        *,
        timeout_s: float = math.inf,
    ) -> list[tuple[Outcome, ...]]:
        """Runs groups of short searches, each in one job; a crash loses the others of its group.

        The limit on each search is that of the pool, or the lower one that is given.
        """
        limit_s = min(timeout_s, self.timeout_s)
        jobs = [SearchJob(spec=spec, target=target, searches=group, timeout_s=limit_s) for group in groups]
        outcomes = run_all(jobs, self.workers)
        return [
            (outcome,) * len(group) if isinstance(outcome, Failure) else outcome
            for group, outcome in zip(groups, outcomes, strict=True)
        ]

    def weights_file(self, weights: Weights) -> Path:
        """A file of weights for the plugin; it lasts until `forget_weights`, or as long as the pool."""
        path = self._scratch / f"{weights_hash(weights)}.weights"
        write_weights(path, weights)
        return path

    def forget_weights(self) -> None:
        """Removes the files of weights, which no later search will ask for."""
        for file in self._scratch.glob("*.weights"):
            file.unlink()
