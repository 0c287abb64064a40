"""The search half of a round: many searches of one pipeline, side by side, with weights that differ."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np

from hltune.cost_model.adams2019.weights import Weights, vary
from hltune.search.autoschedulers import Adams2019Options, SearchOptions
from hltune.search.pool import Outcome, SearchPool
from hltune.search.probes import probes, varied
from hltune.tuning.options import TuneOptions
from hltune.values.candidate import Candidate
from hltune.values.errors import Failure
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.subject import Subject

_BEAM_SIGMAS = (0.3, 1.0)
_PROBES_PER_VARIANT = 4
_PROBES_PER_JOB = 16
"""At most, for a crash loses the other probes of its job."""
_JOB_S = 0.5
"""About how long a job of probes should take, so that limits can be kept."""
_LEAST_NEW = 0.02
"""Probing ends when fewer of the latest probes than this share are new."""


@dataclass
class Searcher:
    """Searches schedules of one pipeline."""

    _subject: Subject
    _options: TuneOptions
    _pool: SearchPool
    _rng: np.random.Generator
    _beam_s: float = 0.0
    _probe_s: float = _JOB_S / _PROBES_PER_JOB

    def run(self, searches: Sequence[SearchOptions]) -> list[Outcome]:
        """Runs searches that each take a while."""
        found = self._pool.run(self._subject.spec, self._subject.target.name, searches)
        beams = [each for search, each in zip(searches, found, strict=True) if isinstance(search, Adams2019Options)]
        self._beam_s = self._mean_search_s(beams) or self._beam_s
        return found

    def beams(self, centre: Weights, best: Weights) -> list[tuple[Weights, Outcome]]:
        """Runs beam searches with the weights `centre`, and with variants of both; returns the weights of each."""
        weights = [centre]
        for number in range(self._affordable_beams() - 1):
            start = (best, centre)[number % 2]
            weights.append(vary(start, self._rng, float(self._rng.choice(_BEAM_SIGMAS))))
        searches = [replace(self._options.search, weights=self._pool.weights_file(each)) for each in weights]
        return list(zip(weights, self.run(searches), strict=True))

    def _affordable_beams(self) -> int:
        """Fewer where a beam search takes so long that several of them would fill the round."""
        options = self._options
        if not self._beam_s:
            return options.beams
        affordable = options.search_share * options.round_s * len(self._pool) / self._beam_s
        return max(1, min(options.beams, int(affordable)))

    def probes(
        self,
        centres: Sequence[Weights],
        round_number: int,
        *,
        wanted: int,
        limit_s: float,
        known: Callable[[str], bool],
    ) -> tuple[dict[str, Candidate], list[Outcome]]:
        """Runs random probes until there are enough that are new, time is up, or hardly anything new comes.

        The weights of all centres are varied; the first ones are also used as they are. `known` tells whether the
        schedule with a hash is known. Returns the new candidates by their hash, and what came of every probe.
        """
        variants = map(self._pool.weights_file, chain(centres[:1], varied(centres, self._rng)))
        stream = probes(self._options.search, variants, round_number=round_number, each=_PROBES_PER_VARIANT)
        found: dict[str, Candidate] = {}
        outcomes: list[Outcome] = []
        end_s = time.monotonic() + limit_s
        while len(found) < wanted and time.monotonic() < end_s:
            new = self._next_probes(stream)
            before = len(found)
            for outcome in new:
                if isinstance(outcome, Candidate) and not known(key := schedule_hash(outcome.schedule)):
                    found.setdefault(key, outcome)
            outcomes += new
            if len(found) - before < _LEAST_NEW * len(new):
                break
        self._pool.forget_weights()
        return found, outcomes

    def _next_probes(self, stream: Iterator[Adams2019Options]) -> list[Outcome]:
        size = max(1, min(_PROBES_PER_JOB, round(_JOB_S / self._probe_s)))
        groups = [tuple(islice(stream, size)) for _ in range(2 * len(self._pool))]
        outcomes: list[Outcome] = []
        for group in self._pool.run_groups(self._subject.spec, self._subject.target.name, groups):
            self._probe_s = self._mean_search_s(group) or self._probe_s
            outcomes += group
        return outcomes

    def _mean_search_s(self, outcomes: Sequence[Outcome]) -> float | None:
        """A search that took too long counts with its limit, other failures do not."""
        times_s = [each.search_s for each in outcomes if isinstance(each, Candidate) and each.search_s is not None]
        timeouts = sum(isinstance(each, Failure) and each.kind == "timeout" for each in outcomes)
        times_s += [self._pool.timeout_s] * timeouts
        return sum(times_s) / len(times_s) if times_s else None
