"""Several workers at once."""

import contextlib
import math
import time
from collections.abc import Generator, Iterable, Sequence
from multiprocessing.connection import wait
from typing import Any, TypeVar

from hltune.runtime.worker.anywhere import AnyRunning, AnyWorker
from hltune.runtime.worker.messages import LONGEST_WAIT_S, Job
from hltune.values.errors import Failure, JobFailed

R = TypeVar("R")
K = TypeVar("K")
A = TypeVar("A", bound=AnyRunning[Any])

LOOK_S = 1.0
"""How soon those who wait for jobs give work to workers that have come meanwhile."""


def run_each(jobs: Iterable[tuple[K, Job[R]]], workers: Sequence[AnyWorker]) -> Generator[tuple[K, R | Failure]]:
    """Runs jobs side by side, each on the next worker that is free, and yields results by their keys as they are done.

    Jobs are asked for when a worker is free; there may be more workers from one moment to the next. Errors of ours that
    a job raises are raised here. Whoever leaves early leaves no worker busy. What failed by chance is run once more in
    the end, one job after the other.
    """
    waiting = iter(jobs)
    busy: dict[AnyRunning[R], tuple[K, Job[R]]] = {}
    unlucky: list[tuple[K, Job[R]]] = []
    known = 0

    def start_next(worker: AnyWorker) -> None:
        following = next(waiting, None)
        if following is not None:
            _, job = following
            busy[worker.start(job)] = following

    try:
        while True:
            for worker in workers[known:]:
                start_next(worker)
                known += 1
            if not busy:
                break
            if (running := first_ended(list(busy), timeout_s=LOOK_S)) is None:
                continue
            key, job = busy.pop(running)
            result = _outcome(running)
            start_next(running.worker)
            if isinstance(result, Failure) and result.by_chance:
                unlucky.append((key, job))
            else:
                yield key, result
        for key, job in unlucky:
            busy[running := workers[0].start(job)] = key, job
            result = _outcome(running)
            del busy[running]
            yield key, result
    finally:
        for running in busy:
            running.cancel()


def _outcome(running: AnyRunning[R]) -> R | Failure:
    try:
        return running.result()
    except JobFailed as failed:
        return failed.failure


def run_all(jobs: Sequence[Job[R]], workers: Sequence[AnyWorker]) -> list[R | Failure]:
    """`run_each`, with the results of all jobs in the order of the jobs."""
    results = dict(run_each(enumerate(jobs), workers))
    return [results[number] for number in range(len(jobs))]


def wait_any(running: Sequence[A]) -> A:
    """Waits until one of these jobs has ended or exceeded its limit."""
    while (found := first_ended(running, timeout_s=math.inf)) is None:
        pass
    return found


def first_ended(running: Sequence[A], *, timeout_s: float) -> A | None:
    """The first of these jobs that has ended or exceeded its limit; None if none has in time."""
    end_s = time.monotonic() + timeout_s
    while True:
        for each in running:
            if each.done():
                return each
        if (left_s := end_s - time.monotonic()) <= 0:
            return None
        wait(
            [each.connection for each in running],
            timeout=min(left_s, LONGEST_WAIT_S, *(each.remaining_s() for each in running)),
        )


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
