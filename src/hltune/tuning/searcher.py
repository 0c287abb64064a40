"""The search half of a round: many searches of one pipeline, side by side, with weights that differ."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np

from hltune.cost_model.adams2019.weights import Weights, builtin_weights, vary, weights_hash
from hltune.runtime.worker import AnyWorker
from hltune.search.autoschedulers import Adams2019Options
from hltune.search.climb import Forecast, Memory, Step, climb
from hltune.search.ladder import Rung, baselines, beams
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
_PATIENCE, _LEAST_PATIENCE_S = 2.0, 5.0
"""A search may take so many times as long as was forecast, and never less than so many seconds."""
_LEAST_NEW = 0.02
"""Probing ends when fewer of the latest probes than this share are new."""


def climb_baselines(
    subject: Subject,
    options: TuneOptions,
    pool: SearchPool,
    memory: Memory,
    *,
    end_s: float,
    forecast: Forecast | None = None,
    until: Callable[[], bool] = lambda: False,
) -> Generator[Step]:
    """What Halide's autoschedulers find, rung by rung; see `hltune.search.climb.climb`."""
    return climb(
        pool,
        subject.spec,
        subject.target.name,
        baselines(options.search),
        budget_s=options.search_timeout_s,
        memory=memory,
        forecast=forecast,
        end_s=end_s,
        until=until,
    )


@dataclass
class Searcher:
    """Searches schedules of one pipeline."""

    _subject: Subject
    _options: TuneOptions
    _pool: SearchPool
    _rng: np.random.Generator
    _memory: Memory
    _forecast: Forecast = field(default_factory=Forecast)
    _probe_s: float = _JOB_S / _PROBES_PER_JOB

    @property
    def workers(self) -> Sequence[AnyWorker]:
        """The processes that search."""
        return self._pool.workers

    @property
    def autoschedulers(self) -> tuple[str, ...]:
        """Halide's, which `baselines` runs where there is time."""
        return tuple(dict.fromkeys(rung.finder for rung in baselines(self._options.search)))

    def baselines(self, end_s: float) -> Generator[Step]:
        """What Halide's autoschedulers find, rung by rung; see `hltune.search.climb.climb`."""
        end_s = max(end_s, time.monotonic() + _LEAST_PATIENCE_S)
        return climb_baselines(
            self._subject, self._options, self._pool, self._memory, forecast=self._forecast, end_s=end_s
        )

    def beams(
        self, centre: Weights, best: Weights, *, initial: Weights, limit_s: float, most: int
    ) -> list[tuple[Weights, Outcome]]:
        """Runs so many beam searches at most, with the weights `centre`, and with variants of both; says with which.

        One with the built-in or the `initial` weights is remembered; those of a round come only once. Where the beam
        search that was asked for takes too long for a round, a smaller one takes its place; none, if greedy search
        takes too long.
        """
        limit_s = min(limit_s, self._pool.timeout_s)
        if not self._affords_greedy(limit_s):
            return []
        rung, count = self._affordable(limit_s, most)
        weights = [centre]
        for number in range(count - 1):
            start = (best, centre)[number % 2]
            weights.append(vary(start, self._rng, float(self._rng.choice(_BEAM_SIGMAS))))
        (search,) = rung.searches
        assert isinstance(search, Adams2019Options)
        searches = [replace(search, weights=self._file(each)) for each in weights]
        target = self._subject.target.name
        recurs = searches[0].weights is None or weights_hash(centre) == weights_hash(initial)
        known = self._memory.recall(target, searches[0], limit_s=limit_s) if recurs else None
        new = searches if known is None else searches[1:]
        patience_s = min(self._pool.timeout_s, max(_LEAST_PATIENCE_S, limit_s * _PATIENCE))
        found = self._pool.run(self._subject.spec, target, new, timeout_s=patience_s)
        for outcome in found:
            self._forecast.saw(rung, outcome, patience_s)
        if known is not None:
            found.insert(0, known)
        elif recurs:
            self._memory.keep(target, searches[0], found[0], limit_s=patience_s)
        return list(zip(weights, found, strict=True))

    def _affords_greedy(self, limit_s: float) -> bool:
        return (self._forecast.seconds(1.0) or 0.0) <= limit_s

    def _file(self, weights: Weights) -> Path | None:
        """A file of weights; None for the built-in ones, so that a search with them is known to be the same."""
        return None if weights_hash(weights) == weights_hash(builtin_weights()) else self._pool.weights_file(weights)

    def _affordable(self, limit_s: float, most: int) -> tuple[Rung, int]:
        """The largest beam search that takes no longer than this, and how many of them, this number at most.

        Nobody knows how long any takes before one has ended; then greedy search begins.
        """
        smallest, *larger = beams(self._options.search)
        most = min(most, self._options.beams)
        chosen, count = smallest, most
        for rung in (smallest, *larger):
            needed_s = self._forecast.seconds(rung.effort)
            affordable = int(limit_s * len(self._pool) / needed_s) if needed_s else 0
            if affordable < 1 or (needed_s or 0.0) > limit_s:
                break
            chosen, count = rung, min(most, affordable)
        return chosen, count

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
        if not self._affords_greedy(limit_s):
            return {}, []
        self._probe_s = max(self._probe_s, self._forecast.seconds(1.0) or 0.0)
        variants = map(self._pool.weights_file, chain(centres[:1], varied(centres, self._rng)))
        stream = probes(self._options.search, variants, round_number=round_number, each=_PROBES_PER_VARIANT)
        found: dict[str, Candidate] = {}
        outcomes: list[Outcome] = []
        end_s = time.monotonic() + limit_s
        while len(found) < wanted and time.monotonic() < end_s:
            new = self._next_probes(stream, limit_s)
            before = len(found)
            for outcome in new:
                if isinstance(outcome, Candidate) and not known(key := schedule_hash(outcome.schedule)):
                    found.setdefault(key, outcome)
            outcomes += new
            if len(found) - before < _LEAST_NEW * len(new):
                break
        self._pool.forget_weights()
        return found, outcomes

    def _next_probes(self, stream: Iterator[Adams2019Options], limit_s: float) -> list[Outcome]:
        size = max(1, min(_PROBES_PER_JOB, round(_JOB_S / self._probe_s)))
        jobs = len(self._pool) * (2 if self._probe_s < _JOB_S else 1)
        groups = [tuple(islice(stream, size)) for _ in range(jobs)]
        outcomes: list[Outcome] = []
        patience_s = max(_LEAST_PATIENCE_S, limit_s)
        for group in self._pool.run_groups(self._subject.spec, self._subject.target.name, groups, timeout_s=patience_s):
            self._probe_s = self._mean_search_s(group) or self._probe_s
            outcomes += group
        return outcomes

    def _mean_search_s(self, outcomes: Sequence[Outcome]) -> float | None:
        """A search that took too long counts with the limit of a job, other failures do not."""
        times_s = [each.search_s for each in outcomes if isinstance(each, Candidate) and each.search_s is not None]
        timeouts = sum(isinstance(each, Failure) and each.kind == "timeout" for each in outcomes)
        times_s += [_LEAST_PATIENCE_S] * timeouts
        return sum(times_s) / len(times_s) if times_s else None
