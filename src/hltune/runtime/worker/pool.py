"""Several workers at once."""

import contextlib
import time
from collections.abc import Generator, Iterable, Sequence
from multiprocessing.connection import wait
from typing import Any, TypeVar

from hltune.runtime.worker.anywhere import AnyRunning, AnyWorker
from hltune.runtime.worker.messages import Job
from hltune.values.errors import Failure, JobFailed

R = TypeVar("R")
K = TypeVar("K")
A = TypeVar("A", bound=AnyRunning[Any])


def run_each(jobs: Iterable[tuple[K, Job[R]]], workers: Sequence[AnyWorker]) -> Generator[tuple[K, R | Failure]]:
    """Runs jobs side by side, each on the next worker that is free, and yields results by their keys as they are done.

    Jobs are asked for when a worker is free. Errors of ours that a job raises are raised here. Whoever leaves early
    leaves no worker busy.
    """
    waiting = iter(jobs)
    busy: dict[AnyRunning[R], K] = {}

    def start_next(worker: AnyWorker) -> None:
        following = next(waiting, None)
        if following is not None:
            key, job = following
            busy[worker.start(job)] = key

    try:
        for worker in workers:
            start_next(worker)
        while busy:
            running = wait_any(list(busy))
            key = busy.pop(running)
            try:
                result: R | Failure = running.result()
            except JobFailed as failed:
                result = failed.failure
            start_next(running.worker)
            yield key, result
    finally:
        for running in busy:
            running.cancel()


def run_all(jobs: Sequence[Job[R]], workers: Sequence[AnyWorker]) -> list[R | Failure]:
    """`run_each`, with the results of all jobs in the order of the jobs."""
    results = dict(run_each(enumerate(jobs), workers))
    return [results[number] for number in range(len(jobs))]


def wait_any(running: Sequence[A]) -> A:
    """Waits until one of these jobs has ended or exceeded its limit."""
    while True:
        for each in running:
            if each.done():
                return each
        wait([each.connection for each in running], timeout=min(each.remaining_s() for each in running))


@contextlib.contextmanager
def paused(workers: Sequence[AnyWorker]) -> Generator[None]:
    """Stops processes while the context lasts, so that they do not disturb a timing; their limits stop as well."""
    stopped_s = time.monotonic()
    try:
        for worker in workers:
            worker.stop()
        yield
    finally:
        for worker in workers:
            worker.proceed(stopped_s=stopped_s)
