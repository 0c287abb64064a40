"""The lowered programs of one pipeline: of what was measured, as the history keeps them, and of drafts, in memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from hltune.lowered.features import WHOLE
from hltune.lowered.job import REFUSED, Lowering
from hltune.lowered.many import features_of_each
from hltune.machine.sensitivity import every_func_at_root
from hltune.runtime.worker import AnyWorker
from hltune.tuning.known import Known
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.program_features import ProgramFeatures

LONGEST_S = 10.0
"""What takes longer to lower takes far longer to compile."""
_LEAST_LONGEST_S, _LONGER = 2.0, 8.0
"""The same of what takes so many times as long as others do, where that is less."""
_MOST_LEFT = 2000
"""Programs in memory that nobody has measured."""
_AT_A_TIME = 256
_SPARE, _MANY = 2.0, 10_000
"""So many times as many drafts are made as there seems to be time for lowering."""
_STACK = WHOLE.index("stack_bytes")


@dataclass(slots=True)
class LoweredPrograms:
    """Programs by the hash of their schedule: those in memory are items.

    Attributes:
        stack_limit_bytes: of all buffers of a draft that are not on the heap. Threads may have half a megabyte of
            stack, some have less, and a process that runs out of it dies, here or in the user's hands.
        refused: what Halide refuses to lower, takes too long to, or needs too large a stack.
    """

    lowering: Lowering
    workers: Sequence[AnyWorker]
    history: Known
    stack_limit_bytes: int = 256 << 10
    refused: set[str] = field(default_factory=set[str])
    _unread: set[str] = field(default_factory=set[str])
    _stored: dict[str, str] = field(init=False)
    """Hashes of the programs that the history keeps; it may be ten thousands, and takes their features when asked."""
    _programs: dict[str, ProgramFeatures] = field(default_factory=dict[str, ProgramFeatures])
    """Those in memory."""
    _each_s: float | None = None

    def __post_init__(self) -> None:
        self._stored = self.history.program_hashes()

    def __contains__(self, key: str) -> bool:
        return key in self._programs

    def __getitem__(self, key: str) -> ProgramFeatures:
        return self._programs[key]

    def root(self) -> ProgramFeatures | None:
        """The program that computes every Func at root; None if it takes too long, or cannot be read."""
        root = {"": every_func_at_root(self.lowering.spec)}
        (found,) = (each for _, each in features_of_each(self.lowering, root, self.workers[:1]))
        return found if isinstance(found, ProgramFeatures) else None

    def lower(self, schedules: Mapping[str, Schedule], *, end_s: float) -> None:
        """Lowers those that are not known, on all cores, until a time of the monotonic clock; reads what was kept."""
        self.load(schedules)
        self._lower_new(schedules, end_s=end_s)

    def lower_measured(self, keys: Collection[str], *, end_s: float) -> None:
        """Lowers those that are not, some at a time, for schedules take time to read, too; keeps their features."""
        seen = self._stored.keys() | self._programs.keys() | self.refused | self._unread
        new = iter([key for key in keys if key not in seen])
        while (some := [*islice(new, _AT_A_TIME)]) and time.monotonic() < end_s:
            self._lower_new(self.history.schedules(some), end_s=end_s)
        kept = {key: self._programs[key] for key in keys if key in self._programs and key not in self._stored}
        self.history.keep_programs(kept)
        self._stored |= {key: each.program_hash for key, each in kept.items()}

    def stored(self, keys: Iterable[str]) -> list[str]:
        """Those of these that the history keeps."""
        return [key for key in keys if key in self._stored]

    def load(self, keys: Collection[str]) -> list[str]:
        """Reads features of programs that were kept; what is damaged is lowered again. Returns those in memory."""
        there = self._programs.keys() | self.refused
        wanted = [key for key in keys if key in self._stored and key not in there]
        found = self.history.programs(wanted) if wanted else {}
        self._programs |= found
        for key in wanted:
            if key not in found:
                del self._stored[key]
        return [key for key in keys if key in self._programs]

    def forget(self, keys: Iterable[str]) -> None:
        """Forgets programs in memory: a better ranker may think otherwise of them."""
        for key in keys:
            del self._programs[key]

    def forget_all_but(self, learned: Collection[str]) -> None:
        """Forgets programs that can be read again, and the oldest ones that nobody has measured."""
        left = [key for key in self._programs if key not in self._stored][-_MOST_LEFT:]
        kept = {*learned, *left}
        self._programs = {key: each for key, each in self._programs.items() if key in kept}

    def refuse_large_stacks(self, keys: Iterable[str]) -> None:
        """Of these, what needs too large a stack."""
        programs = self._programs
        large = [key for key in keys if key in programs and programs[key].whole[_STACK] > self.stack_limit_bytes]
        self.forget(large)
        self.refused.update(large)

    def new(self, keys: Iterable[str]) -> list[str]:
        """Those in memory, of equal programs the first, and none that comes to what was measured."""
        hashes = self._stored | {key: each.program_hash for key, each in self._programs.items()}
        measured = {each for key, each in hashes.items() if key in self.history}
        new: dict[str, str] = {}
        for key in keys:
            if (program := self._programs.get(key)) is not None and program.program_hash not in measured:
                new.setdefault(program.program_hash, key)
        return [*new.values()]

    def untried(self, keys: Iterable[str]) -> list[str]:
        """What could not be read, or was not lowered in time: no worse than a choice at random.

        Where Halide has refused whatever there was, the schedules may not be the cause, and it is all of them.
        """
        refused = self.refused if self._programs or self._stored else set[str]()
        return [key for key in keys if key not in self._programs and key not in refused]

    def failed(self, key: str) -> bool:
        """It was refused, or could not be read."""
        return key in self.refused or key in self._unread

    def as_many_as_lower(self, seconds: float) -> int:
        """How many can be lowered in this time, roughly, or more."""
        return _MANY if self._each_s is None else int(_SPARE * seconds / self._each_s)

    def lowering_s(self, count: int) -> float:
        """How long it takes to lower so many, roughly; 0 as long as nobody knows."""
        return max(0, count) * (self._each_s or 0.0)

    def _lower_new(self, schedules: Mapping[str, Schedule], *, end_s: float) -> None:
        known = self._programs.keys() | self.refused | self._unread
        new = {key: each for key, each in schedules.items() if key not in known}
        began_s, seen = time.monotonic(), 0
        lowering = replace(self.lowering, timeout_s=self._longest_s)
        with contextlib.closing(features_of_each(lowering, new, self.workers, end_s=end_s)) as outcomes:
            for key, outcome in outcomes:
                self._saw(key, outcome)
                seen += 1
        if seen >= len(self.workers) or (seen and self._each_s is None):  # fewer leave some of them idle
            self._each_s = (time.monotonic() - began_s) / seen

    @property
    def _longest_s(self) -> float:
        if self._each_s is None:
            return LONGEST_S
        return min(LONGEST_S, max(_LEAST_LONGEST_S, _LONGER * self._each_s * len(self.workers)))

    def _saw(self, key: str, outcome: ProgramFeatures | Failure) -> None:
        if isinstance(outcome, ProgramFeatures):
            self._programs[key] = outcome
        elif key in self.history or (outcome.kind == "error" and outcome.stage != REFUSED):
            self._unread.add(key)  # what was measured was compiled
        else:  # what takes that long to lower, or dies of it, does so all the more when it is compiled
            self.refused.add(key)
