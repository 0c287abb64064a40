"""What the best schedules of a pipeline spend where, and what an expert would change of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import NamedTuple

from hltune.lowered.account import Account, AccountJob
from hltune.lowered.job import Lowering
from hltune.machine.sensitivity import every_func_at_root
from hltune.runtime.worker import AnyWorker, run_each
from hltune.search.case import Case
from hltune.search.mutation import Parent
from hltune.search.remedied import moved, padded, remedied
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.schedule_codec import schedule_hash

_BEST = 3
"""Parents that are worth reading."""
_LEAST_LIMIT_S = 2.0
"""Limit on lowering a program, and on reading it, however little time there is: exceeding it ends the process."""
_ROOT = ""


class _Read(NamedTuple):
    """A schedule whose program was read, and those of its remedies and moves that nobody has asked for yet."""

    case: Case
    remedies: Iterator[tuple[str, Candidate]]
    moves: Iterator[tuple[str, Candidate]]


@dataclass(slots=True, kw_only=True)
class Cases:
    """Reads the programs of the best schedules, a few in each round: each takes as long as a draft to lower, or two.

    Attributes:
        lowering: how.
        free: Funcs whose directives may change; None if all are.
        caches, counted: see `Case`.
    """

    lowering: Lowering
    workers: Sequence[AnyWorker]
    free: Set[str] | None = None
    caches: tuple[int, ...] = ()
    counted: bool = False
    _root: Account | None = None
    _tried: set[str] = field(default_factory=set[str])
    _read: dict[str, _Read] = field(default_factory=dict[str, _Read])

    def read(self, parents: Sequence[Parent], *, end_s: float) -> None:
        """Reads the best of these that nobody has tried to, one with each worker, until a time of the monotonic clock.

        What can be said of any of them takes the program that computes every Func at root, which is read first.
        """
        if self._root is None and _ROOT in self._tried:
            return
        best = [each.schedule for each in parents if each.schedule.base is None][:_BEST]
        wanted = {_ROOT: every_func_at_root(self.lowering.spec), **{schedule_hash(each): each for each in best}}
        new = {key: each for key, each in wanted.items() if key not in self._tried}
        count = max(len(self.workers), 1 + (_ROOT in new))
        found = self._accounts(dict(islice(new.items(), count)), end_s)
        self._root = found.pop(_ROOT, self._root)
        if self._root is None:
            return
        kept = {schedule_hash(each.schedule) for each in parents}
        self._read = {key: each for key, each in self._read.items() if key in kept}
        for key, account in found.items():
            case = self._case(wanted[key], account, self._root)
            self._read[key] = _Read(case, remedied(case, self.free), moved(case, self.free))

    def shares(self, parents: Sequence[Parent]) -> Mapping[str, float] | None:
        """What each Func takes of the time in the best of these that was read; None if none was."""
        return next((each.case.shares for each in self._known(parents)), None)

    def remedies(self, parents: Sequence[Parent]) -> Iterator[tuple[str, Candidate]]:
        """Changes of these that address their faults, those of the best one first; none comes twice in a run."""
        return chain.from_iterable(each.remedies for each in self._known(parents))

    def padded(self, parents: Sequence[Parent]) -> Iterator[tuple[str, Candidate]]:
        """The same of changes that keep memory from going back to the system, and nothing else."""
        return chain.from_iterable(padded(each.case) for each in self._known(parents))

    def moves(self, parents: Sequence[Parent]) -> Iterator[tuple[str, Candidate]]:
        """The same of changes of what is computed in whose loops."""
        return chain.from_iterable(each.moves for each in self._known(parents))

    def _known(self, parents: Sequence[Parent]) -> Iterator[_Read]:
        keys = (schedule_hash(each.schedule) for each in parents)
        return (self._read[key] for key in keys if key in self._read)

    def _accounts(self, schedules: Mapping[str, Schedule], end_s: float) -> dict[str, Account]:
        """Of those that can be read, by their keys."""
        limit_s = min(self.lowering.timeout_s, max(_LEAST_LIMIT_S, end_s - time.monotonic()))
        lowering = replace(self.lowering, timeout_s=limit_s)

        def jobs() -> Iterator[tuple[str, AccountJob]]:
            for key, schedule in schedules.items():
                if time.monotonic() < end_s:
                    self._tried.add(key)
                    yield key, AccountJob(lowering=lowering, schedule=schedule)

        return {key: each for key, each in run_each(jobs(), self.workers) if isinstance(each, Account)}

    def _case(self, schedule: Schedule, account: Account, root: Account) -> Case:
        lowering = self.lowering
        return Case(
            spec=lowering.spec,
            schedule=schedule,
            account=account,
            root=root,
            cores=lowering.cores,
            vector_bytes=lowering.target.vector_bytes,
            caches=self.caches,
            counted=self.counted,
        )
