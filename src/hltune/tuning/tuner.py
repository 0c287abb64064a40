"""Tuning of one pipeline on one machine: one round after the other."""

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeGuard

import numpy as np

from hltune.machine.open import caches_of
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Session
from hltune.pipeline.operations import forecast
from hltune.runtime.progress import Progress
from hltune.search.autoschedulers import BASELINE
from hltune.search.climb import Step, by_finder
from hltune.tuning.cases import Cases
from hltune.tuning.drafts import Drafts
from hltune.tuning.history import History
from hltune.tuning.keep import Kept
from hltune.tuning.model import Model
from hltune.tuning.operators import Successes
from hltune.tuning.options import TuneOptions
from hltune.tuning.outlook import Expectation
from hltune.tuning.pace import Limits, Pace
from hltune.tuning.proposals import Proposals, mutant_share, rounds_between
from hltune.tuning.round import Round
from hltune.tuning.searcher import Searcher
from hltune.values.candidate import Candidate
from hltune.values.cost import REPEATED, Cost, Measurement, count_repaired
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.provenance import Named, Searched
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.record import Record
from hltune.workspace.subject import DEFAULT, Subject

_EXHAUSTED_AFTER = 3
_LEARNING_SHARE = 0.15
"""How long lowering what was measured may take, by the time that measuring takes in a round."""
_LEAST_LEARNING_S = 1.0


@dataclass(kw_only=True)
class Tuner:
    """One pipeline under tuning, which continues where the history ends. Used by one thread.

    Attributes:
        references: candidates that are measured whatever the model thinks of them: the default one, those written by
            hand and those of Halide's autoschedulers, by name.
        failed: references that failed in this run, by name.
        kept: what of the author's schedule must stay as it is; None if all may change. The history allows the same.
    """

    subject: Subject
    options: TuneOptions
    measure: MeasureOptions
    history: History
    model: Model
    session: Session
    searcher: Searcher
    drafts: Drafts
    rng: np.random.Generator
    kept: Kept | None = None

    def __post_init__(self) -> None:
        self.references = self.subject.known_by_name()
        if self.kept is not None:
            self.references = {key: each for key, each in self.references.items() if self.kept.allows(each.schedule)}
        self.failed: dict[str, Failure] = {}
        self._failures: dict[str, Failure] = {}
        self.pace = Pace(self.options, self.session.nodes, self.measure.turns_s)
        self.pace.recall(self.history.taken(), self.history.taken_in_rounds())
        self._proposals = Proposals(
            subject=self.subject,
            options=self.options,
            history=self.history,
            model=self.model,
            searcher=self.searcher,
            drafts=self.drafts,
            pace=self.pace,
            kept=self.kept,
            rng=self.rng,
            cases=self._cases(),
        )
        self._round = self.history.last_round
        self._idle_rounds = 0
        self._again = set[str]()
        self._searched = self.history.least_searched()  # cost of the best that searches have found

    def _cases(self) -> Cases:
        return Cases(
            lowering=self.drafts.programs.lowering,
            workers=self.drafts.workers,
            free=None if self.kept is None else self.kept.free,
            caches=caches_of(self.subject.target, self.measure),
            counted=self.history.unit.counted,
        )

    @property
    def mutant_share(self) -> float:
        """Share of the next round's candidates that is made by changing the best schedules."""
        return mutant_share(self._searched, self.history.best_cost)

    @property
    def _searches(self) -> bool:
        """The next round searches, too; seldom where searches are far behind the best and mutants are still new."""
        return self._idle_rounds > 0 or self._round % rounds_between(self._searched, self.history.best_cost) == 0

    @property
    def successes(self) -> Successes:
        """Which ways to change a schedule have made it faster."""
        return Successes.of(self.history.mutants())

    @property
    def exhausted(self) -> bool:
        """Searches have found nothing new for several rounds."""
        return self._idle_rounds >= _EXHAUSTED_AFTER

    @property
    def finals_s(self) -> float:
        """How long the final comparison will take, roughly."""
        references = sum(not self._fails(each) for each in self.references.values())
        return self.pace.finals_s(references, side_by_side=self.session.side_by_side)

    def expect(self, minutes: float, *, most: float) -> Expectation | None:
        """What so many minutes of rounds will bring; None before enough candidates were measured in any run.

        Args:
            most: samples that there may be.
        """
        if not self.pace.known:
            return None
        beam = self.references.get(BASELINE)
        given, rounds = self.options.budget.minutes, self.options.budget.rounds
        return Expectation(
            stages=sum(1 + len(each.updates) for each in self.subject.spec.funcs),
            search_s=beam and beam.search_s,
            candidate_s=self.pace.next_candidate_s,
            samples_per_minute=self.pace.samples_per_minute,
            minutes=minutes,
            given=math.inf if given is None else given,
            known=len(self.history),
            most=min(most, math.inf if rounds is None else rounds * self.pace.full_batch),
        )

    def allowed(self, records: list[Record]) -> list[Record]:
        """Those of the workspace's that keep what must stay."""
        return records if self.kept is None else [each for each in records if self.kept.allows(each.schedule)]

    def begin(self, progress: Progress, *, end_s: float = math.inf) -> list[Measurement]:
        """Finds the references and measures those that are new; returns their measurements.

        Begins nothing after `end_s` of the monotonic clock: what is not known by then is found by tuning. Then the
        model learns from what earlier runs left.
        """
        name = self.subject.spec.name
        progress.phase(f"{name}: known schedules")
        named = dict(self.references)
        default = {key: named.pop(key) for key in (DEFAULT,) if key in named}
        # What a person wrote comes first, for nothing is a better start, and gets the time that it needs. The default
        # schedule, which may be slow without end, comes last: it is stopped far above the others.
        measured = self._measure_known(named, end_s, best=None)
        steps: list[Step] = []
        short = end_s < time.monotonic() + self.options.search_timeout_s
        waiting: dict[str, Candidate] = {}
        with contextlib.closing(self._baselines(end_s)) as climbing, self.session.beside(self.searcher.workers):
            for step in climbing:
                steps.append(step)
                if isinstance(step.outcome, Candidate):
                    waiting[step.rung.label] = step.outcome
                if waiting and not step.remembered:  # else more come at once, and all cores compile them
                    measured += self._measure_known(waiting, end_s, best=self.history.best_cost)
                    waiting = {}
                if time.monotonic() >= end_s:
                    break
        measured += self._measure_known(waiting, end_s, best=self.history.best_cost)
        measured += self._without_haste(steps, end_s)
        self.references |= self._found(steps, progress, short=short)
        if self.history.best_cost is not None and forecast(self.subject.spec).inlined_hopeless:
            default = {}  # it would be stopped, after a while in which all lanes but one are idle
            self.references.pop(DEFAULT, None)
        measured += self._measure_known(default, end_s, best=self.history.best_cost)
        for key, candidate in self.references.items():
            if (failure := self._failures.get(schedule_hash(candidate.schedule))) is not None:
                self.failed[key] = failure
                progress.note(f"{name}: {key} failed. {failure}")
            elif (failure := self.history.refuted(candidate)) is not None:
                progress.note(f"{name}: {key} cannot win. {failure}")
            elif (failure := self.history.failure(candidate)) is not None:
                progress.note(f"{name}: {key} failed in an earlier run. {failure}")
        outcomes = [step.outcome for step in steps]
        self._saw(each for each in outcomes if isinstance(each, Candidate))
        self.model.prepare(self.history.samples())
        if time.monotonic() < end_s:
            self._learn_programs(end_s)
        return measured

    def _baselines(self, end_s: float) -> Generator[Step]:
        if self.kept is None:  # else searches have no say
            yield from self.searcher.baselines(end_s)

    def _measure_known(
        self, candidates: dict[str, Candidate], end_s: float, *, best: float | None
    ) -> list[Measurement]:
        """Measures and stores those that are new."""
        new = {key: each for each in candidates.values() if (key := schedule_hash(each.schedule)) not in self.history}
        return self._take(new, end_s, best=best)

    def _take(self, candidates: dict[str, Candidate], end_s: float, *, best: float | None) -> list[Measurement]:
        measured: list[Measurement] = []
        # Without any schedule that works, tuning would have nothing to go on with.
        measuring = self.history.measure(self.session, candidates, best=best, end_s=end_s, until_one_works=True)
        with contextlib.closing(measuring) as measurements:
            for key, measurement in self.pace.seen(measurements, at_once=len(candidates)):
                measured.append(measurement)
                self._failures.pop(key, None)
                if isinstance(measurement, Failure):
                    self._failures[key] = measurement
        return measured

    def _without_haste(self, steps: list[Step], end_s: float) -> list[Measurement]:
        """Measures again what each autoscheduler's largest search found, if it had less time than the options allow.

        An autoscheduler is known by it, and that it compiles longer than others must not make a smaller search of it.
        """
        slow: dict[str, Candidate] = {}
        for of_finder in by_finder(steps).values():
            largest = of_finder[0].outcome
            if not isinstance(largest, Candidate) or not self._fails(largest):
                continue
            failure = self.history.failure(largest)
            if failure is not None and failure.stage == "compile" and failure.kind == "timeout" and not failure.flag:
                slow[schedule_hash(largest.schedule)] = largest
        return self._take(slow, end_s, best=None)

    def _found(self, steps: list[Step], progress: Progress, *, short: bool) -> dict[str, Candidate]:
        """What each autoscheduler found: by the largest of its searches whose schedule has not failed.

        Args:
            short: their time was limited by the minutes, and not by the limit on searches.
        """
        found: dict[str, Candidate] = {}
        begun = {step.rung.finder for step in steps}
        late = [] if self.kept is not None else [each for each in self.searcher.autoschedulers if each not in begun]
        for finder, of_finder in by_finder(steps).items():
            outcomes = [step.outcome for step in of_finder]
            candidates = [each for each in outcomes if isinstance(each, Candidate)]
            if not candidates and short and isinstance(failure := outcomes[-1], Failure) and failure.kind == "timeout":
                late.append(finder)
                continue
            if not candidates:
                progress.note(f"{self.subject.spec.name}: {finder} failed. {outcomes[-1]}")
                continue
            found[finder] = next((each for each in candidates if not self._fails(each)), candidates[0])
            if found[finder] is not candidates[0]:
                rung = next(step.rung.label for step in of_finder if step.outcome is found[finder])
                failure = self.history.failure(candidates[0]) or self.history.refuted(candidates[0])
                known = f"{finder} is what {rung} found, for {of_finder[0].rung.label} failed"
                progress.note(f"{self.subject.spec.name}: {known}. {failure}")
        if late:
            why = "no time, for known schedules take about a fifth of the minutes; give more --minutes to compare"
            progress.note(f"{self.subject.spec.name}: without {' and '.join(late)}: {why}")
        return found

    def _saw(self, candidates: Iterable[Candidate]) -> None:
        """Notes the least cost of what searches have found."""
        for candidate in candidates:
            cost = self.history.cost_of(candidate) if isinstance(candidate.provenance, Searched) else None
            if cost is not None and cost < (math.inf if self._searched is None else self._searched):
                self._searched = cost

    def _fails(self, candidate: Candidate) -> bool:
        """It was measured, in this run or before, and has failed."""
        return self.history.cost_of(candidate) == math.inf

    def round(self, limits: Limits, progress: Progress, *, after_each: Callable[[], None] = lambda: None) -> Round:
        """Searches, measures, stores and learns once.

        Args:
            after_each: called whenever a candidate was measured.
        """
        self._round += 1
        began_s = time.monotonic()
        share = self.mutant_share if self._searches else None
        found = self._proposals.find(share, limits, self._round, progress)
        searched_s = time.monotonic()
        self.pace.saw_search(searched_s - began_s, len(found.candidates))
        measured = self._measure_new(found.candidates, limits, progress, after_each)
        measured_s = time.monotonic()
        self._say(progress, "learning")
        beams = [(weights, None if key is None else self.history.cost(key)) for weights, key in found.beams]
        self.model.rank(beams, len(self.history), self._round)
        learned = None
        if measured_s < limits.end_s:
            learned = self.model.learn(self.history.samples(), self._round)
        if measured_s + self.pace.shortest_round_s < limits.end_s:  # else the next round does that
            self._learn_programs(limits.end_s)
        scorers = (*(learned.validations if learned else ()), self.drafts.validation)
        done = Round(
            pipeline=self.subject.spec.name,
            number=self._round,
            best=self.history.best_cost,
            beam=beams[0][1] if beams else None,
            searches=found.searches,
            known=found.known,
            drafted=found.drafted.made,
            refused=found.drafted.refused,
            measured=len(measured),
            failures=tuple(each for each in measured if isinstance(each, Failure)),
            repaired=count_repaired(measured),
            validations=tuple(each for each in scorers if each is not None),
            held_out=learned.held_out if learned else 0,
            selected=learned.selected if learned else None,
            search_s=searched_s - began_s,
            measure_s=measured_s - searched_s,
            learn_s=time.monotonic() - measured_s,
        )
        self.pace.saw_round(done.seconds)
        self._idle_rounds = 0 if measured else self._idle_rounds + 1
        return done

    def _learn_programs(self, end_s: float) -> None:
        """The ranker learns, and does not take long beside a round."""
        limit_s = max(_LEAST_LEARNING_S, _LEARNING_SHARE * self.pace.measuring_s)
        self.drafts.learn(end_s=min(end_s, time.monotonic() + limit_s))

    def _measure_new(
        self, candidates: dict[str, Candidate], limits: Limits, progress: Progress, after_each: Callable[[], None]
    ) -> list[Measurement]:
        """Measures and stores candidates while there is time; those that are left go to the pool."""
        allowed = dict(islice(candidates.items(), limits.samples))
        best, end_s = self.history.best_cost, min(limits.end_s, time.monotonic() + self.options.round_s)
        former = self._former()
        measured: dict[str, Measurement] = {}
        with contextlib.closing(
            self.history.measure(self.session, allowed, best=best, end_s=end_s, round_number=self._round)
        ) as measurements:
            for key, measurement in self.pace.seen(measurements):
                measured[key] = measurement
                self._say(progress, f"measuring {len(measured)} of {len(allowed)}")
                after_each()
        surprising = {key: each.value for key, each in measured.items() if _is_surprising(each, best)}
        fastest = [allowed[key].as_measured(measured[key]) for key in sorted(surprising, key=surprising.__getitem__)]
        fastest = [*{each.schedule: each for each in fastest}.values()]  # several may be repaired to the same one
        fastest = [each for each in fastest if self.history.refuted(each) is None]  # or to what was wrong before
        self._confirm(fastest, former, end_s=limits.end_s, progress=progress)  # a round that has used its time, too
        self._saw(candidates.values())
        self._proposals.keep(candidates)
        return [*measured.values()]

    def _former(self) -> list[Candidate]:
        """The fastest schedule, and those that people wrote, as far as they work."""
        best = [
            Candidate(schedule=each.schedule, provenance=each.provenance)
            for each in self.history.ranked(1, distinct=True)
            if each.schedule is not None
        ]
        written = [each for each in self.references.values() if isinstance(each.provenance, Named)]
        known = {schedule_hash(each.schedule): each for each in (*written, *best)}
        works = [each for key, each in known.items() if self.history.cost(key) is not None]
        return [each for each in works if each.schedule != Schedule()]

    def _confirm(
        self, fastest: Sequence[Candidate], former: Sequence[Candidate], *, end_s: float, progress: Progress
    ) -> None:
        """What is much faster than all before is measured once more before others are made of it.

        If it was no more than a fast moment, the next one is. It may as well have been a slow moment in which the best
        ones before were measured, so that these are measured again beside it, once in a run. Where time is short, the
        final comparison tells.
        """
        for number, candidate in enumerate(fastest):
            self._say(progress, "measuring the best again")
            beside = [each for each in former if schedule_hash(each.schedule) not in self._again]
            if time.monotonic() + self.pace.again_s(1 + len(beside)) >= end_s:
                break
            self._again.update(schedule_hash(each.schedule) for each in beside)
            if self.history.repeats(self.session, candidate, beside=beside, round_number=self._round):
                break
            seemed = f"{number + 1} of the {len(fastest)} schedules that seemed much faster than all before"
            progress.note(f"{self.subject.spec.name}, round {self._round}: {seemed} were not when measured again")

    def _say(self, progress: Progress, text: str) -> None:
        progress.phase(f"{self.subject.spec.name}, round {self._round}: {text}")


def _is_surprising(measurement: Measurement, best: float | None) -> TypeGuard[Cost]:
    """It took much less time than the best so far; what is counted is what it is."""
    if best is None or not isinstance(measurement, Cost) or measurement.counted:
        return False
    return measurement.value < REPEATED * best
