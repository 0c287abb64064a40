"""Tuning of one pipeline on one machine: its samples, its weights, and one round after the other."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from hltune.autoschedule import DEFAULT
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.learner import LEAST_SAMPLES, Learned, learn
from hltune.cost_model.lineage import BEAM_S, Lineage
from hltune.cost_model.scorer import Predictor, Validation
from hltune.cost_model.sidecar import Origin as WeightsOrigin
from hltune.cost_model.sidecar import PipelineUse
from hltune.cost_model.weights import Weights, builtin_weights, read_weights, weights_hash
from hltune.errors import Failure
from hltune.machine.protocol import Cost, Measurement, Session
from hltune.progress import Progress
from hltune.samples.record import MachineInfo, Origin, Sample, Timing
from hltune.samples.store import Store
from hltune.schedule.codec import schedule_hash
from hltune.schedule.directives import Schedule
from hltune.search.job import Candidate
from hltune.search.options import Li2018Options, Mullapudi2016Options, SearchOptions
from hltune.subject import Subject
from hltune.tuning.options import TuneOptions
from hltune.tuning.pool import Pool, featurization_of
from hltune.tuning.searcher import Searcher, origin_of

STOCK = "adams2019"
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
        known: schedules that they found again.
        measured: candidates, failed ones included.
        failures: of the candidates.
        validations: of the scorers on held-out samples, after the round; empty with too few samples or no training.
        held_out: how many samples that were.
        chooser: name of the scorer that chooses in the next round; None if it is chance.
        search_s: wall time of searching.
        measure_s: of compiling, verifying and timing.
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
    chooser: str | None
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


class Tuner:
    """One pipeline under tuning. Used by one thread.

    Attributes:
        references: schedules that are measured whatever the model thinks of them: the default one, those written by
            hand and those of Halide's autoschedulers, by name.
        best_s: the fastest known schedule.
    """

    def __init__(
        self,
        subject: Subject,
        options: TuneOptions,
        *,
        machine: MachineInfo,
        store: Store,
        lineage: Lineage,
        session: Session,
        searcher: Searcher,
        generator: np.random.Generator,
    ) -> None:
        """Continues where the last run stopped.

        Raises:
            InputError: the samples or the weights of earlier runs are damaged, or come from other initial weights.
        """
        self.subject = subject
        self.references: dict[str, Schedule] = {DEFAULT: Schedule(), **subject.hand_written}
        self._options = options
        self._machine = machine
        self._store = store
        self._lineage = lineage
        self._session = session
        self._searcher = searcher
        self._generator = generator
        self._initial = read_weights(options.search.weights) if options.search.weights else builtin_weights()
        latest, best = (lineage.read(kind, self._initial) for kind in ("latest", "best"))
        self._weights = latest.weights if latest else self._initial
        self._state = latest.optimizer_state if latest else None
        self._best_weights = best.weights if best else self._weights
        self._beam_s = (best.sidecar.origin.metrics.get(BEAM_S) if best else None) or math.inf
        self._times_s = store.times(subject.spec.content_hash, machine.key)
        self._round = store.last_round(subject.spec.content_hash, machine.key)
        self._pool = Pool(options.pool)
        self._predictor: Predictor | None = None
        self._idle_rounds = 0
        self._measured = 0
        self._last_round_s: float | None = None
        self._seconds_per_candidate = 1.0

    @property
    def best_s(self) -> float | None:
        """The fastest known schedule."""
        return min((value for value in self._times_s.values() if value is not None), default=None)

    @property
    def exhausted(self) -> bool:
        """Whether searches have found nothing new for several rounds."""
        return self._idle_rounds >= _EXHAUSTED_AFTER

    def finals_s(self, finalists: int) -> float:
        """How long the final comparison will take, roughly: it compiles in one process."""
        each_s = self._seconds_per_candidate * self._machine.threads + _FINAL_TURNS_S
        return each_s * (finalists + len(self.references))

    def begin(self, progress: Progress) -> int:
        """Finds and measures the references and learns from old samples; returns how many it had to measure."""
        progress.phase(f"{self.subject.spec.name}: known schedules")
        candidates: dict[str, tuple[Schedule, Candidate | None, Origin]] = {
            schedule_hash(schedule): (schedule, None, Origin(search=json.dumps({"name": name})))
            for name, schedule in self.references.items()
        }
        for name, candidate in self._stock_candidates(progress):
            self.references[name] = candidate.schedule
            origin = origin_of(candidate.options, 0)
            candidates.setdefault(schedule_hash(candidate.schedule), (candidate.schedule, candidate, origin))
        new = {key: value for key, value in candidates.items() if key not in self._times_s}
        self._session.ready()
        began_s = time.monotonic()
        for key, measurement in self._session.measure_each(((k, v[0]) for k, v in new.items()), best=None):
            schedule, candidate, origin = new[key]
            self._keep(schedule, candidate, origin, measurement)
            if isinstance(measurement, Failure):
                progress.note(f"{self.subject.spec.name}: {self._name(schedule)} failed. {measurement}")
        self._time_candidates(len(new), began_s)
        learned = self._learn()
        self._predictor = learned.predictor if learned else None
        return len(new)

    def round(self, limits: Limits, progress: Progress) -> Round:
        """Searches, measures, stores and trains once."""
        self._round += 1
        began_s = time.monotonic()
        self._say(progress, "searching")
        beams = self._searcher.beams(self._weights, self._best_weights)
        found = {schedule_hash(each.schedule): each for _, each in beams if isinstance(each, Candidate)}
        known = sum(key in self._times_s for key in found)
        chosen = {key: candidate for key, candidate in found.items() if key not in self._times_s}
        wanted = max(0, self._batch(limits) - len(chosen))
        drawn = self._searcher.probes(
            (self._weights, self._best_weights, self._initial),
            self._round,
            wanted=wanted * self._options.draws_per_candidate,
            limit_s=self._drawing_limit_s(),
            known=lambda key: key in self._times_s or key in self._pool or key in chosen,
        )
        self._pool.add(drawn.candidates)
        chosen |= self._pool.take(
            wanted, self._predictor, random_share=self._options.random_share, generator=self._generator
        )
        self._searcher.forget_weights()
        searched_s = time.monotonic()
        failures = self._measure(chosen, replace(limits, end_s=min(limits.end_s, searched_s + self._options.round_s)),
                                 progress)  # fmt: skip
        measured_s = time.monotonic()
        self._say(progress, "learning")
        beam_s = self._judge_weights(beams)
        learned = self._learn() if measured_s < limits.end_s else None
        if learned is not None:
            self._accept(learned)
        done = Round(
            pipeline=self.subject.spec.name,
            number=self._round,
            best_s=self.best_s,
            beam_s=beam_s,
            searches=len(beams) + drawn.searches,
            known=known + drawn.searches - len(drawn.candidates) - len(drawn.failures),
            measured=self._measured,
            failures=failures,
            validations=learned.validations if learned else (),
            held_out=learned.held_out if learned else 0,
            chooser=learned.chooser if learned else None,
            search_s=searched_s - began_s,
            measure_s=measured_s - searched_s,
            learn_s=time.monotonic() - measured_s,
        )
        self._last_round_s = done.seconds
        return done

    @property
    def shortest_round_s(self) -> float:
        """With less time than this, another round is not worth its searches."""
        return _SHORTEST_ROUND * self._round_s()

    def _round_s(self) -> float:
        """How long a full round takes, roughly."""
        measuring_s = self._options.batch * self._seconds_per_candidate
        return self._last_round_s or min(self._options.round_s, measuring_s) / (1 - self._options.search_share)

    def _batch(self, limits: Limits) -> int:
        """Candidates of a round; fewer in the last one, if there is no time for all."""
        share = (limits.end_s - time.monotonic()) / self._round_s()
        return max(self._options.beams, round(self._options.batch * min(1.0, share)))

    def _drawing_limit_s(self) -> float:
        share = self._options.search_share
        return max(_LEAST_DRAWING_S, share / (1 - share) * self._options.batch * self._seconds_per_candidate)

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

    def _measure(self, candidates: dict[str, Candidate], limits: Limits, progress: Progress) -> tuple[Failure, ...]:
        failures: list[Failure] = []
        began_s = time.monotonic()
        self._measured = 0
        allowed = list(candidates.items())[: limits.samples]

        def in_time() -> Iterator[tuple[str, Schedule]]:
            for key, candidate in allowed:
                if time.monotonic() >= limits.end_s:
                    return
                yield key, candidate.schedule

        with contextlib.closing(self._session.measure_each(in_time(), best=self.best_s)) as measurements:
            for key, measurement in measurements:
                candidate = candidates[key]
                self._keep(candidate.schedule, candidate, origin_of(candidate.options, self._round), measurement)
                self._measured += 1
                if isinstance(measurement, Failure):
                    failures.append(measurement)
                self._say(progress, f"measuring {self._measured} of {len(allowed)}")
        self._time_candidates(self._measured, began_s)
        self._idle_rounds = 0 if self._measured else self._idle_rounds + 1
        return tuple(failures)

    def _time_candidates(self, count: int, began_s: float) -> None:
        if count:
            self._seconds_per_candidate = (time.monotonic() - began_s) / count

    def _keep(self, schedule: Schedule, candidate: Candidate | None, origin: Origin, measurement: Measurement) -> None:
        """Stores a measurement; from then on it survives whatever happens."""
        sample = Sample(
            pipeline_hash=self.subject.spec.content_hash,
            machine=self._machine,
            schedule=schedule,
            featurization=candidate and featurization_of(candidate),
            measurement=_stored(measurement),
            origin=origin,
            measured_at_s=time.time(),
        )
        self._store.add(sample)
        self._times_s[sample.schedule_hash] = measurement.value if isinstance(measurement, Cost) else None

    def _learn(self) -> Learned | None:
        samples = self._samples()
        if samples is None or len(samples) < LEAST_SAMPLES:
            return None
        training = None if self._options.freeze else self._options.training
        return learn(self._weights, self._state, samples, training, seed=self._round)

    def _samples(self) -> Dataset | None:
        sets = self._store.training_data(
            self.subject.spec.content_hash, self._machine.key, newest=self._options.samples_learned
        )
        # More than one set only if the plugin saw other stages in earlier versions of itself.
        largest = max(sets, key=lambda data: len(data.times_s), default=None)
        return None if largest is None else Dataset.stored(largest, cores=self._machine.threads)

    def _accept(self, learned: Learned) -> None:
        self._predictor = learned.predictor
        if self._options.freeze:
            return
        self._weights, self._state = learned.weights, learned.state
        metrics = {f"{v.name}_pair_accuracy": v.pairs.accuracy for v in learned.validations}
        origin = self._weights_origin(learned.samples, metrics)
        self._lineage.write("latest", self._round, self._weights, origin, self._state)

    def _judge_weights(self, beams: Sequence[tuple[Weights, Candidate | Failure]]) -> float | None:
        """Keeps the weights whose beam search found the fastest schedule; returns the time of the first one's."""
        times_s = [self._times_s.get(schedule_hash(each.schedule)) if isinstance(each, Candidate) else None
                   for _, each in beams]  # fmt: skip
        for (weights, _), time_s in zip(beams, times_s, strict=True):
            if time_s is not None and time_s < self._beam_s:
                self._beam_s, self._best_weights = time_s, weights
                if not self._options.freeze:
                    origin = self._weights_origin(len(self._times_s), {BEAM_S: time_s})
                    self._lineage.write("best", self._round, weights, origin, None)
        return times_s[0]

    def _weights_origin(self, samples: int, metrics: dict[str, float | None]) -> WeightsOrigin:
        spec = self.subject.spec
        options = {k: v for k, v in asdict(self._options.training).items() if not isinstance(v, bool)}
        return WeightsOrigin(
            parent_hash=weights_hash(self._initial),
            pipelines=(PipelineUse(name=spec.name, pipeline_hash=spec.content_hash, samples=samples),),
            machine=self._machine.key,
            options=options,
            metrics=metrics,
        )

    def _name(self, schedule: Schedule) -> str:
        return next(name for name, known in self.references.items() if known == schedule)

    def _say(self, progress: Progress, text: str) -> None:
        progress.phase(f"{self.subject.spec.name}, round {self._round}: {text}")


def _stored(measurement: Measurement) -> Timing | Failure:
    if isinstance(measurement, Failure):
        return measurement
    return Timing(repeats_s=measurement.repeats, stopped_early=measurement.stopped_early)
