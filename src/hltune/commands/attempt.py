"""One pipeline on its way to a schedule: rungs of a search, mutants that a ranker chose, and the fastest of all."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from hltune.commands.once_wrong import judged, refutation, working
from hltune.machine.protocol import Session
from hltune.machine.speedup import in_order
from hltune.runtime.progress import Progress
from hltune.search.climb import Step, climb
from hltune.search.ladder import Rung
from hltune.search.pool import SearchPool
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement, Prediction
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.provenance import Mutated
from hltune.workspace.searches import Searches
from hltune.workspace.subject import MANUAL, Subject

if TYPE_CHECKING:
    from hltune.commands.ranked import Ranked

RANKED = "ranked"
"""Finder of probes and mutants that a ranker has chosen."""
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
    def schedule(self) -> Schedule | None:
        """What it found; None if that is no schedule."""
        return self.step.outcome.schedule if isinstance(self.step.outcome, Candidate) else None

    @property
    def failure(self) -> Failure | None:
        """Why it found no schedule, or one that does not work."""
        return next((each for each in (self.step.outcome, self.measurement) if isinstance(each, Failure)), None)

    @property
    def cost(self) -> Cost | None:
        """What its schedule costs, if that is known."""
        return self.measurement if isinstance(self.measurement, Cost) else None


@dataclass(slots=True)
class Attempt:
    """One pipeline on its way to a schedule: what was tried so far.

    Attributes:
        wrong: how outputs were ever wrong, by the hash of the schedule: that counts, and nothing is measured again.
    """

    subject: Subject
    pool: SearchPool
    session: Session | None
    memory: Searches
    budget_s: float
    progress: Progress
    tried: list[Tried] = field(default_factory=list[Tried])
    manual: Measurement | None = None
    ranked: Ranked | None = None
    wrong: Mapping[str, Failure] = field(default_factory=dict[str, Failure])

    def climb(self, rungs: Sequence[Rung]) -> None:
        """Runs the rungs, and measures what one found while others search; one that stands alone waits for `decide`."""
        spec, target = self.subject.spec, self.subject.target.name
        self.progress.phase(f"searching a schedule for {spec.name} with {rungs[-1].label}, at most {self.budget_s:g} s")
        steps = climb(self.pool, spec, target, rungs, budget_s=self.budget_s, memory=self.memory)
        with contextlib.closing(steps):
            for step in steps:
                measurement = self._known_wrong(step) or (self._measure(step) if len(rungs) > 1 else None)
                self.tried.append(Tried(step=step, measurement=measurement))
                self._say(self.tried[-1])

    def rank(self) -> None:
        """Probes, and mutants of what was found, of which the ranker thinks most; measured, if anything is."""
        if self.ranked is None:
            return
        spec = self.subject.spec
        self.progress.phase(f"{spec.name}: mutants of what was found, for the ranker to choose from")
        found = [each.schedule for each in self.tried if each.schedule is not None and each.failure is None]
        recovered = self.subject.recovered and self.subject.recovered.schedule
        own = [recovered] if recovered is not None and self.session is not None else []
        others = [candidate for each in self.tried for candidate in each.step.others]
        chosen = self.ranked.choose([*dict.fromkeys([*found, *own])], others)
        if self.ranked.unlike:
            unlike = "nothing like this is among the programs of pre-training: predictions are guesses"
            self.progress.note(f"{spec.name}: {unlike}; tune it (`hltune tune`)")
        predicted: dict[Schedule | None, Prediction] = {key: prediction for key, (_, prediction) in chosen.items()}
        self.tried = [replace(each, predicted=predicted.get(each.schedule)) for each in self.tried]
        promising = [candidate for candidate, _ in chosen.values() if candidate is not None]
        for tried in self._measured({_label(each, at): each for at, each in enumerate(promising, start=1)}):
            self.tried.append(replace(tried, predicted=predicted.get(tried.schedule)))
            self._say(self.tried[-1])

    def _measured(self, promising: Mapping[str, Candidate]) -> Generator[Tried]:
        """Each as soon as it is measured, on all cores; as they are, where nothing is."""
        steps = {
            label: Step(rung=Rung(finder=RANKED, label=label, searches=()), outcome=each)
            for label, each in promising.items()
        }
        able, failed = working(promising, self.wrong)
        yield from (Tried(step=steps[label], measurement=failure) for label, failure in failed.items())
        if self.session is None:
            yield from (Tried(step=steps[label]) for label in able)
            return
        self.progress.phase("compiling, verifying and measuring what the ranker chose")
        schedules = [(label, each.schedule) for label, each in able.items()]
        with contextlib.closing(self.session.measure_each(schedules, best=self._least_cost())) as measured:
            for label, measurement in measured:
                yield Tried(step=steps[label], measurement=judged(able[label].schedule, measurement, self.wrong))

    def measured(self) -> Generator[tuple[Schedule, Measurement]]:
        """All schedules that were measured, with what came of it last, but for what was known to be wrong."""
        known = {each.earlier for each in self.wrong.values()}
        for each in self.tried:
            if each.schedule is not None and each.measurement is not None and each.measurement not in known:
                yield each.schedule, each.measurement

    def best(self) -> Tried | None:
        """The fastest schedule; where nothing is measured, by the ranker, or else that of the largest search."""
        working = [each for each in self.tried if each.failure is None]
        if self.session is not None:
            return min(working, key=_value, default=None)
        if predicted := [each for each in working if each.predicted is not None]:
            return min(predicted, key=lambda each: each.predicted.seconds if each.predicted else math.inf)
        return max(working, key=lambda each: (each.step.rung.effort, each.step.rung.has_weights), default=None)

    def decide(self) -> Tried | None:
        """The best, measured side by side with those that cost about the same, and with the author's own."""
        own = {name: each for name, each in self.subject.hand_written.items() if name == MANUAL}
        chosen: dict[Schedule, Tried] = {}
        while (best := self.best()) is not None and self.session is not None and best.schedule not in chosen:
            self.progress.phase("compiling, verifying and measuring the best schedules side by side")
            near = [each for each in self.tried if each.failure is None and _value(each) <= _CLOSE * _value(best)]
            close = {each.schedule: each for each in sorted(near, key=_value) if each.schedule is not None}
            chosen |= dict(islice(close.items(), _FINALISTS))
            labels = {each.step.rung.label: schedule for schedule, each in chosen.items()}
            asked = labels | own
            found = self.session.measure(asked)
            measured = {label: judged(each, found[label], self.wrong) for label, each in asked.items()}
            self.manual = measured.get(MANUAL)
            again = {schedule: measured[label] for label, schedule in labels.items()}
            for schedule, each in tuple(chosen.items()):
                if isinstance(again[schedule], Failure):
                    self._say(Tried(step=each.step, measurement=again[schedule]))
                    del chosen[schedule]
            self.tried = [
                replace(each, measurement=again[each.schedule]) if each.schedule in again else each
                for each in self.tried
            ]
        return self._leader(chosen.keys()) or best

    def _leader(self, chosen: Set[Schedule]) -> Tried | None:
        """Who leads among those that were measured side by side; None if nothing was."""
        beside = {each.step.rung.label: each for each in self.tried if each.schedule in chosen}
        names = in_order({label: each.cost for label, each in beside.items() if each.cost})
        return beside[names[0]] if names else None

    def _least_cost(self) -> float | None:
        return min((each.cost.value for each in self.tried if each.cost), default=None)

    def _known_wrong(self, step: Step) -> Failure | None:
        if isinstance(step.outcome, Failure):
            return None
        return refutation(self.wrong, step.outcome)

    def _measure(self, step: Step) -> Measurement | None:
        if self.session is None or isinstance(step.outcome, Failure):
            return None
        schedule, label = step.outcome.schedule, step.rung.label
        for each in self.tried:
            if each.schedule == schedule:
                return each.measurement
        self.progress.phase(f"compiling, verifying and measuring the schedule of {label}")
        measured = dict(self.session.measure_each([(label, schedule)], best=self._least_cost()))
        return judged(schedule, measured[label], self.wrong)

    def _say(self, tried: Tried) -> None:
        if tried.failure is None:
            return
        label = tried.step.rung.label
        if tried.step.skipped:
            skipped = [each.step.rung.effort for each in self.tried if each.step.skipped]
            if skipped.count(tried.step.rung.effort) <= 1:  # with other weights it takes as long
                self.progress.note(f"{label}: {tried.failure.message}")
        else:
            which = "" if isinstance(tried.step.outcome, Failure) else "the schedule by "
            self.progress.note(f"{which}{label} failed. {tried.failure}")


def _label(candidate: Candidate, number: int) -> str:
    return f"{'mutant' if isinstance(candidate.provenance, Mutated) else 'probe'} {number}"


def _value(tried: Tried) -> float:
    return tried.cost.value if tried.cost else float("inf")
