"""Features of many schedules of one pipeline, on several workers."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from hltune.lowered.job import FeaturesJob, Lowering
from hltune.runtime.worker import AnyWorker, run_each
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.program_features import ProgramFeatures

_TOGETHER, _JOB_S = 8, 0.3
"""Schedules of a job at most, and about how long it should take: a crash loses the others of its job."""


def features_of_each(
    lowering: Lowering, schedules: Mapping[str, Schedule], workers: Sequence[AnyWorker], *, end_s: float = math.inf
) -> Generator[tuple[str, ProgramFeatures | Failure]]:
    """Lowers schedules side by side, and yields what came of each by its key; see `hltune.lowered.job.read`.

    Begins nothing after `end_s` of the monotonic clock. What dies takes no other schedule with it: the others of its
    job are lowered once more, one by one.
    """
    lost: list[str] = []
    for keys, outcomes in _run(lowering, schedules, workers, _TOGETHER, end_s):
        if isinstance(outcomes, Failure) and len(keys) > 1:
            lost += keys
        else:
            yield from _of_each(keys, outcomes)
    for keys, outcomes in _run(lowering, {key: schedules[key] for key in lost}, workers, 1, end_s):
        yield from _of_each(keys, outcomes)


def _of_each(
    keys: Sequence[str], outcomes: Sequence[ProgramFeatures | Failure] | Failure
) -> Iterator[tuple[str, ProgramFeatures | Failure]]:
    if isinstance(outcomes, Failure):
        yield from ((key, replace(outcomes, stage="read")) for key in keys)
    else:
        yield from zip(keys, outcomes, strict=True)


def _run(
    lowering: Lowering, schedules: Mapping[str, Schedule], workers: Sequence[AnyWorker], most: int, end_s: float
) -> Generator[tuple[tuple[str, ...], tuple[ProgramFeatures | Failure, ...] | Failure]]:
    """Jobs of so many schedules at most, by their keys; a Failure if the job as a whole has failed."""
    waiting = iter(schedules.items())
    each_s = _JOB_S  # one makes a job, as long as nobody knows how long it takes
    began_s, done = time.monotonic(), 0

    def jobs() -> Iterator[tuple[tuple[str, ...], FeaturesJob]]:
        while time.monotonic() < end_s:
            group = tuple(islice(waiting, max(1, min(most, int(_JOB_S / each_s)))))
            if not group:
                return
            job = FeaturesJob(lowering=lowering, schedules=tuple(each for _, each in group))
            yield tuple(key for key, _ in group), job

    with contextlib.closing(run_each(jobs(), workers)) as results:
        for keys, outcomes in results:
            done += len(keys)
            each_s = (time.monotonic() - began_s) * len(workers) / done
            yield keys, outcomes
