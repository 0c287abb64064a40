"""What a round of tuning measures: results of beam searches and probes, and mutants, each kind chosen among many."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from hltune.cost_model.adams2019.weights import Weights
from hltune.runtime.progress import Progress
from hltune.search.gains import GAIN, Gain, with_gains
from hltune.search.mutation import PARENTS, Parent, mutants, neighbours
from hltune.search.remedied import MOVE, REMEDY
from hltune.search.sizes import EVERYWHERE, resized
from hltune.tuning.cases import Cases
from hltune.tuning.drafts import Drafted, Drafts
from hltune.tuning.keep import Kept
from hltune.tuning.model import Model
from hltune.tuning.operators import Successes, Try
from hltune.tuning.options import TuneOptions
from hltune.tuning.pace import SPARE, Limits, Pace
from hltune.tuning.pool import Pool
from hltune.tuning.searcher import Searcher
from hltune.tuning.streams import NEAR, Stream, some_of_each
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.subject import Subject

MUTANT_SHARE = 0.5
"""Share of a round's candidates that is made by changing the best schedules, as long as searches do well."""
LARGEST_MUTANT_SHARE = 0.9
"""The same where searches fall behind."""
_ROUNDS_BETWEEN = 3.0
"""One of so many rounds searches where searches fall behind, times how many times as much their best one costs."""
_DRAFTING_SHARE, _LARGEST_DRAFTING_SHARE = 0.25, 0.5
"""How long drafts may take to lower, by the time that measuring the chosen ones takes; at most, where lowering takes so
long that there would be little to choose from."""
_LEAST_PER_MUTANT = 4
"""Drafts for every mutant that there is time to measure with which there is enough to choose from."""
_LEAST_DRAFTING_S = 1.0
_LOWERED_PER_SEARCHED = 4
"""How many of what probes found are lowered, for every one that is measured."""
_OVERSAMPLING = 6
"""How many new schedules a round looks for, for every one that it measures."""


class Costs(Protocol):
    """What schedules of the pipeline cost: a `History`, or forecasts of it."""

    def __contains__(self, key: str) -> bool:
        """The schedule with this hash is known, and is not proposed."""
        ...

    def cost(self, key: str) -> float | None:
        """Its cost; None if it is not known, or failed."""
        ...

    def best(self, count: int) -> list[Parent]:
        """The fastest schedules of which others may be made, best first."""
        ...

    def mutants(self) -> list[Try]:
        """All mutants that were measured."""
        ...

    def gains(self) -> list[Gain]:
        """Changes that have made a schedule faster, the largest gains first."""
        ...


class _Examined(NamedTuple):
    """What each Func takes of the time, if that is known, and changes that the programs of the best suggest."""

    shares: Mapping[str, float] | None = None
    remedies: Stream = iter(())
    moves: Stream = iter(())


class Found(NamedTuple):
    """What a round found: candidates by their hash; the weights of each beam search with its hash; mutants."""

    candidates: dict[str, Candidate]
    beams: list[tuple[Weights, str | None]]
    searches: int
    known: int
    drafted: Drafted


@dataclass(slots=True, kw_only=True)
class Proposals:
    """Finds candidates for one pipeline, and keeps what was found and not measured.

    Attributes:
        kept: what of the author's schedule must stay as it is; None if all may change.
        cases: what the best schedules spend where; None where nobody looks.
    """

    subject: Subject
    options: TuneOptions
    history: Costs
    model: Model
    searcher: Searcher
    drafts: Drafts
    pace: Pace
    kept: Kept | None
    rng: np.random.Generator
    cases: Cases | None = None
    _pool: Pool = field(default_factory=Pool)
    _said: set[str] = field(default_factory=set[str])
    """How searches have failed, as people were told."""
    _left: dict[str, Candidate] = field(default_factory=dict[str, Candidate])
    """Mutants that were not chosen, or not measured; as most are lowered already, the choice among drafts grows."""

    def keep(self, candidates: dict[str, Candidate]) -> None:
        """What there was no time for is proposed again."""
        new = {key: each for key, each in candidates.items() if key not in self.history}
        late = {key: each for key, each in new.items() if isinstance(each.provenance, Mutated)}
        self._left = late | self._left
        self._pool.add({key: each for key, each in new.items() if key not in late})

    def find(self, share: float | None, limits: Limits, number: int, progress: Progress) -> Found:
        """Beam searches, whose results are all measured, probes, among which the models choose, and mutants.

        Args:
            share: that of mutants, where nothing is kept as the author wrote it; None where nothing is to be searched.
            number: of the round.
        """
        if self.kept is not None or share is None:
            self._say(progress, number, "drafting mutants")
            drafted = self._mutants({}, self.pace.batch(limits), limits)
            return Found(drafted.chosen, [], searches=0, known=0, drafted=drafted)
        self._say(progress, number, "searching")
        model, history = self.model, self.history
        beams: list[tuple[Weights, str | None]] = []
        chosen: dict[str, Candidate] = {}
        limit_s = self.pace.search_s(limits) * (1 - share) / (1 - MUTANT_SHARE)
        batch = self.pace.batch(limits)
        most = max(1, round((1 - share) * batch))
        searched = self.searcher.beams(model.weights, model.best, initial=model.initial, limit_s=limit_s, most=most)
        for weights, outcome in searched:
            key = schedule_hash(outcome.schedule) if isinstance(outcome, Candidate) else None
            beams.append((weights, key))
            if isinstance(outcome, Candidate) and key is not None and key not in history:
                chosen[key] = outcome
                self._pool.discard(key)
        wanted = max(0, round((1 - share) * batch) - len(chosen))
        probed, outcomes = self.searcher.probes(
            (model.weights, model.best, model.initial),
            number,
            wanted=wanted * _OVERSAMPLING,
            limit_s=min(self.pace.probing_s, limit_s),
            known=lambda key: key in history or key in self._pool or key in chosen,
        )
        self._pool.add(probed)
        failures = [each for each in outcomes if isinstance(each, Failure)]
        for failure in [each for each in failures if str(each) not in self._said][:1]:
            self._said.add(str(failure))
            # Not with the flag of a limit: a round's is lower than that.
            why = f"{failure.stage}: {failure.message}"
            progress.note(f"{self.subject.spec.name}: {len(failures)} searches failed, as this one: {why}")
        again = sum(key is not None and key in history for _, key in beams)
        chosen |= self._searched(wanted, limits)
        # Where searches find too little that is new, there are more mutants.
        self._say(progress, number, "drafting mutants")
        drafted = self._mutants(chosen, batch - len(chosen), limits)
        known = again + len(outcomes) - len(probed) - len(failures)
        searches = len(beams) + len(outcomes)
        return Found(mixed(chosen, drafted.chosen), beams, searches=searches, known=known, drafted=drafted)

    def _searched(self, wanted: int, limits: Limits) -> dict[str, Candidate]:
        """Of what probes found, the most promising: by the network, and of these by what they lower to."""
        random_share, rng, several = self.options.random_share, self.rng, wanted * _LOWERED_PER_SEARCHED
        taken = self._pool.take(several, self.model.predictor, random_share=random_share, rng=rng)
        end_s = min(limits.end_s, time.monotonic() + self._drafting_s(wanted))
        picked = self.drafts.pick(taken, wanted, random_share=random_share, rng=rng, end_s=end_s)
        self._pool.add(picked.left)
        return picked.chosen

    def _drafting_s(self, wanted: int, *, drafts: int = 0) -> float:
        """How long the choice of so many candidates may take: longer, if it is to be one of so many drafts."""
        measuring_s = min(self.options.round_s, wanted * self.pace.candidate_s)
        needed_s = min(_LARGEST_DRAFTING_SHARE * measuring_s, self.drafts.programs.lowering_s(drafts))
        return max(_LEAST_DRAFTING_S, _DRAFTING_SHARE * measuring_s, needed_s)

    def _mutants(self, chosen: dict[str, Candidate], wanted: int, limits: Limits) -> Drafted:
        """Changes the best schedules, and the author's own."""
        parents = self._parents()
        spec, successes = self.subject.spec, Successes.of(self.history.mutants())
        first = next((each.schedule for each in parents if each.schedule.base is None), Schedule())
        left, kept = self._still_good(parents), self.kept
        lowered = sum(key in self.drafts.programs for key in left)
        drafting_s = self._drafting_s(wanted, drafts=round(_LEAST_PER_MUTANT * wanted / SPARE) - lowered)
        examined = self._examined(parents, min(limits.end_s, time.monotonic() + drafting_s))
        shares = examined.shares
        free = None if kept is None else kept.free
        streams = {
            GAIN: with_gains(first, self.history.gains(), spec.funcs),
            NEAR: neighbours(first, spec.funcs, self.rng, free, shares),
            EVERYWHERE: resized(first, spec.funcs, free),
            REMEDY: examined.remedies,
            MOVE: examined.moves,
        }
        end_s = min(limits.end_s, time.monotonic() + drafting_s)

        def make(further: Sequence[Parent], count: int, known: Callable[[str], bool]) -> dict[str, Candidate]:
            until_s = (time.monotonic() + end_s) / 2  # the rest is for lowering them
            old = {key: each for key, each in left.items() if not (key in self.history or key in chosen or known(key))}

            def taken(key: str) -> bool:
                return key in left or key in self.history or key in chosen or known(key)

            def allowed(key: str, each: Candidate) -> bool:
                return not taken(key) and (kept is None or kept.allows(each.schedule))

            found = some_of_each(streams, count, allowed=allowed, end_s=until_s, successes=successes)
            new = mutants(
                [*parents, *further],
                spec,
                self.rng,
                wanted=max(0, count - len(found)),
                known=lambda key: key in found or taken(key),
                limits=kept,
                weights=successes.weights(),
                shares=shares,
                end_s=until_s,
            )
            return old | found | new

        drafted = self.drafts.choose(
            make, max(0, wanted), random_share=self.options.random_share, rng=self.rng, end_s=end_s
        )
        self._left = drafted.left
        return drafted

    def _parents(self) -> list[Parent]:
        """The best schedules, best first, and those that people wrote, whatever they cost."""
        parents = self.history.best(PARENTS)
        known = {Schedule(), *(each.schedule for each in parents)}
        own = self.subject.recovered and self.subject.recovered.schedule
        written = dict.fromkeys([*(each.schedule for each in self.subject.known_by_name().values()), own])
        for schedule in written:
            if schedule is None or schedule in known or not (self.kept is None or self.kept.allows(schedule)):
                continue
            if (cost := self.history.cost(schedule_hash(schedule))) is not None:
                parents.append(Parent(schedule, cost))
        return parents

    def _still_good(self, parents: Sequence[Parent]) -> dict[str, Candidate]:
        """What is left of earlier rounds and is a change of one of these."""
        keys = {schedule_hash(each.schedule) for each in parents}
        return {
            key: each
            for key, each in self._left.items()
            if isinstance(each.provenance, Mutated) and each.provenance.parent in keys
        }

    def _examined(self, parents: Sequence[Parent], end_s: float) -> _Examined:
        if self.cases is None:
            return _Examined()
        self.cases.read(parents, end_s=end_s)
        return _Examined(self.cases.shares(parents), self.cases.remedies(parents), self.cases.moves(parents))

    def _say(self, progress: Progress, number: int, text: str) -> None:
        progress.phase(f"{self.subject.spec.name}, round {number}: {text}")


def mutant_share(searched: float | None, best: float | None) -> float:
    """Share of a round's candidates that is made by changing the best schedules.

    It is the larger the more the best schedule that a search has found costs than the best of all, which somebody wrote
    by hand, or which is a mutant: there is much that searches cannot say.

    Args:
        searched: cost of the former; None if it is not known.
        best: cost of the latter.
    """
    if searched is None or best is None:
        return MUTANT_SHARE
    return float(np.clip(MUTANT_SHARE + searched / best - 1, MUTANT_SHARE, LARGEST_MUTANT_SHARE))


def rounds_between(searched: float | None, best: float | None) -> int:
    """Of so many rounds one searches: the fewer, the further what searches find is behind; see `mutant_share`."""
    if searched is None or best is None or mutant_share(searched, best) < LARGEST_MUTANT_SHARE:
        return 1
    return round(_ROUNDS_BETWEEN * searched / best)


def mixed(one: dict[str, Candidate], other: dict[str, Candidate]) -> dict[str, Candidate]:
    """Both, spread evenly: where there is no time for all, what is left out is some of each."""
    places = [(number / len(each), key) for each in (one, other) for number, key in enumerate(each)]
    both = one | other
    return {key: both[key] for _, key in sorted(places)}
