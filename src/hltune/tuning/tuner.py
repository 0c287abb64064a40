"""Tuning of one pipeline on one machine: one round after the other."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hltune.commands.schedule import DEFAULT
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.scorer import Validation
from hltune.machine.protocol import Session
from hltune.runtime.progress import Progress
from hltune.search.autoschedulers import Li2018Options, Mullapudi2016Options, SearchOptions
from hltune.search.jobs import Candidate
from hltune.search.mutation.mutants import PARENTS, mutants
from hltune.tuning.history import History
from hltune.tuning.model import Model
from hltune.tuning.options import TuneOptions
from hltune.tuning.pool import Pool
from hltune.tuning.searcher import Searcher, origin_of
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.sample import Origin
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.subject import Subject

BASELINE = "adams2019"
"""Name of the schedule that beam search with the built-in weights finds."""
_LEAST_DRAWING_S = 2.0
_SHORTEST_ROUND = 0.3
_EXHAUSTED_AFTER = 3
_FINAL_TURNS_S = 0.6
"""Timing of one schedule in the final comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did.

    Attributes:
        number: of this pipeline on this machine; goes on from run to run.
        best_s: the fastest schedule of all rounds; None as long as every candidate has failed.
        beam_s: running time of what beam search finds with the weights of the round; None if it failed.
        searches: that were run.
        known: of those, how many found what had been found before.
        measured: candidates, failed ones included.
        failures: of the candidates.
        validations: of the scorers on held-out samples, after the round; empty with too few samples or no time.
        held_out: how many samples that were.
        chooser: name of the scorer that chooses in the next round; None if nothing was learned.
        search_s: wall time of searching.
        measure_s: of compiling, verifying and measuring.
        learn_s: of training and judging.
    """

    pipeline: str
    number: int
    best_s: float | None
    beam_s: float | None
    searches: int
    known: int
    measured: int
    failures: tuple[Failure, ...]
    validations: tuple[Validation, ...]
    held_out: int
    selected: str | None
    search_s: float
    measure_s: float
    learn_s: float

    @property
    def seconds(self) -> float:
        """Wall time."""
        return self.search_s + self.measure_s + self.learn_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a round may still use.

    Attributes:
        end_s: by the monotonic clock.
        samples: measurements.
    """

    end_s: float = math.inf
    samples: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the searches of a round found.

    Attributes:
        candidates: to measure, by the hash of their schedule.
        beams: hash of what each beam search found, None if it failed; in the order of `weights`.
        searches: that were run.
        known: schedules that they found again.
    """

    candidates: dict[str, Candidate]
    weights: tuple[Weights, ...]
    beams: tuple[str | None, ...]
    searches: int
    known: int


class Tuner:
    """One pipeline under tuning. Used by one thread.

    Args:
        subject: the pipeline.
        options: of the run.
        history: its samples; tuning continues where they end.
        model: its weights.
        session: measures candidates.
        searcher: finds them.
        rng: of what is left to chance.

    Attributes:
        references: schedules that are measured whatever the model thinks of them: the default one, those written by
            hand and those of Halide's autoschedulers, by name.
        failed: those of the references that failed in this run.
        history: see above.
        model: see above.
    """

    def __init__(
        self,
        subject: Subject,
        options: TuneOptions,
        *,
        history: History,
        model: Model,
        session: Session,
        searcher: Searcher,
        rng: np.random.Generator,
    ) -> None:
        self.subject = subject
        self.history = history
        self.references: dict[str, Schedule] = {DEFAULT: Schedule(), **subject.hand_written}
        self.failed: dict[str, Failure] = {}
        self._options = options
        self.model = model
        self._session = session
        self._searcher = searcher
        self._rng = rng
        self._pool = Pool(options.pool)
        self._round = history.last_round
        self._idle_rounds = 0
        self._last_round_s: float | None = None
        self._seconds_per_candidate = 1.0

    @property
    def exhausted(self) -> bool:
        """Whether searches have found nothing new for several rounds."""
        return self._idle_rounds >= _EXHAUSTED_AFTER

    @property
    def shortest_round_s(self) -> float:
        """With less time than this, another round is not worth its searches."""
        return _SHORTEST_ROUND * self._round_s()

    @property
    def finals_s(self) -> float:
        """How long the final comparison will take, roughly: if it times, it compiles in one process."""
        each_s = self._seconds_per_candidate
        if not self._session.side_by_side:
            each_s = each_s * self._options.workers + _FINAL_TURNS_S
        return each_s * (self._options.finalists + len(self.references) - len(self.failed))

    def begin(self, progress: Progress) -> list[Failure | None]:
        """Finds the references and measures those that are new; returns what failed, and None for what did not.

        The model then learns from what earlier runs left.
        """
        name = self.subject.spec.name
        progress.phase(f"{name}: known schedules")
        origins = {key: Origin(search=json.dumps({"name": key})) for key in self.references}
        found: dict[str, Candidate] = {}
        for key, candidate in self._stock_candidates(progress):
            self.references[key] = candidate.schedule
            found[key], origins[key] = candidate, origin_of(candidate.options, 0)
        self._session.ready()
        # Of equal schedules the last one is measured, which has a featurization if any of them has.
        names = {schedule_hash(schedule): key for key, schedule in self.references.items()}
        new = {key: self.references[key] for text, key in names.items() if text not in self.history}
        outcomes: list[Failure | None] = []
        done_s = [time.monotonic()]
        with contextlib.closing(self._session.measure_each(new.items(), best=None)) as measurements:
            for key, measurement in measurements:
                self.history.keep(new[key], found.get(key), origins[key], measurement)
                outcomes.append(measurement if isinstance(measurement, Failure) else None)
                done_s.append(time.monotonic())
                if isinstance(measurement, Failure):
                    self.failed[key] = measurement
                    progress.note(f"{name}: {key} failed. {measurement}")
        self._time_candidates(done_s)
        self.model.prepare(self.history.samples())
        return outcomes

    def round(self, limits: Limits, progress: Progress) -> Round:
        """Searches, measures, stores and learns once."""
        self._round += 1
        began_s = time.monotonic()
        found = self._search(limits, progress)
        searched_s = time.monotonic()
        end_s = min(limits.end_s, searched_s + self._options.round_s)
        measured = self._measure(found.candidates, replace(limits, end_s=end_s), progress)
        measured_s = time.monotonic()
        self._say(progress, "learning")
        times_s = [None if key is None else self.history.time_s(key) for key in found.beams]
        self.model.rank(tuple(zip(found.weights, times_s, strict=True)), len(self.history), self._round)
        learned = self.model.learn(self.history.samples(), self._round) if measured_s < limits.end_s else None
        done = Round(
            pipeline=self.subject.spec.name,
            number=self._round,
            best_s=self.history.best_s,
            beam_s=times_s[0],
            searches=found.searches,
            known=found.known,
            measured=len(measured),
            failures=tuple(each for each in measured if each is not None),
            validations=learned.validations if learned else (),
            held_out=learned.held_out if learned else 0,
            selected=learned.selected if learned else None,
            search_s=searched_s - began_s,
            measure_s=measured_s - searched_s,
            learn_s=time.monotonic() - measured_s,
        )
        self._last_round_s = done.seconds
        self._idle_rounds = 0 if measured else self._idle_rounds + 1
        return done

    def _search(self, limits: Limits, progress: Progress) -> _Found:
        """Beam searches, whose results are all measured, and probes, among which the model chooses."""
        self._say(progress, "searching")
        model, options = self.model, self._options
        beams = self._searcher.beams(model.weights, model.best)
        keys = tuple(schedule_hash(each.schedule) if isinstance(each, Candidate) else None for _, each in beams)
        chosen = {
            key: each
            for key, (_, each) in zip(keys, beams, strict=True)
            if key is not None and isinstance(each, Candidate) and key not in self.history
        }
        for key in chosen:
            self._pool.discard(key)
        batch = self._batch(limits)
        wanted = max(0, round((1 - options.mutant_share) * batch) - len(chosen))
        drawn = self._searcher.probes(
            (model.weights, model.best, model.initial),
            self._round,
            wanted=wanted * options.oversampling,
            limit_s=min(self._drawing_limit_s(), limits.end_s - time.monotonic()),
            known=lambda key: key in self.history or key in self._pool or key in chosen,
        )
        self._searcher.forget_weights()
        self._pool.add(drawn.candidates)
        for failure in drawn.failures[:1]:
            progress.note(f"{self.subject.spec.name}: {len(drawn.failures)} searches failed, as this one: {failure}")
        again = sum(key is not None and key in self.history for key in keys)
        chosen |= self._pool.take(wanted, model.predictor, random_share=options.random_share, rng=self._rng)
        # Where searches find too little that is new, there are more mutants.
        chosen |= mutants(
            self.history.best(PARENTS),
            self.subject.spec.funcs,
            self._rng,
            wanted=max(0, batch - len(chosen)),
            known=lambda key: key in self.history or key in chosen,
        )
        return _Found(
            candidates=chosen,
            weights=tuple(weights for weights, _ in beams),
            beams=keys,
            searches=len(beams) + drawn.searches,
            known=again + drawn.searches - len(drawn.candidates) - len(drawn.failures),
        )

    def _measure(self, candidates: dict[str, Candidate], limits: Limits, progress: Progress) -> list[Failure | None]:
        """Measures and stores candidates while there is time; returns what failed, and None for what did not."""
        outcomes: list[Failure | None] = []
        allowed = dict(list(candidates.items())[: limits.samples])

        def in_time() -> Iterator[tuple[str, Schedule]]:
            for key, candidate in allowed.items():
                if time.monotonic() >= limits.end_s:
                    return
                yield key, candidate.schedule

        done_s = [time.monotonic()]
        measurements = self._session.measure_each(in_time(), best=self.history.best_s)
        with contextlib.closing(measurements):
            for key, measurement in measurements:
                candidate = candidates[key]
                origin = origin_of(candidate.options, self._round)
                self.history.keep(candidate.schedule, candidate, origin, measurement)
                outcomes.append(measurement if isinstance(measurement, Failure) else None)
                done_s.append(time.monotonic())
                self._say(progress, f"measuring {len(outcomes)} of {len(allowed)}")
        self._time_candidates(done_s)
        self._pool.add({key: candidate for key, candidate in candidates.items() if key not in self.history})
        return outcomes

    def _stock_candidates(self, progress: Progress) -> Iterator[tuple[str, Candidate]]:
        parallelism = self._options.search.parallelism
        searches: tuple[SearchOptions, ...] = (
            replace(self._options.search, weights=None),
            Mullapudi2016Options(parallelism=parallelism),
            Li2018Options(parallelism=parallelism),
        )
        for search, outcome in zip(searches, self._searcher.run(searches), strict=True):
            if isinstance(outcome, Failure):
                progress.note(f"{self.subject.spec.name}: {search.autoscheduler} failed. {outcome}")
            else:
                yield search.autoscheduler.lower(), outcome

    def _batch(self, limits: Limits) -> int:
        """Candidates of a round; fewer in the last one, if there is no time for all."""
        share = (limits.end_s - time.monotonic()) / self._round_s()
        batch = max(self._options.beams, round(self._options.batch * min(1.0, share)))
        return batch if limits.samples is None else min(batch, limits.samples)

    def _round_s(self) -> float:
        """How long a full round takes, roughly."""
        measuring_s = self._options.batch * self._seconds_per_candidate
        return self._last_round_s or min(self._options.round_s, measuring_s) / (1 - self._options.search_share)

    def _drawing_limit_s(self) -> float:
        share = self._options.search_share
        measuring_s = min(self._options.round_s, self._options.batch * self._seconds_per_candidate)
        return max(_LEAST_DRAWING_S, share / (1 - share) * measuring_s)

    def _time_candidates(self, done_s: list[float]) -> None:
        """Estimates by the median, for one slow schedule says little about the others."""
        if len(done_s) > 1:
            self._seconds_per_candidate = float(np.median(np.diff(done_s)))

    def _say(self, progress: Progress, text: str) -> None:
        progress.phase(f"{self.subject.spec.name}, round {self._round}: {text}")
