"""What the lowered programs of a pipeline's schedules tell, read by workers."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hltune.lowered.account import Account, AccountJob
from hltune.lowered.job import Lowering
from hltune.lowered.readable import Readable, ReadableJob
from hltune.machine.sensitivity import every_func_at_root
from hltune.runtime.worker import AnyWorker, run_each
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.workspace.subject import Subject

_READABLE_S = 30.0
"""Limit on finding out how a person would write one schedule."""


class Accounts:
    """Reads lowered programs of one pipeline."""

    def __init__(self, subject: Subject, cores: int, workers: Sequence[AnyWorker]) -> None:
        self._lowering = Lowering(spec=subject.spec, target=subject.target, cores=cores)
        self._workers = workers

    def root(self) -> Account | Failure:
        """Of the program that computes every Func once, in full."""
        return self.of({"": every_func_at_root(self._lowering.spec)}, end_s=math.inf)[""]

    def of(self, schedules: Mapping[str, Schedule], *, end_s: float) -> dict[str, Account | Failure]:
        """By the keys of the schedules; those are missing that were not begun until a time of the monotonic clock."""

        def jobs() -> Iterator[tuple[str, AccountJob]]:
            for key, schedule in schedules.items():
                if time.monotonic() < end_s:
                    yield key, AccountJob(lowering=self._lowering, schedule=schedule)

        return dict(run_each(jobs(), self._workers))

    def readable(self, schedules: Mapping[str, Schedule]) -> dict[str, Schedule]:
        """As a person would write them; as they are, where nobody can tell in time that it is the same program."""
        first = ReadableJob(
            spec=self._lowering.spec,
            schedule=Schedule(),
            target=self._lowering.target,
            with_loops=False,
            limit_s=_READABLE_S,
        )
        jobs = ((name, replace(first, schedule=each)) for name, each in schedules.items())
        found = dict(run_each(jobs, self._workers))
        return {
            name: each.schedule if isinstance(each := found[name], Readable) else schedule
            for name, schedule in schedules.items()
        }
