"""`hltune schedule`: find a schedule, run it, verify it, keep it."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from hltune.commands.export import export_texts
from hltune.commands.verification import further_schedules, verified_against
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify, open_machine
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Session
from hltune.machine.reference_job import Verification
from hltune.runtime.files import check_writable
from hltune.runtime.progress import Progress
from hltune.runtime.worker import usable_cores
from hltune.search.autoschedulers import Adams2019Options, SearchOptions
from hltune.search.ladder import Rung, Step, climb, ladder, robust
from hltune.search.pool import SearchPool
from hltune.values import schedule_codec
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.values.prediction import Prediction
from hltune.workspace.default_weights import default_ranker, with_default_weights
from hltune.workspace.records import Record, Workspace
from hltune.workspace.searches import Searches
from hltune.workspace.subject import MANUAL, Subject, SubjectOptions, load_subject

if TYPE_CHECKING:
    from hltune.commands.ranked import Ranked
    from hltune.cost_model.pretrained import Pretrained

RANKED = "ranked"
"""Finder of mutants that a ranker has chosen."""
_CLOSE = 1.25
"""Schedules that cost no more than this many times the best one are measured once more, side by side."""
_FINALISTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A rung of the search, what its schedule cost if it was measured, and what a ranker predicts, if there is one."""

    step: Step
    measurement: Measurement | None = None
    predicted: Prediction | None = None

    @property
    def failure(self) -> Failure | None:
        """Why it found no schedule, or one that does not work."""
        return next((each for each in (self.step.outcome, self.measurement) if isinstance(each, Failure)), None)

    @property
    def cost(self) -> Cost | None:
        """What its schedule costs, if that is known."""
        return self.measurement if isinstance(self.measurement, Cost) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """The schedule that won.

    Attributes:
        name: the autoscheduler that found it.
        rung: what it was asked for, such as ``beam 8, 2 passes``.
        candidate: the schedule and where it came from.
        cost: None if it was not measured; else the output was verified.
        runnable: whether the target's code runs on this machine.
        tried: all rungs of the search, in the order in which they ended.
        predicted: what a pre-trained ranker says that it costs; None without one.
        manual: what the author's own schedule costs, side by side, or why it failed; None if there is none.
        files: the schedule in the forms of text.
        verification: what the output was verified against; None if it was not.
    """

    subject: Subject
    name: str
    rung: str
    candidate: Candidate
    cost: Cost | None
    runnable: bool
    tried: tuple[Tried, ...]
    predicted: Prediction | None = None
    manual: Measurement | None = None
    files: tuple[Path, ...] = ()
    verification: Verification | None = None

    @property
    def schedule(self) -> Schedule:
        """The directives."""
        return self.candidate.schedule

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Why other rungs did not count."""
        return tuple(each.failure for each in self.tried if each.failure is not None)


def schedule(
    pipeline: SubjectOptions,
    search: SearchOptions,
    *,
    search_timeout_s: float,
    workspace: Workspace,
    measure: MeasureOptions,
    measuring: bool = True,
    inputs: Inputs,
    directory: Path | None,
    progress: Progress,
) -> Scheduled:
    """Searches rung by rung, measures what each found, keeps the fastest schedule that works, and writes it.

    Args:
        search: the last rung, see `hltune.search.ladder`.
        search_timeout_s: limit on all searches together.
        measuring: without it, what the ranker thinks most of, or else what the largest search found, is written as it
            is.
        directory: where to write it; None for the workspace.

    Raises:
        InputError: what was given cannot be used, or a directory cannot be written to.
        HltuneError: no search found a schedule that works.
        KeyboardInterrupt: somebody interrupted; what was measured until then is kept and written.
    """
    for place in {workspace.root, directory or workspace.root}:
        check_writable(place)
    progress.phase(f"loading {pipeline.pipeline}")
    subject = load_subject(pipeline, workspace)
    for note in subject.notes:
        progress.note(f"{subject.spec.name}: {note}")
    machine = identify(subject.target, measure)
    ranker = None
    if isinstance(search, Adams2019Options):
        search = with_default_weights(search, workspace, machine, progress)
        if search.random_dropout == 100 and search.memory_limit_bytes is None:  # mutants know no limit
            ranker = default_ranker(workspace, machine, progress)

    def keep(found: Tried, tried: Sequence[Tried]) -> Scheduled:
        assert isinstance(found.step.outcome, Candidate)
        name, candidate, cost = found.step.rung.finder, found.step.outcome, found.cost
        if cost is not None:
            candidate = candidate.as_measured(cost)
            provenance = candidate.provenance
            record = Record(name=name, schedule=candidate.schedule, cost=cost.value, provenance=provenance)
            workspace.keep(record, subject.spec, machine)
        return Scheduled(
            subject=subject,
            name=name,
            rung=found.step.rung.label,
            candidate=candidate,
            cost=cost,
            runnable=subject.target.machine is not None,
            tried=tuple(tried),
            predicted=found.predicted,
            manual=attempt.manual,
            files=export_texts(subject, candidate.schedule, directory or workspace.texts(subject.spec, subject.target)),
        )

    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(SearchPool(usable_cores(), timeout_s=search_timeout_s))
        session = None
        if measuring and subject.target.machine is not None:
            session = stack.enter_context(open_session(subject, measure, inputs))
            stack.enter_context(session.beside(pool.workers))
        memory = Searches(workspace.searches(subject.spec))
        attempt = _Attempt(subject, pool, session, memory, search_timeout_s, progress)
        if ranker is not None and isinstance(search, Adams2019Options):
            attempt.ranked = _ranked(attempt, ranker, search, measure.threads)
        try:
            found = _winner(attempt, search)
        except KeyboardInterrupt:
            if (best := attempt.best()) is not None and best.cost is not None:
                files = ", ".join(map(str, keep(best, attempt.tried).files))
                progress.note(f"interrupted: the best schedule so far, {best.step.rung.label}, is kept in {files}")
            raise
        verification = None if session is None else verified_against(session, subject.spec, progress)
        try:
            kept = keep(found, attempt.tried)
        except HltuneError:  # a full disk, say
            text = json.dumps(schedule_codec.to_json(_schedule(found)))
            progress.note(f"the schedule of {found.step.rung.label} was found, but could not be kept: {text}")
            raise
    return replace(kept, verification=verification)


def _ranked(attempt: _Attempt, ranker: Pretrained, search: Adams2019Options, cores: int) -> Ranked:
    from hltune.commands.ranked import Ranked  # LightGBM, which is not needed without a ranker

    workers, budget_s = attempt.pool.workers, attempt.budget_s
    return Ranked(attempt.subject, ranker, workers, cores=cores, seed=search.seed, budget_s=budget_s)


@contextlib.contextmanager
def open_session(subject: Subject, measure: MeasureOptions, inputs: Inputs) -> Generator[Session]:
    """A session for a subject, on a machine of its own."""
    with (
        open_machine(subject.target, measure, workers=usable_cores()) as machine,
        machine.session(
            subject.spec,
            inputs,
            numpy_reference=subject.numpy_reference,
            more=further_schedules(subject, measure.threads),
        ) as session,
    ):
        yield session


def _winner(attempt: _Attempt, search: SearchOptions) -> Tried:
    """The best that a search and its ladder found; where they found nothing, that of the most robust searches."""
    progress = attempt.progress
    attempt.climb(ladder(search))
    attempt.rank()
    if (found := attempt.decide()) is None:
        known = {each.step.rung.label for each in attempt.tried}
        rest = [rung for rung in robust(search.parallelism) if rung.label not in known]
        progress.note(f"falling back to {' and '.join(rung.label for rung in rest)}")
        if isinstance(search, Adams2019Options) and search.memory_limit_bytes is not None:
            progress.note("from here on nothing keeps to --memory-limit: only Adams2019 knows it")
        attempt.climb(rest)
        found = attempt.decide()
    if found is None:
        reasons = {f"{each.step.rung.label}: {each.failure}": None for each in attempt.tried}
        raise HltuneError(
            "no search found a schedule that works; all that is left is the default one, inlined, scalar and serial",
            where=attempt.subject.spec.name,
            found="; ".join(reasons),
            todo="raise the limit that was reached: --search-timeout, --compile-timeout or --run-timeout; "
            "or schedule for a smaller size (--estimate)",
        )
    return found


@dataclass(slots=True)
class _Attempt:
    """One pipeline on its way to a schedule: what was tried so far."""

    subject: Subject
    pool: SearchPool
    session: Session | None
    memory: Searches
    budget_s: float
    progress: Progress
    tried: list[Tried] = field(default_factory=list[Tried])
    manual: Measurement | None = None
    ranked: Ranked | None = None

    def climb(self, rungs: Sequence[Rung]) -> None:
        """Runs the rungs, and measures what one found while others search; one that stands alone waits for `decide`."""
        spec, target = self.subject.spec, self.subject.target.name
        self.progress.phase(f"searching a schedule for {spec.name} with {rungs[-1].label}, at most {self.budget_s:g} s")
        steps = climb(self.pool, spec, target, rungs, budget_s=self.budget_s, memory=self.memory)
        with contextlib.closing(steps):
            for step in steps:
                self.tried.append(Tried(step=step, measurement=self._measure(step) if len(rungs) > 1 else None))
                self._say(self.tried[-1])

    def rank(self) -> None:
        """Mutants of what was found, those of which the ranker thinks most; measured, if anything is."""
        if self.ranked is None:
            return
        spec = self.subject.spec
        self.progress.phase(f"{spec.name}: mutants of what was found, for the ranker to choose from")
        found = [schedule for each in self.tried if (schedule := _found(each)) is not None and each.failure is None]
        recovered = self.subject.recovered and self.subject.recovered.schedule
        own = [recovered] if recovered is not None and self.session is not None else []
        chosen = self.ranked.choose([*dict.fromkeys([*found, *own])])
        if self.ranked.unlike:
            unlike = "nothing like this is among the programs of pre-training: predictions are guesses"
            self.progress.note(f"{spec.name}: {unlike}; tune it (`hltune tune`)")
        predicted: dict[Schedule | None, Prediction] = {key: prediction for key, (_, prediction) in chosen.items()}
        self.tried = [replace(each, predicted=predicted.get(_found(each))) for each in self.tried]
        mutants = [candidate for candidate, _ in chosen.values() if candidate is not None]
        for tried in self._measured({f"mutant {number}": each for number, each in enumerate(mutants, start=1)}):
            self.tried.append(replace(tried, predicted=predicted.get(_found(tried))))
            self._say(self.tried[-1])

    def _measured(self, mutants: Mapping[str, Candidate]) -> Generator[Tried]:
        """Each as soon as it is measured, on all cores; as they are, where nothing is."""
        steps = {
            label: Step(rung=Rung(finder=RANKED, label=label, searches=()), outcome=each)
            for label, each in mutants.items()
        }
        if self.session is None:
            yield from (Tried(step=step) for step in steps.values())
            return
        self.progress.phase("compiling, verifying and measuring the mutants that the ranker chose")
        costs = [each.cost.value for each in self.tried if each.cost]
        schedules = [(label, each.schedule) for label, each in mutants.items()]
        with contextlib.closing(self.session.measure_each(schedules, best=min(costs, default=None))) as measured:
            for label, measurement in measured:
                yield Tried(step=steps[label], measurement=measurement)

    def best(self) -> Tried | None:
        """The fastest schedule; where nothing is measured, by the ranker, or else that of the largest search."""
        working = [each for each in self.tried if each.failure is None]
        if self.session is not None:
            return min(working, key=_value, default=None)
        if predicted := [each for each in working if each.predicted is not None]:
            return min(predicted, key=lambda each: each.predicted.seconds if each.predicted else math.inf)
        return max(working, key=lambda each: each.step.rung.effort, default=None)

    def decide(self) -> Tried | None:
        """`best`, measured side by side with those that cost about the same, and with the author's own."""
        own = {name: each for name, each in self.subject.hand_written.items() if name == MANUAL}
        chosen: dict[Schedule, Tried] = {}
        while (best := self.best()) is not None and self.session is not None and _schedule(best) not in chosen:
            self.progress.phase("compiling, verifying and measuring the best schedules side by side")
            near = [each for each in self.tried if each.failure is None and _value(each) <= _CLOSE * _value(best)]
            close = {_schedule(each): each for each in sorted(near, key=_value)}
            chosen |= dict(islice(close.items(), _FINALISTS))
            labels = {each.step.rung.label: schedule for schedule, each in chosen.items()}
            measured = self.session.measure(labels | own)
            self.manual = measured.get(MANUAL)
            again = {schedule: measured[label] for label, schedule in labels.items()}
            for schedule, each in tuple(chosen.items()):
                if isinstance(again[schedule], Failure):
                    self._say(Tried(step=each.step, measurement=again[schedule]))
                    del chosen[schedule]
            self.tried = [
                replace(each, measurement=again[_schedule(each)]) if _found(each) in again else each
                for each in self.tried
            ]
        return best

    def _measure(self, step: Step) -> Measurement | None:
        if self.session is None or isinstance(step.outcome, Failure):
            return None
        schedule, label = step.outcome.schedule, step.rung.label
        for each in self.tried:
            if isinstance(each.step.outcome, Candidate) and each.step.outcome.schedule == schedule:
                return each.measurement
        self.progress.phase(f"compiling, verifying and measuring the schedule of {label}")
        costs = [each.cost.value for each in self.tried if each.cost]
        return dict(self.session.measure_each([(label, schedule)], best=min(costs, default=None)))[label]

    def _say(self, tried: Tried) -> None:
        if tried.failure is not None:
            which = "" if isinstance(tried.step.outcome, Failure) else "the schedule by "
            self.progress.note(f"{which}{tried.step.rung.label} failed. {tried.failure}")


def _value(tried: Tried) -> float:
    return tried.cost.value if tried.cost else float("inf")


def _schedule(tried: Tried) -> Schedule:
    assert isinstance(tried.step.outcome, Candidate)
    return tried.step.outcome.schedule


def _found(tried: Tried) -> Schedule | None:
    outcome = tried.step.outcome
    return outcome.schedule if isinstance(outcome, Candidate) else None
