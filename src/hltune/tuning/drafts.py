"""Candidates before they are measured: many are lowered, which takes no LLVM, and the most promising are kept.

Most are mutants, called drafts as long as nobody has chosen them; the others are what searches found. What Halide
refuses to lower is never measured, and neither is what needs much stack, nor what comes to a program that was. The
ranker learns from the programs of this pipeline that were measured; before there are enough, one that was pre-trained
takes its place, or T0.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.acquisition import choose
from hltune.cost_model.failing import Failing, fit_failing
from hltune.cost_model.pretrained import Pretrained
from hltune.cost_model.programs import Programs
from hltune.cost_model.ranker import Ranker, Ranks, by_t0, fit
from hltune.cost_model.scorer import Scores, Validation
from hltune.lowered.features import WHOLE
from hltune.lowered.job import REFUSED
from hltune.lowered.many import Lowering, features_of_each
from hltune.machine.sensitivity import every_func_at_root
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import AnyWorker
from hltune.search.mutation import Parent
from hltune.tuning.known import Known, best_and_others, same_share
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import PipelineSpec
from hltune.values.program_features import ProgramFeatures
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import schedule_hash

_LEAST_KNOWN = 3
"""Programs that tell whether a pipeline is like those of pre-training."""
_LEAST_MEASURED = 16
"""Programs that a ranker learns from at least."""
_MOST_LEARNED = 2000
"""Programs that it learns from at most, as many as the network does: the best half, and some of the others."""
_MOST_LEFT = 2000
"""Programs in memory that nobody has measured."""
_AT_A_TIME = 256
_PER_MUTANT = 10
"""Drafts for every mutant that is wanted, if there is time."""
_GENERATIONS = 2
"""Drafts of the later ones change drafts, which nobody has measured."""
_PROMISING = 8
"""Drafts that the next generation changes."""
_LONGEST_S, _LEAST_LONGEST_S, _LONGER = 10.0, 2.0, 8.0
"""What takes longer to lower takes far longer to compile; so many times as long as others do, where that is less."""
_LIKELY = 0.5
_SPARE, _MANY = 2.0, 10_000
"""So many times as many drafts are made as there seems to be time for lowering."""
_STACK = WHOLE.index("stack_bytes")

Make = Callable[[Sequence[Parent], int, Callable[[str], bool]], dict[str, Candidate]]
"""Makes so many new mutants of the known schedules and of these further parents; the last tells what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What came of drafts.

    Attributes:
        chosen: mutants to measure, by the hash of their schedule.
        made: how many drafts there were.
        lowered: how many of these Halide accepted, and we did.
        refused: how many Halide did not, or took too long to, or need more stack than a thread may have.
    """

    chosen: dict[str, Candidate]
    made: int = 0
    lowered: int = 0
    refused: int = 0


class Picked(NamedTuple):
    """Candidates to measure, and those that are as good a choice later, by the hash of their schedule."""

    chosen: dict[str, Candidate]
    left: dict[str, Candidate]


@dataclass(slots=True)
class Drafts:
    """The lowered programs of one pipeline, and the ranker that learns from those that were measured.

    Attributes:
        pretrained: what is known of all programs; None if nothing is.
        stack_limit_bytes: of all buffers of a draft that are not on the heap. Threads may have half a megabyte of
            stack, some have less, and a process that runs out of it dies, here or in the user's hands.
    """

    spec: PipelineSpec
    target: TargetInfo
    cores: int
    workers: Sequence[AnyWorker]
    history: Known
    pretrained: Pretrained | None = None
    stack_limit_bytes: int = 256 << 10
    _stored: dict[str, str] = field(init=False)
    """Hashes of the programs that the history keeps; it may be ten thousands, and takes their features when asked."""
    _programs: dict[str, ProgramFeatures] = field(default_factory=dict[str, ProgramFeatures])
    """Those in memory."""
    _lowering: Lowering = field(init=False)
    _refused: set[str] = field(default_factory=set[str])
    _unread: set[str] = field(default_factory=set[str])
    _ranker: Ranker | None = None
    _failing: Failing | None = None
    _root: ProgramFeatures | None = None
    _root_tried: bool = False
    _unlike: bool | None = None
    _offset: float = 0.0
    _each_s: float | None = None

    def __post_init__(self) -> None:
        self._stored = self.history.program_hashes()
        self._lowering = Lowering(spec=self.spec, target=self.target, cores=self.cores, timeout_s=_LONGEST_S)

    @property
    def validation(self) -> Validation | None:
        """How well the ranker orders what it has not seen; None as long as there is none."""
        return self._ranker and self._ranker.validation

    @property
    def ranks(self) -> Ranks:
        """What orders drafts."""
        return self._ranker or self._start

    @property
    def _start(self) -> Ranks:
        """What is known without measuring this pipeline."""
        if self.pretrained is None or self._root is None:
            return by_t0
        return self.pretrained.scaled_t0 if self.unlike else self.pretrained

    @property
    def _start_failing(self) -> Failing | None:
        return None if self.pretrained is None or self._root is None or self.unlike else self.pretrained.failing

    def learn(self, *, end_s: float) -> None:
        """Lowers what was measured and is not lowered yet, until a time, keeps its features, and learns."""
        self._lower_root(end_s)
        costs, failed = self.history.working(), self.history.failed()
        self._lower_measured((*costs, *failed), end_s)
        working, broken = ([key for key in keys if key in self._stored] for keys in (costs, failed))
        known = self._load(best_and_others(working, min(len(working), _MOST_LEARNED)))
        works, fails = map(self._load, same_share(working, broken, _MOST_LEARNED))
        self._compare_with_pretraining((*known, *fails))
        seen, seed = (self._as_seen(each).x for each in (works, fails)), len(working)
        self._failing = fit_failing(*seen, start=self._start_failing, seed=seed)
        self._learn(known, np.array([costs[key] for key in known]), seed)
        self._forget_all_but({*known, *works, *fails})

    def _lower_measured(self, keys: Collection[str], end_s: float) -> None:
        """Lowers those that are not, some at a time, for schedules take time to read, too; keeps their features."""
        seen = self._stored.keys() | self._programs.keys() | self._refused | self._unread
        new = iter([key for key in keys if key not in seen])
        while (some := [*islice(new, _AT_A_TIME)]) and time.monotonic() < end_s:
            self._lower_new(self.history.schedules(some), end_s=end_s)
        kept = {key: self._programs[key] for key in keys if key in self._programs and key not in self._stored}
        self.history.keep_programs(kept)
        self._stored |= {key: each.program_hash for key, each in kept.items()}

    def _learn(self, known: Sequence[str], costs: NDArray[np.float64], seed: int) -> None:
        """Learns what programs that work cost."""
        programs = self._as_seen(known)
        if len(known) >= _LEAST_MEASURED:
            self._ranker = fit(programs, costs, start=self._start, seed=seed)
        elif known:
            self._offset = float(np.mean(np.log(costs) - self.ranks(programs).mean))

    def _forget_all_but(self, learned: Collection[str]) -> None:
        """Forgets programs that can be read again, and the oldest ones that nobody has measured."""
        left = [key for key in self._programs if key not in self._stored][-_MOST_LEFT:]
        kept = {*learned, *left}
        self._programs = {key: each for key, each in self._programs.items() if key in kept}

    def predict(self, schedules: Mapping[str, Schedule], *, end_s: float) -> tuple[list[str], Scores] | None:
        """Which of these could be lowered until a time, and their predicted costs; None if nothing was learned."""
        self._lower_root(end_s)
        return None if self.ranks is by_t0 else self.scores(schedules, end_s=end_s)

    def scores(self, schedules: Mapping[str, Schedule], *, end_s: float) -> tuple[list[str], Scores]:
        """Which of these could be lowered until a time, and logarithms of their costs, by T0 if nothing was learned.

        Those that are likely to fail are left out.
        """
        self._lower_root(end_s)
        self._lower(schedules, end_s=end_s)
        lowered = [key for key in schedules if key in self._programs]
        seen = self._as_seen(lowered)
        works = self._chances(seen) < _LIKELY
        return [*compress(lowered, works)], self.ranks(seen.where(works))

    @property
    def unlike(self) -> bool:
        """Nothing like the first programs of this pipeline was seen in pre-training, so that its trees have no say."""
        return self._unlike or False

    def same_program(self, schedule: Schedule, others: Mapping[str, Schedule], *, end_s: float) -> tuple[str, ...]:
        """Which others come to the program of a schedule, by their names, as far as that is known by a time."""
        keys = {name: schedule_hash(each) for name, each in others.items()}
        own = schedule_hash(schedule)
        self._lower({own: schedule, **{keys[name]: each for name, each in others.items()}}, end_s=end_s)
        programs = {key: self._programs[key].program_hash for key in (own, *keys.values()) if key in self._programs}
        return tuple(name for name, key in keys.items() if own in programs and programs.get(key) == programs[own])

    def choose(
        self, make: Make, wanted: int, *, random_share: float, rng: np.random.Generator, end_s: float
    ) -> Drafted:
        """Makes drafts until a time of the monotonic clock, and chooses as many as are wanted."""
        self._lower_root(end_s)
        most = round(wanted * _PER_MUTANT / _GENERATIONS)
        drafts: dict[str, Candidate] = {}
        refused = len(self._refused)

        def known(key: str) -> bool:
            return key in drafts or key in self._refused or key in self._unread

        for number in range(_GENERATIONS):
            left_s = max(0.0, end_s - time.monotonic()) / (_GENERATIONS - number)
            made = make(self._promising(drafts), min(most, max(wanted, self._as_many_as_lower(left_s))), known)
            # In any order: where there is no time to lower all, what is lowered is some of each kind.
            made = {key: _of_what_was_measured(made[key], drafts) for key in map(str, rng.permutation([*made]))}
            left_s = max(0.0, end_s - time.monotonic()) / (_GENERATIONS - number)
            self._lower({key: each.schedule for key, each in made.items()}, end_s=time.monotonic() + left_s)
            self._refuse_large_stacks(made)
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

    def pick(
        self,
        candidates: dict[str, Candidate],
        wanted: int,
        *,
        random_share: float,
        rng: np.random.Generator,
        end_s: float,
    ) -> Picked:
        """Chooses among what searches found by what it lowers to, as far as that is known by a time."""
        if len(candidates) <= wanted:
            return Picked(chosen=candidates, left={})
        self._lower_root(end_s)
        self._lower({key: each.schedule for key, each in candidates.items()}, end_s=end_s)
        new = self._new(candidates)
        chosen = self._ranked(new, wanted, random_share, rng)
        untried = self._untried(candidates)
        chosen += untried[: wanted - len(chosen)]
        left = {*new, *untried}.difference(chosen)
        return Picked(
            chosen={key: candidates[key] for key in chosen},
            left={key: candidates[key] for key in (*new, *untried) if key in left},
        )

    def _new(self, drafts: Iterable[str]) -> list[str]:
        """Those that were lowered, of equal programs the first, and none that comes to what was measured."""
        hashes = self._stored | {key: each.program_hash for key, each in self._programs.items()}
        measured = {each for key, each in hashes.items() if key in self.history}
        new: dict[str, str] = {}
        for key in drafts:
            if (program := self._programs.get(key)) is not None and program.program_hash not in measured:
                new.setdefault(program.program_hash, key)
        return [*new.values()]

    def _untried(self, drafts: Iterable[str]) -> list[str]:
        """What could not be read, or was not lowered in time: no worse than a choice at random.

        Where Halide has refused whatever there was, the schedules may not be the cause, and it is all of them.
        """
        refused = self._refused if self._programs or self._stored else set[str]()
        return [key for key in drafts if key not in self._programs and key not in refused]

    def _ranked(self, keys: Sequence[str], wanted: int, random_share: float, rng: np.random.Generator) -> list[str]:
        if not keys:
            return []
        seen = self._as_seen(keys)
        scores, chances = self.ranks(seen), self._chances(seen)
        texts = [self._programs[key].program_hash for key in keys]
        chosen = choose(scores, texts, wanted, random_share=random_share, rng=rng, failing=chances)
        return [keys[number] for number in chosen]

    def _chances(self, programs: Programs) -> NDArray[np.float64]:
        """The chance of each that it fails."""
        failing = self._failing or self._start_failing
        return np.zeros(len(programs)) if failing is None else failing(programs.x)

    def _promising(self, drafts: Mapping[str, Candidate]) -> list[Parent]:
        """The drafts that the ranker thinks most of, with the costs that it predicts."""
        keys = self._new(drafts)
        if not keys:
            return []
        # Beside what was measured, how long the program takes as a whole counts, which pre-training cannot say.
        mean = self.ranks(self._as_seen(keys)).mean + (self._offset if self._ranker is None else 0.0)
        best = np.argsort(mean)[:_PROMISING]
        return [Parent(drafts[keys[number]].schedule, float(np.exp(mean[number]))) for number in best]

    def _as_seen(self, keys: Sequence[str]) -> Programs:
        return Programs.of([self._programs[key] for key in keys], cores=self.cores, root=self._root)

    def _lower_root(self, end_s: float) -> None:
        """Without it, what was pre-trained is of no use: if it takes too long, or cannot be read."""
        if self.pretrained is None or self._root_tried or time.monotonic() >= end_s:
            return
        self._root_tried = True
        root = {"": every_func_at_root(self.spec)}
        (found,) = (each for _, each in features_of_each(self._lowering, root, self.workers[:1]))
        self._root = found if isinstance(found, ProgramFeatures) else None

    def _lower(self, schedules: Mapping[str, Schedule], *, end_s: float) -> None:
        """Lowers those that are not known, on all cores, until a time of the monotonic clock; reads what was kept."""
        self._load(schedules)
        self._lower_new(schedules, end_s=end_s)
        self._compare_with_pretraining(schedules)

    def _load(self, keys: Collection[str]) -> list[str]:
        """Reads features of programs that were kept; what is damaged is lowered again. Returns those in memory."""
        there = self._programs.keys() | self._refused
        wanted = [key for key in keys if key in self._stored and key not in there]
        found = self.history.programs(wanted) if wanted else {}
        self._programs |= found
        for key in wanted:
            if key not in found:
                del self._stored[key]
        return [key for key in keys if key in self._programs]

    def _lower_new(self, schedules: Mapping[str, Schedule], *, end_s: float) -> None:
        known = self._programs.keys() | self._refused | self._unread
        new = {key: each for key, each in schedules.items() if key not in known}
        began_s, seen = time.monotonic(), 0
        lowering = replace(self._lowering, timeout_s=self._longest_s)
        with contextlib.closing(features_of_each(lowering, new, self.workers, end_s=end_s)) as outcomes:
            for key, outcome in outcomes:
                self._saw(key, outcome)
                seen += 1
        if seen:
            self._each_s = (time.monotonic() - began_s) / seen

    def _compare_with_pretraining(self, keys: Iterable[str]) -> None:
        """Decides once, by the first programs of which there are enough."""
        if self.pretrained is None or self._root is None or self._unlike is not None:
            return
        lowered = [key for key in keys if key in self._programs]
        if len(lowered) >= _LEAST_KNOWN:
            self._unlike = self.pretrained.unlike(self._as_seen(lowered))

    @property
    def _longest_s(self) -> float:
        if self._each_s is None:
            return _LONGEST_S
        return min(_LONGEST_S, max(_LEAST_LONGEST_S, _LONGER * self._each_s * len(self.workers)))

    def _as_many_as_lower(self, seconds: float) -> int:
        """How many can be lowered in this time, roughly, or more."""
        return _MANY if self._each_s is None else int(_SPARE * seconds / self._each_s)

    def _refuse_large_stacks(self, keys: Iterable[str]) -> None:
        programs = self._programs
        large = [key for key in keys if key in programs and programs[key].whole[_STACK] > self.stack_limit_bytes]
        for key in large:
            del programs[key]
        self._refused.update(large)

    def _saw(self, key: str, outcome: ProgramFeatures | Failure) -> None:
        if isinstance(outcome, ProgramFeatures):
            self._programs[key] = outcome
        elif key in self.history or (outcome.kind == "error" and outcome.stage != REFUSED):
            self._unread.add(key)  # what was measured was compiled
        else:  # what takes that long to lower, or dies of it, does so all the more when it is compiled
            self._refused.add(key)


def _of_what_was_measured(candidate: Candidate, drafts: Mapping[str, Candidate]) -> Candidate:
    """Told as a change of what its parent is a change of, if that is a draft, which may never be measured."""
    own = candidate.provenance
    parent = drafts.get(own.parent) if isinstance(own, Mutated) else None
    if not isinstance(own, Mutated) or parent is None or not isinstance(parent.provenance, Mutated):
        return candidate
    before = parent.provenance
    return replace(candidate, provenance=Mutated(parent=before.parent, changes=(*before.changes, *own.changes)))
