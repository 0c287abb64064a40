"""One batch: a random program, its schedules, their running times, and the features of what they lower to.

Searches find half of the schedules; the others are mutants of these, for a ranker has to know what it chooses among.
One more computes every Func at root: what the algorithm needs, whatever the schedule.

Which programs and schedules come depends on the seed, the number of the batch and the weights alone, not on running
times, so that a batch that was cut off is completed by the same schedules.
"""

import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np

from hltune.cost_model.adams2019.weights import Weights, vary
from hltune.lowered.many import Lowering, features_of_each
from hltune.machine.inputs import Inputs
from hltune.machine.protocol import Machine
from hltune.machine.quiet import say_if_busy
from hltune.machine.sensitivity import every_func_at_root
from hltune.pipeline.target import TargetInfo
from hltune.pretraining.options import PretrainOptions
from hltune.programs.program import ProgramJob
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker
from hltune.samples.writer import Store
from hltune.search.mutation import Parent, mutants
from hltune.search.pool import Outcome, SearchPool
from hltune.search.probes import probes, varied
from hltune.tuning.history import History
from hltune.values.candidate import Candidate
from hltune.values.cost import Measurement
from hltune.values.errors import Failure, HltuneError, JobFailed
from hltune.values.pipeline import PipelineSpec
from hltune.values.program_features import ProgramFeatures
from hltune.values.provenance import Named
from hltune.values.sample import PipelineRecord
from hltune.values.schedule_codec import schedule_hash

SEARCH_TIMEOUT_S = 5.0
"""Limit on each search; a program whose greedy searches exceed it, too, is rejected."""
ATTEMPTS = 32
"""Programs of a batch; all but the first replace a rejected one."""
_PROGRAMS_PER_SEED = 10**8
_CURRENT_SIGMA = 0.3
"""How far the weights of a third beam search are from those under training."""
_PROBES_PER_VARIANT = 2
_PROBES_PER_JOB = 4
_OVERSAMPLING = 8
_LEAST_SHARE = 0.5
"""Share of the schedules that were asked for: with fewer different ones, a program is rejected."""
_DRAFTS_PER_MUTANT = 2
"""Halide refuses to lower some, and others come to the same program."""
_MUTATING = 1
"""Keeps what is left to chance there apart from searches."""
_LONGEST_LOWERING_S = 5.0
ROOT = "root"
_LEAST_FUNCS = 3
_CHEAPEST_MS, _COSTLIEST_MS = 0.05, 50.0
"""Predicted running time of what beam search finds, by weights that may be off by a factor of two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What became of a batch, counted from 0.

    Attributes:
        name: name of the program.
        measured: schedules in this run, failed ones included.
        rejected: why each program before this one was not used.
        seconds: wall time.
        search_s: how much of it went into making programs and searching.
    """

    number: int
    name: str
    measured: int
    failures: tuple[Failure, ...]
    rejected: tuple[str, ...]
    seconds: float
    search_s: float


class RejectedError(Exception):
    """A program is not worth measuring; the message is the reason, the same words for the same reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batcher:
    """Makes and measures batches. Used by one thread.

    Attributes:
        initial: weights that most searches vary.
        maker: process that makes one program and is replaced then.
    """

    options: PretrainOptions
    initial: Weights
    target: TargetInfo
    machine: Machine
    pool: SearchPool
    maker: Worker
    store: Store

    def run(self, number: int, own: Weights, progress: Progress) -> Batch:
        """Measures the batch with this number, counted from 0, or what is missing of it.

        Searches also use `own`, the weights that are being trained. Raises HltuneError if no program is usable.
        """
        began_s = time.monotonic()
        rejected: list[str] = []
        for attempt in range(ATTEMPTS):
            seed = self.options.search.seed * _PROGRAMS_PER_SEED + number * ATTEMPTS + attempt
            progress.phase(f"batch {number + 1} of {self.options.batches}: program {seed}")
            try:
                spec = self._program(seed)
                measurements, measuring_s = self.measure(spec, number, own, progress, wanted=self.options.schedules)
            except RejectedError as rejection:
                rejected.append(str(rejection))
                continue
            seconds = time.monotonic() - began_s
            return Batch(
                number=number,
                name=spec.name,
                measured=len(measurements),
                failures=tuple(each for each in measurements if isinstance(each, Failure)),
                rejected=tuple(rejected),
                seconds=seconds,
                search_s=seconds - measuring_s,
            )
        what, where, expected = "no random program is usable", f"batch {number + 1}", f"1 of {ATTEMPTS}"
        found = ", ".join(sorted(set(rejected)))
        raise HltuneError(
            what,
            where=where,
            expected=expected,
            found=found,
            todo="start over with --fresh and another --seed; all samples are kept",
        )

    def _program(self, seed: int) -> PipelineSpec:
        try:
            spec = self.maker.run(ProgramJob(seed=seed)).spec
        except JobFailed as failed:
            raise RejectedError("not a program") from failed
        if len(spec.funcs) < _LEAST_FUNCS:
            raise RejectedError("trivial")
        # Floats never turn into integers, so that a program has them outside if it has them at all.
        dtypes = [*(each.dtype for each in spec.inputs), *(dtype for each in spec.outputs for dtype in each.dtypes)]
        if not self.target.float_vectors and any(dtype.startswith("float") for dtype in dtypes):
            raise RejectedError("floats, which the target has no vectors of")
        return spec

    def _search(self, spec: PipelineSpec, number: int, own: Weights, *, wanted: int) -> dict[str, Candidate]:
        """Distinct schedules by their hash: those of beam searches, then random probes."""
        search, pool = self.options.search, self.pool
        rng = np.random.default_rng([search.seed, number])
        weights = [self.initial, own, vary(own, rng, _CURRENT_SIGMA)]
        beams = [replace(search, weights=pool.weights_file(each), seed=0) for each in weights]
        found: dict[str, Candidate] = {}
        outcomes = pool.run(spec, self.target.name, beams)
        if isinstance(outcomes[0], Failure) and outcomes[0].kind == "timeout":  # greedy search is the last resort
            beams = [replace(each, beam_size=1, num_passes=None) for each in beams]
            outcomes = pool.run(spec, self.target.name, beams)
        _check_cost(outcomes[0])
        _take(found, outcomes)
        variants = map(pool.weights_file, varied([self.initial], rng))
        stream = probes(search, variants, round_number=number, each=_PROBES_PER_VARIANT)
        jobs = _OVERSAMPLING * wanted // _PROBES_PER_JOB
        while jobs and len(found) < wanted:  # however many workers there are, the first probes are taken
            groups = [tuple(islice(stream, _PROBES_PER_JOB)) for _ in range(min(jobs, len(pool)))]
            jobs -= len(groups)
            outcomes = list(chain.from_iterable(pool.run_groups(spec, self.target.name, groups)))
            if any(isinstance(each, Failure) and each.kind == "timeout" for each in outcomes):
                raise RejectedError("searched for too long")
            _take(found, outcomes)
        pool.forget_weights()
        if len(found) < _LEAST_SHARE * wanted:
            raise RejectedError("few schedules")
        return dict(islice(found.items(), wanted))

    def measure(
        self, spec: PipelineSpec, number: int, own: Weights, progress: Progress, *, wanted: int
    ) -> tuple[list[Measurement], float]:
        """Finds schedules of a pipeline, and measures and stores those that were not measured before.

        The number keeps the seeds of variants and probes apart. Returns costs and failures, and how long it took to
        measure them, in seconds. Raises RejectedError if it is not worth measuring, or has too few schedules.
        """
        # Inlined everywhere, as by default, many a program would recompute for hours.
        with self.machine.session(spec, Inputs(), reference=every_func_at_root(spec)) as session:
            searched = self._search(spec, number, own, wanted=wanted)
            try:
                session.ready()
            except HltuneError as error:
                raise RejectedError("its outputs take too long") from error
            programs, candidates = self._with_mutants(spec, searched, number)
            self.store.add_pipeline(PipelineRecord.of(spec))
            history = History(spec, self.machine.identity, self.store)
            new = {key: candidate for key, candidate in candidates.items() if key not in history}
            began_s = time.monotonic()
            with closing(history.measure(session, new, best=history.best_cost)) as measured:
                measurements = [each for _, each in measured]
            known = history.programs()
            history.keep_programs({key: each for key, each in programs.items() if key not in known})
            say_if_busy(session, spec.name, progress)
        return measurements, time.monotonic() - began_s

    def _with_mutants(
        self, spec: PipelineSpec, searched: dict[str, Candidate], number: int
    ) -> tuple[dict[str, ProgramFeatures], dict[str, Candidate]]:
        """Features of programs, and what is to be measured, both by the hash of the schedule.

        As many mutants as searched schedules, if there are so many that lower to programs of their own; then the one
        with every Func at root, which is slow. Raises RejectedError if lowering takes too long, for else it would
        depend on the time which mutants there are.
        """
        rng = np.random.default_rng([self.options.search.seed, number, _MUTATING])
        parents = [Parent(each.schedule, 1.0) for each in searched.values()]
        wanted = _DRAFTS_PER_MUTANT * len(searched)
        drafts = mutants(parents, spec.funcs, rng, wanted=wanted, known=searched.__contains__)
        root = Candidate(schedule=every_func_at_root(spec), provenance=Named(name=ROOT))
        at_root = {schedule_hash(root.schedule): root}
        lowered = self._lowered(spec, at_root | drafts | searched)
        programs = {key: each for key, each in lowered.items() if isinstance(each, ProgramFeatures)}
        known = [key for key in (*searched, *at_root) if key in programs]
        by_text = {programs[key].program_hash: key for key in known}
        for key in drafts:
            if key in programs:
                by_text.setdefault(programs[key].program_hash, key)
        new = [key for key in by_text.values() if key in drafts and key not in known]
        chosen = {key: drafts[key] for key in new[: len(searched)]}
        return programs, searched | chosen | at_root

    def _lowered(self, spec: PipelineSpec, candidates: dict[str, Candidate]) -> dict[str, ProgramFeatures | Failure]:
        lowering = Lowering(
            spec=spec, target=self.target, cores=self.machine.identity.threads, timeout_s=_LONGEST_LOWERING_S
        )
        schedules = {key: each.schedule for key, each in candidates.items()}
        lowered = dict(features_of_each(lowering, schedules, self.pool.workers))
        if any(isinstance(each, Failure) and each.kind == "timeout" for each in lowered.values()):
            raise RejectedError("lowered for too long")
        return lowered


def _take(found: dict[str, Candidate], outcomes: Iterable[Outcome]) -> None:
    """Adds what the cost model can learn from."""
    for outcome in outcomes:
        if isinstance(outcome, Candidate) and outcome.features is not None:
            found.setdefault(schedule_hash(outcome.schedule), outcome)


def _check_cost(outcome: Outcome) -> None:
    if isinstance(outcome, Failure):
        raise RejectedError("searched for too long" if outcome.kind == "timeout" else "search failed")
    if outcome.predicted_ms is None or outcome.predicted_ms < _CHEAPEST_MS:
        raise RejectedError("too cheap")
    if outcome.predicted_ms > _COSTLIEST_MS:
        raise RejectedError("too expensive")
