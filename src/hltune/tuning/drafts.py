"""Mutants before they are measured: many are lowered, which takes no LLVM, and the most promising are kept.

What Halide refuses to lower is never measured, and neither is what comes to a program that was. The ranker learns from
the programs of this pipeline that were measured.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hltune.cost_model.acquisition import choose
from hltune.cost_model.ranker import Programs, Ranker, fit
from hltune.cost_model.scorer import Validation
from hltune.lowered.job import REFUSED
from hltune.lowered.many import Lowering, features_of_each
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Worker
from hltune.search.mutation import Parent
from hltune.tuning.history import History
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import PipelineSpec
from hltune.values.program_features import ProgramFeatures
from hltune.values.schedule_codec import schedule_hash

_LEAST_MEASURED = 16
"""Programs that a ranker learns from at least; before, drafts are kept at random."""
_PER_MUTANT = 10
"""Drafts for every mutant that is wanted, if there is time."""
_SPARE = 1.5
"""The same before there is a ranker: Halide refuses some, and others are known."""
_GENERATIONS = 2
"""Drafts of the later ones change drafts, which nobody has measured."""
_PROMISING = 8
"""Drafts that the next generation changes."""
_LONGEST_S = 10.0
"""What takes longer to lower takes far longer to compile."""

Make = Callable[[Sequence[Parent], int, Callable[[str], bool]], dict[str, Candidate]]
"""Makes so many new mutants of the known schedules and of these further parents; the last tells what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What came of drafts.

    Attributes:
        chosen: mutants to measure, by the hash of their schedule.
        made: how many drafts there were.
        lowered: how many of these Halide accepted.
        refused: how many it did not.
    """

    chosen: dict[str, Candidate]
    made: int = 0
    lowered: int = 0
    refused: int = 0


@dataclass(slots=True)
class Drafts:
    """The lowered programs of one pipeline, and the ranker that learns from those that were measured."""

    spec: PipelineSpec
    target: TargetInfo
    cores: int
    workers: Sequence[Worker]
    history: History
    _programs: dict[str, ProgramFeatures] = field(init=False)
    _stored: set[str] = field(init=False)
    _lowering: Lowering = field(init=False)
    _refused: set[str] = field(default_factory=set[str])
    _unread: set[str] = field(default_factory=set[str])
    _ranker: Ranker | None = None

    def __post_init__(self) -> None:
        self._programs = self.history.programs()
        self._stored = set(self._programs)
        self._lowering = Lowering(spec=self.spec, target=self.target, cores=self.cores, timeout_s=_LONGEST_S)

    @property
    def validation(self) -> Validation | None:
        """How well the ranker orders what it has not seen; None as long as there is none."""
        return self._ranker and self._ranker.validation

    def learn(self, *, end_s: float) -> None:
        """Lowers what was measured and is not lowered yet, until a time, keeps its features, and learns."""
        measured = {schedule_hash(each.schedule): each for each in self.history.measured()}
        self._lower({key: each.schedule for key, each in measured.items()}, end_s=end_s)
        known = [key for key in measured if key in self._programs]
        for key in known:
            if key not in self._stored:
                self.history.keep_program(key, self._programs[key])
                self._stored.add(key)
        if len(known) >= _LEAST_MEASURED:
            programs = Programs.of([self._programs[key] for key in known], cores=self.cores)
            self._ranker = fit(programs, np.array([measured[key].cost for key in known]), seed=len(known))

    def choose(
        self, make: Make, wanted: int, *, random_share: float, rng: np.random.Generator, end_s: float
    ) -> Drafted:
        """Makes drafts until a time of the monotonic clock, and chooses as many as are wanted."""
        generations = 1 if self._ranker is None else _GENERATIONS
        count = round(wanted * (_SPARE if self._ranker is None else _PER_MUTANT / generations))
        drafts: dict[str, Candidate] = {}
        refused = len(self._refused)

        def known(key: str) -> bool:
            return key in drafts or key in self._refused or key in self._unread

        for number in range(generations):
            made = make(self._promising(drafts), count, known)
            left_s = max(0.0, end_s - time.monotonic()) / (generations - number)
            self._lower({key: each.schedule for key, each in made.items()}, end_s=time.monotonic() + left_s)
            drafts.update(made)
        lowered = [key for key in drafts if key in self._programs]
        chosen = self._ranked(self._new(drafts), wanted, random_share, rng)
        chosen += self._untried(drafts)[: wanted - len(chosen)]
        for key in set(lowered).difference(chosen):  # a better ranker may think otherwise of it
            del self._programs[key]
        return Drafted(
            chosen={key: drafts[key] for key in chosen},
            made=len(drafts),
            lowered=len(lowered),
            refused=len(self._refused) - refused,
        )

    def _new(self, drafts: Iterable[str]) -> list[str]:
        """Those that were lowered, of equal programs the first, and none that comes to what was measured."""
        measured = {self._programs[key].text_hash for key in self._programs if key in self.history}
        new: dict[str, str] = {}
        for key in drafts:
            if (program := self._programs.get(key)) is not None and program.text_hash not in measured:
                new.setdefault(program.text_hash, key)
        return [*new.values()]

    def _untried(self, drafts: Iterable[str]) -> list[str]:
        """What could not be read, or was not lowered in time: no worse than a choice at random.

        Where Halide has refused whatever there was, the schedules may not be the cause, and it is all of them.
        """
        refused = self._refused if self._programs else set[str]()
        return [key for key in drafts if key not in self._programs and key not in refused]

    def _ranked(self, keys: Sequence[str], wanted: int, random_share: float, rng: np.random.Generator) -> list[str]:
        if self._ranker is None or not keys:
            return list(keys[:wanted])
        programs = [self._programs[key] for key in keys]
        scores = self._ranker(Programs.of(programs, cores=self.cores))
        texts = [each.text_hash for each in programs]
        return [keys[number] for number in choose(scores, texts, wanted, random_share=random_share, rng=rng)]

    def _promising(self, drafts: Mapping[str, Candidate]) -> list[Parent]:
        """The drafts that the ranker thinks most of, with the costs that it predicts."""
        keys = self._new(drafts)
        if self._ranker is None or not keys:
            return []
        mean = self._ranker(Programs.of([self._programs[key] for key in keys], cores=self.cores)).mean
        best = np.argsort(mean)[:_PROMISING]
        return [Parent(drafts[keys[number]].schedule, float(np.exp(mean[number]))) for number in best]

    def _lower(self, schedules: Mapping[str, Schedule], *, end_s: float) -> None:
        """Lowers those that are not known, on all cores, until a time of the monotonic clock."""
        known = self._programs.keys() | self._refused | self._unread
        new = {key: each for key, each in schedules.items() if key not in known}
        with contextlib.closing(features_of_each(self._lowering, new, self.workers, end_s=end_s)) as outcomes:
            for key, outcome in outcomes:
                self._saw(key, outcome)

    def _saw(self, key: str, outcome: ProgramFeatures | Failure) -> None:
        if isinstance(outcome, ProgramFeatures):
            self._programs[key] = outcome
        elif outcome.kind == "error" and outcome.stage == REFUSED:
            self._refused.add(key)
        else:
            self._unread.add(key)
