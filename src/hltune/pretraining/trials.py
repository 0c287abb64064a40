"""The schedules of one pipeline on one machine: found, lowered to features, measured, and stored.

Searches find half of the schedules; the others are mutants of these, see `hltune.pretraining.drafting`.
One more computes every Func at root: what the algorithm needs, whatever the schedule.
"""

import contextlib
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np

from hltune.cost_model.adams2019.weights import Weights, vary
from hltune.cost_model.programs import Programs
from hltune.lowered.job import Lowering
from hltune.lowered.many import features_of_each
from hltune.machine.inputs import Inputs
from hltune.machine.protocol import Machine, Session
from hltune.machine.quiet import much_waited, say_if_busy
from hltune.machine.reference import References
from hltune.machine.sensitivity import every_func_at_root
from hltune.pipeline.target import TargetInfo
from hltune.pretraining.drafting import drafted
from hltune.pretraining.options import PretrainOptions
from hltune.runtime.progress import Progress
from hltune.samples.writer import Store
from hltune.search.mutation import Parent
from hltune.search.pool import Outcome, SearchPool
from hltune.search.probes import probes, varied
from hltune.tuning.cases import Cases
from hltune.tuning.history import History
from hltune.values.candidate import Candidate
from hltune.values.cost import Measurement
from hltune.values.errors import Failure, InputError, JobFailed, NothingRuns
from hltune.values.pipeline import PipelineSpec
from hltune.values.program_features import ProgramFeatures
from hltune.values.provenance import Named
from hltune.values.sample import PipelineRecord
from hltune.values.schedule_codec import schedule_hash

SEARCH_TIMEOUT_S = 5.0
"""Limit on each search; a program whose greedy searches exceed it, too, is rejected."""
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
_MOST_AGAIN = 2
"""How often a batch is measured again where others had the processors."""
ROOT = "root"
_CHEAPEST_MS, _COSTLIEST_MS = 0.05, 50.0
"""Predicted running time of what beam search finds, by weights that may be off by a factor of two."""


class RejectedError(Exception):
    """A program is not worth measuring; the message is the reason, the same words for the same reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A pipeline whose schedules are found, ready to be measured.

    Attributes:
        candidates: by the hash of the schedule, those included that were measured before.
        programs: features of what they lower to, likewise.
    """

    session: Session
    history: History
    candidates: dict[str, Candidate]
    programs: dict[str, ProgramFeatures]

    def measure(self) -> Generator[Measurement | None]:
        """Measures what was not measured before, and yields each when it is in the store.

        While the machine is busy all is measured again, which yields None: the least of the costs counts, and nobody
        comes back to them.
        """
        new = {key: candidate for key, candidate in self.candidates.items() if key not in self.history}
        again = dict(new)
        with closing(self.history.measure(self.session, new, best=self.history.best_cost)) as measured:
            for key, each in measured:
                if isinstance(each, Failure) and each.kind != "timeout":
                    del again[key]
                yield each
        for _ in range(_MOST_AGAIN):
            if not again or much_waited(self.session) is None:
                return
            with closing(self.history.measure(self.session, again, best=self.history.best_cost)) as measured:
                for _ in measured:
                    yield None

    def keep_programs(self) -> None:
        """Keeps the features of what was measured."""
        known = self.history.program_hashes()
        self.history.keep_programs({key: each for key, each in self.programs.items() if key not in known})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """A machine, and what finds schedules for it. Used by one thread.

    Attributes:
        options: with a search for as many threads as the machine has.
        initial: weights that most searches vary.
        caches: bytes of its caches, the smallest first; empty where nobody knows.
    """

    options: PretrainOptions
    initial: Weights
    target: TargetInfo
    machine: Machine
    pool: SearchPool
    store: Store
    caches: tuple[int, ...] = ()

    @contextlib.contextmanager
    def begin(
        self, spec: PipelineSpec, number: int, own: Weights, progress: Progress, *, wanted: int
    ) -> Generator[Trial]:
        """Finds schedules of a pipeline, which can be measured as long as the context lasts.

        Searches also use `own`, the weights that are being trained. The number keeps the seeds of variants and probes
        apart. Raises RejectedError if the pipeline is not worth measuring, or has too few schedules.
        """
        # Inlined everywhere, as by default, many a program would recompute for hours.
        with self.machine.session(spec, Inputs(), References(believed=every_func_at_root(spec))) as session:
            searched = self._search(spec, number, own, wanted=wanted)
            _compute_outputs(session)
            programs, candidates = self._with_mutants(spec, searched, number)
            self.store.add_pipeline(PipelineRecord.of(spec))
            history = History(spec, self.machine.identity, self.store)
            trial = Trial(session=session, history=history, candidates=candidates, programs=programs)
            yield trial
            trial.keep_programs()
            say_if_busy(session, spec.name, progress, todo=f"the least of {1 + _MOST_AGAIN} measurements counts")

    def measure(self, spec: PipelineSpec, number: int, own: Weights, progress: Progress, *, wanted: int) -> None:
        """Finds, measures and stores schedules of a pipeline; see `begin`."""
        with self.begin(spec, number, own, progress, wanted=wanted) as trial:
            for _ in trial.measure():
                pass

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

    def _with_mutants(
        self, spec: PipelineSpec, searched: dict[str, Candidate], number: int
    ) -> tuple[dict[str, ProgramFeatures], dict[str, Candidate]]:
        """Features of programs, and what is to be measured, both by the hash of the schedule.

        As many mutants as searched schedules, if there are so many that lower to programs of their own; then the one
        with every Func at root, which is slow. Raises RejectedError if lowering or reading takes too long, for else it
        would depend on the time which mutants there are.
        """
        root = Candidate(schedule=every_func_at_root(spec), provenance=Named(name=ROOT))
        at_root = {schedule_hash(root.schedule): root}
        programs = self._lowered(spec, searched | at_root)
        known = [*programs]
        drafts = self._drafts(spec, {key: each for key, each in searched.items() if key in programs}, programs, number)
        programs |= self._lowered(spec, drafts)
        by_text = {programs[key].program_hash: key for key in known}
        for key in drafts:
            if key in programs:
                by_text.setdefault(programs[key].program_hash, key)
        new = [key for key in by_text.values() if key in drafts and key not in known]
        chosen = {key: drafts[key] for key in new[: len(searched)]}
        return programs, searched | chosen | at_root

    def _drafts(
        self, spec: PipelineSpec, searched: dict[str, Candidate], programs: dict[str, ProgramFeatures], number: int
    ) -> dict[str, Candidate]:
        """Changes of what was searched, and lowered, by the hash of the schedule; see `_with_mutants` for the error."""
        if not searched:
            return {}
        lowering, workers = self._lowering(spec), self.pool.workers
        counted = self.machine.identity.unit.counted
        cases = Cases(lowering=lowering, workers=workers, caches=self.caches, counted=counted)
        costs = Programs.of([programs[key] for key in searched], cores=lowering.cores).log_t0()
        best = [*searched.values()][int(costs.argmin())]
        rng = np.random.default_rng([self.options.search.seed, number, _MUTATING])
        found = drafted(searched, best.schedule, cases, rng, wanted=_DRAFTS_PER_MUTANT * len(searched))
        if cases.shares([Parent(best.schedule, 1.0)]) is None:
            raise RejectedError("cannot be read in time")
        return found

    def _lowering(self, spec: PipelineSpec) -> Lowering:
        cores = self.machine.identity.threads
        return Lowering(spec=spec, target=self.target, cores=cores, timeout_s=_LONGEST_LOWERING_S)

    def _lowered(self, spec: PipelineSpec, candidates: dict[str, Candidate]) -> dict[str, ProgramFeatures]:
        """Of those that Halide lowers, in their order."""
        schedules = {key: each.schedule for key, each in candidates.items()}
        lowered = dict(features_of_each(self._lowering(spec), schedules, self.pool.workers))
        if any(isinstance(each, Failure) and each.kind == "timeout" for each in lowered.values()):
            raise RejectedError("lowered for too long")
        return {key: each for key in candidates if isinstance(each := lowered.get(key), ProgramFeatures)}


def _compute_outputs(session: Session) -> None:
    """Waits for what is expected; a RejectedError if that is too much to ask of the program.

    What fails for other reasons, as where a disk is full, would fail with every other program as well.
    """
    try:
        session.ready()
    except JobFailed as failed:
        if failed.failure.kind != "timeout":
            raise
        raise RejectedError("its outputs take too long") from failed
    except (InputError, NothingRuns) as error:
        raise RejectedError(error.what) from error


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
