"""Candidates before they are measured: many are lowered, which takes no LLVM, and the most promising are kept.

Most are mutants, called drafts as long as nobody has chosen them; the others are what searches found. What Halide
refuses to lower is never measured, and neither is what needs much stack, nor what comes to a program that was. The
ranker learns from the programs of this pipeline that were measured; before there are enough, one that was pre-trained
takes its place, or T0.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.acquisition import choose
from hltune.cost_model.failing import Failing, fit_failing
from hltune.cost_model.pretrained import Pretrained
from hltune.cost_model.programs import Programs
from hltune.cost_model.ranker import Ranker, Ranks, by_t0, fit
from hltune.cost_model.scorer import Scores, Validation
from hltune.lowered.job import Lowering
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import AnyWorker
from hltune.search.mutation import Parent
from hltune.search.remedied import MOVE, REMEDY
from hltune.tuning.known import Known, best_and_others, same_share
from hltune.tuning.lowered import LONGEST_S, LoweredPrograms
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
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
_PER_MUTANT = 10
"""Drafts for every mutant that is wanted, if there is time."""
_GENERATIONS = 2
"""Drafts of the later ones change drafts, which nobody has measured."""
_PROMISING = 8
"""Drafts that the next generation changes."""
_LEFT = 64
"""Drafts that were not chosen and that the next choice has as well, at most."""
_LIKELY = 0.5
_LEAST_SPREAD = 0.05
"""No prediction is surer: of programs that differ by less, any is as good a choice."""
_INHERITED = 0.7
"""Part of what its parent costs more than predicted that a mutant is expected to cost more, too: the rest is noise."""

Make = Callable[[Sequence[Parent], int, Callable[[str], bool]], dict[str, Candidate]]
"""Makes so many new mutants of the known schedules and of these further parents; the last tells what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What came of drafts.

    Attributes:
        chosen: mutants to measure, by the hash of their schedule.
        left: those that were lowered and are as good a choice later, the most promising first; then those that were
            not, and that nobody makes again.
        made: how many drafts there were.
        lowered: how many of these Halide accepted, and we did.
        refused: how many Halide did not, or took too long to, or need more stack than a thread may have.
    """

    chosen: dict[str, Candidate]
    left: dict[str, Candidate] = field(default_factory=dict[str, Candidate])
    made: int = 0
    lowered: int = 0
    refused: int = 0


class Picked(NamedTuple):
    """Candidates to measure, and those that are as good a choice later, by the hash of their schedule."""

    chosen: dict[str, Candidate]
    left: dict[str, Candidate]


@dataclass(slots=True)
class Drafts:
    """The ranker of one pipeline's programs, which learns from those that were measured, and what it chooses.

    Attributes:
        pretrained: what is known of all programs; None if nothing is.
    """

    spec: PipelineSpec
    target: TargetInfo
    cores: int
    workers: Sequence[AnyWorker]
    history: Known
    pretrained: Pretrained | None = None
    programs: LoweredPrograms = field(init=False)
    _ranker: Ranker | None = None
    _failing: Failing | None = None
    _root: ProgramFeatures | None = None
    _root_tried: bool = False
    _unlike: bool | None = None
    _offset: float = 0.0
    _costs: dict[str, float] = field(default_factory=dict[str, float])
    """Of the programs that the ranker has learned from, by the hash of their schedule."""
    _judged: tuple[list[str], list[str]] | None = None
    """Those that work and those that fail, from which it was learned what fails."""

    def __post_init__(self) -> None:
        lowering = Lowering(spec=self.spec, target=self.target, cores=self.cores, timeout_s=LONGEST_S)
        self.programs = LoweredPrograms(lowering, self.workers, self.history)

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
        """Lowers what was measured and is not lowered yet, until a time, keeps its features, and learns what is new."""
        self._lower_root(end_s)
        costs, failed = self.history.working(), self.history.failed()
        self.programs.lower_measured((*costs, *failed), end_s=end_s)
        working, broken = map(self.programs.stored, (costs, failed))
        known = self.programs.load(best_and_others(working, min(len(working), _MOST_LEARNED)))
        works, fails = map(self.programs.load, same_share(working, broken, _MOST_LEARNED))
        self._compare_with_pretraining((*known, *fails))
        if self._failing is None or (works, fails) != self._judged:
            seen = (self._as_seen(each).x for each in (works, fails))
            self._failing = fit_failing(*seen, start=self._start_failing, seed=len(working))
            self._judged = works, fails
        learned = {key: costs[key] for key in known}
        if self._ranker is None or learned != self._costs:
            self._costs = learned
            self._learn(known, np.array([*learned.values()]), seed=len(working))
        self.programs.forget_all_but({*known, *works, *fails})

    def _learn(self, known: Sequence[str], costs: NDArray[np.float64], seed: int) -> None:
        """Learns what programs that work cost."""
        programs = self._as_seen(known)
        if len(known) >= _LEAST_MEASURED:
            self._ranker = fit(programs, costs, start=self._start, seed=seed)
        elif known:
            self._offset = float(np.mean(np.log(costs) - self.ranks(programs).mean))

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
        lowered = [key for key in schedules if key in self.programs]
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
        programs = {key: self.programs[key].program_hash for key in (own, *keys.values()) if key in self.programs}
        return tuple(name for name, key in keys.items() if own in programs and programs.get(key) == programs[own])

    def choose(
        self, make: Make, wanted: int, *, random_share: float, rng: np.random.Generator, end_s: float
    ) -> Drafted:
        """Makes drafts until a time of the monotonic clock, and chooses as many as are wanted."""
        self._lower_root(end_s)
        most = round(wanted * _PER_MUTANT / _GENERATIONS)
        drafts: dict[str, Candidate] = {}
        refused = len(self.programs.refused)

        def known(key: str) -> bool:
            return key in drafts or self.programs.failed(key)

        for number in range(_GENERATIONS):
            left_s = max(0.0, end_s - time.monotonic()) / (_GENERATIONS - number)
            made = make(self._promising(drafts), min(most, max(wanted, self.programs.as_many_as_lower(left_s))), known)
            # In any order: where there is no time to lower all, what is lowered is some of each kind.
            made = {key: _of_what_was_measured(made[key], drafts) for key in map(str, rng.permutation([*made]))}
            left_s = max(0.0, end_s - time.monotonic()) / (_GENERATIONS - number)
            self._lower({key: each.schedule for key, each in made.items()}, end_s=time.monotonic() + left_s)
            self.programs.refuse_large_stacks(made)
            drafts.update(made)
        lowered, new = [key for key in drafts if key in self.programs], self.programs.new(drafts)
        chosen, others = self._ranked(drafts, new, wanted, random_share, rng)
        untried = self.programs.untried(drafts)
        chosen += untried[: wanted - len(chosen)]
        self.programs.forget(set(lowered).difference(chosen, others[:_LEFT]))
        late = [key for key in untried if key not in chosen and _comes_once(drafts[key])]
        others = [*others[:_LEFT], *late[:_LEFT]]
        return Drafted(
            chosen={key: drafts[key] for key in chosen},
            left={key: drafts[key] for key in others},
            made=len(drafts),
            lowered=len(lowered),
            refused=len(self.programs.refused) - refused,
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
        new = self.programs.new(candidates)
        chosen, _ = self._ranked(candidates, new, wanted, random_share, rng)
        untried = self.programs.untried(candidates)
        chosen += untried[: wanted - len(chosen)]
        left = {*new, *untried}.difference(chosen)
        return Picked(
            chosen={key: candidates[key] for key in chosen},
            left={key: candidates[key] for key in (*new, *untried) if key in left},
        )

    def _ranked(
        self,
        candidates: Mapping[str, Candidate],
        keys: Sequence[str],
        wanted: int,
        random_share: float,
        rng: np.random.Generator,
    ) -> tuple[list[str], list[str]]:
        """Those to measure, in that order, and the others, the most promising first."""
        if not keys:
            return [], []
        seen = self._as_seen(keys)
        scores, chances = self._scores(candidates, keys, seen), self._chances(seen)
        scores = replace(scores, spread=np.maximum(scores.spread, _LEAST_SPREAD))
        texts = [self.programs[key].program_hash for key in keys]
        chosen = choose(scores, texts, wanted, random_share=random_share, rng=rng, failing=chances)
        taken = set(chosen)
        best_first = np.lexsort((scores.mean, chances >= _LIKELY))  # what likely fails behind all others
        others = [keys[int(number)] for number in best_first if number not in taken]
        return [keys[number] for number in chosen], others

    def _scores(self, candidates: Mapping[str, Candidate], keys: Sequence[str], seen: Programs) -> Scores:
        """Predictions beside what was measured of the pipeline; there has to be one.

        A mutant is most of its parent, so that what nobody has predicted of the one is true of the other as well.
        """
        found = self._beside_measured(seen)
        parents = [_parent_of(candidates[key]) for key in keys]
        surprises = self._surprises(parents)
        inherited = np.array([surprises.get(each, 0.0) for each in parents])
        return replace(found, mean=found.mean + _INHERITED * inherited)

    def _surprises(self, parents: Iterable[str]) -> dict[str, float]:
        """How much more than predicted each of these costs, as a logarithm, as far as it is known."""
        known = [key for key in dict.fromkeys(parents) if key in self._costs and key in self.programs]
        if not known:
            return {}
        predicted = self._beside_measured(self._as_seen(known)).mean
        return {key: math.log(self._costs[key]) - float(mean) for key, mean in zip(known, predicted, strict=True)}

    def _beside_measured(self, seen: Programs) -> Scores:
        """Predictions with how long the program takes as a whole, of which pre-training says nothing."""
        found = self.ranks(seen)
        return found if self._ranker is not None else replace(found, mean=found.mean + self._offset)

    def _chances(self, programs: Programs) -> NDArray[np.float64]:
        """The chance of each that it fails."""
        failing = self._failing or self._start_failing
        return np.zeros(len(programs)) if failing is None else failing(programs.x)

    def _promising(self, drafts: Mapping[str, Candidate]) -> list[Parent]:
        """The drafts that the ranker thinks most of, with the costs that it predicts."""
        keys = self.programs.new(drafts)
        if not keys:
            return []
        mean = self._scores(drafts, keys, self._as_seen(keys)).mean
        best = np.argsort(mean)[:_PROMISING]
        return [Parent(drafts[keys[number]].schedule, float(np.exp(mean[number]))) for number in best]

    def _as_seen(self, keys: Sequence[str]) -> Programs:
        return Programs.of([self.programs[key] for key in keys], cores=self.cores, root=self._root)

    def _lower_root(self, end_s: float) -> None:
        """Without it, what was pre-trained is of no use: if it takes too long, or cannot be read."""
        if self.pretrained is None or self._root_tried or time.monotonic() >= end_s:
            return
        self._root_tried = True
        self._root = self.programs.root()

    def _lower(self, schedules: Mapping[str, Schedule], *, end_s: float) -> None:
        self.programs.lower(schedules, end_s=end_s)
        self._compare_with_pretraining(schedules)

    def _compare_with_pretraining(self, keys: Iterable[str]) -> None:
        """Decides once, by the first programs of which there are enough."""
        if self.pretrained is None or self._root is None or self._unlike is not None:
            return
        lowered = [key for key in keys if key in self.programs]
        if len(lowered) >= _LEAST_KNOWN:
            self._unlike = self.pretrained.unlike(self._as_seen(lowered))


def _comes_once(candidate: Candidate) -> bool:
    """Nobody makes it again in a run, at random or otherwise."""
    own = candidate.provenance
    return isinstance(own, Mutated) and not {REMEDY, MOVE}.isdisjoint(own.changes)


def _parent_of(candidate: Candidate) -> str:
    """Hash of the schedule that it is a change of; empty if it is none."""
    return candidate.provenance.parent if isinstance(candidate.provenance, Mutated) else ""


def _of_what_was_measured(candidate: Candidate, drafts: Mapping[str, Candidate]) -> Candidate:
    """Told as a change of what its parent is a change of, if that is a draft, which may never be measured."""
    own = candidate.provenance
    parent = drafts.get(own.parent) if isinstance(own, Mutated) else None
    if not isinstance(own, Mutated) or parent is None or not isinstance(parent.provenance, Mutated):
        return candidate
    before = parent.provenance
    return replace(candidate, provenance=Mutated(parent=before.parent, changes=(*before.changes, *own.changes)))
