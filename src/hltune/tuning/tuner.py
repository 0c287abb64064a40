"""Tuning of one pipeline on one machine: one round after the other."""

import contextlib
import time
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.scorer import Validation
from hltune.machine.protocol import Session
from hltune.runtime.progress import Progress
from hltune.search.autoschedulers import baselines
from hltune.search.mutation import PARENTS, mutants
from hltune.tuning.history import History
from hltune.tuning.model import Model
from hltune.tuning.options import TuneOptions
from hltune.tuning.pace import Limits, Pace
from hltune.tuning.pool import Pool
from hltune.tuning.searcher import Searcher
from hltune.values.candidate import Candidate
from hltune.values.cost import Measurement, count_repaired
from hltune.values.errors import Failure
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.subject import Subject

_EXHAUSTED_AFTER = 3
_MUTANT_SHARE = 0.5
"""Share of a round's candidates that is made by changing the best schedules."""
_OVERSAMPLING = 6
"""How many new schedules a round looks for, for every one that it measures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did.

    Attributes:
        number: counts the rounds of this pipeline on this machine, from run to run.
        best: cost of the fastest schedule of all rounds; None as long as every candidate has failed.
        beam: cost of what beam search finds with the weights of the round; None if it failed.
        known: how many of the searches found what had been found before.
        measured: candidates, failed ones included.
        repaired: those that were changed first, so that they stay inside of their images.
        validations: how the scorers did on held-out samples, after the round; empty with too few samples or no time.
        held_out: how many samples that were.
        selected: name of the scorer that chooses in the next round; None if nothing was learned.
    """

    pipeline: str
    number: int
    best: float | None
    beam: float | None
    searches: int
    known: int
    measured: int
    failures: tuple[Failure, ...]
    repaired: int
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


class _Found(NamedTuple):
    """What the searches of a round found: candidates by their hash; the weights of each beam search with its hash."""

    candidates: dict[str, Candidate]
    beams: list[tuple[Weights, str | None]]
    searches: int
    known: int


@dataclass(kw_only=True)
class Tuner:
    """One pipeline under tuning, which continues where the history ends. Used by one thread.

    Attributes:
        references: candidates that are measured whatever the model thinks of them: the default one, those written by
            hand and those of Halide's autoschedulers, by name.
        failed: references that failed in this run, by name.
    """

    subject: Subject
    options: TuneOptions
    history: History
    model: Model
    session: Session
    searcher: Searcher
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.references = self.subject.known_by_name()
        self.failed: dict[str, Failure] = {}
        self.pace = Pace(self.options)
        self._pool = Pool()
        self._round = self.history.last_round
        self._idle_rounds = 0

    @property
    def exhausted(self) -> bool:
        """Searches have found nothing new for several rounds."""
        return self._idle_rounds >= _EXHAUSTED_AFTER

    @property
    def finals_s(self) -> float:
        """How long the final comparison will take, roughly."""
        references = len(self.references) - len(self.failed)
        return self.pace.finals_s(references, side_by_side=self.session.side_by_side)

    def begin(self, progress: Progress) -> list[Measurement]:
        """Finds the references and measures those that are new; returns their measurements.

        The model then learns from what earlier runs left.
        """
        name = self.subject.spec.name
        progress.phase(f"{name}: known schedules")
        self.references |= self._baselines(progress)
        self.session.ready()
        # Of equal schedules the last one is measured, which has features if any of them has.
        names = {schedule_hash(each.schedule): key for key, each in self.references.items()}
        new = {key: self.references[key] for text, key in names.items() if text not in self.history}
        measured: list[Measurement] = []
        with contextlib.closing(self.history.measure(self.session, new, best=None)) as measurements:
            for key, measurement in self.pace.seen(measurements):
                measured.append(measurement)
                if isinstance(measurement, Failure):
                    self.failed[key] = measurement
                    progress.note(f"{name}: {key} failed. {measurement}")
        self.model.prepare(self.history.samples())
        return measured

    def round(self, limits: Limits, progress: Progress) -> Round:
        """Searches, measures, stores and learns once."""
        self._round += 1
        began_s = time.monotonic()
        found = self._search(limits, progress)
        searched_s = time.monotonic()
        end_s = min(limits.end_s, searched_s + self.options.round_s)
        measured = self._measure_new(found.candidates, replace(limits, end_s=end_s), progress)
        measured_s = time.monotonic()
        self._say(progress, "learning")
        beams = [(weights, None if key is None else self.history.cost(key)) for weights, key in found.beams]
        self.model.rank(beams, len(self.history), self._round)
        learned = self.model.learn(self.history.samples(), self._round) if measured_s < limits.end_s else None
        done = Round(
            pipeline=self.subject.spec.name,
            number=self._round,
            best=self.history.best_cost,
            beam=beams[0][1],
            searches=found.searches,
            known=found.known,
            measured=len(measured),
            failures=tuple(each for each in measured if isinstance(each, Failure)),
            repaired=count_repaired(measured),
            validations=learned.validations if learned else (),
            held_out=learned.held_out if learned else 0,
            selected=learned.selected if learned else None,
            search_s=searched_s - began_s,
            measure_s=measured_s - searched_s,
            learn_s=time.monotonic() - measured_s,
        )
        self.pace.saw_round(done.seconds)
        self._idle_rounds = 0 if measured else self._idle_rounds + 1
        return done

    def _search(self, limits: Limits, progress: Progress) -> _Found:
        """Beam searches, whose results are all measured, and probes, among which the model chooses."""
        self._say(progress, "searching")
        model, history = self.model, self.history
        beams: list[tuple[Weights, str | None]] = []
        chosen: dict[str, Candidate] = {}
        for weights, outcome in self.searcher.beams(model.weights, model.best):
            key = schedule_hash(outcome.schedule) if isinstance(outcome, Candidate) else None
            beams.append((weights, key))
            if isinstance(outcome, Candidate) and key is not None and key not in history:
                chosen[key] = outcome
                self._pool.discard(key)
        batch = self.pace.batch(limits)
        wanted = max(0, round((1 - _MUTANT_SHARE) * batch) - len(chosen))
        probed, outcomes = self.searcher.probes(
            (model.weights, model.best, model.initial),
            self._round,
            wanted=wanted * _OVERSAMPLING,
            limit_s=min(self.pace.probing_s, limits.end_s - time.monotonic()),
            known=lambda key: key in history or key in self._pool or key in chosen,
        )
        self._pool.add(probed)
        failures = [each for each in outcomes if isinstance(each, Failure)]
        for failure in failures[:1]:
            progress.note(f"{self.subject.spec.name}: {len(failures)} searches failed, as this one: {failure}")
        again = sum(key is not None and key in history for _, key in beams)
        chosen |= self._pool.take(wanted, model.predictor, random_share=self.options.random_share, rng=self.rng)
        # Where searches find too little that is new, there are more mutants.
        chosen |= mutants(
            history.best(PARENTS),
            self.subject.spec.funcs,
            self.rng,
            wanted=max(0, batch - len(chosen)),
            known=lambda key: key in history or key in chosen,
        )
        known = again + len(outcomes) - len(probed) - len(failures)
        return _Found(chosen, beams, searches=len(beams) + len(outcomes), known=known)

    def _measure_new(self, candidates: dict[str, Candidate], limits: Limits, progress: Progress) -> list[Measurement]:
        """Measures and stores candidates while there is time; those that are left go to the pool."""
        allowed = dict(islice(candidates.items(), limits.samples))
        best, end_s = self.history.best_cost, limits.end_s
        measured: list[Measurement] = []
        with contextlib.closing(
            self.history.measure(self.session, allowed, best=best, end_s=end_s, round_number=self._round)
        ) as measurements:
            for _, measurement in self.pace.seen(measurements):
                measured.append(measurement)
                self._say(progress, f"measuring {len(measured)} of {len(allowed)}")
        self._pool.add({key: candidate for key, candidate in candidates.items() if key not in self.history})
        return measured

    def _baselines(self, progress: Progress) -> dict[str, Candidate]:
        searches = baselines(self.options.search)
        outcomes = self.searcher.run(list(searches.values()))
        found: dict[str, Candidate] = {}
        for (name, search), outcome in zip(searches.items(), outcomes, strict=True):
            if isinstance(outcome, Failure):
                progress.note(f"{self.subject.spec.name}: {search.autoscheduler} failed. {outcome}")
            else:
                found[name] = outcome
        return found

    def _say(self, progress: Progress, text: str) -> None:
        progress.phase(f"{self.subject.spec.name}, round {self._round}: {text}")
