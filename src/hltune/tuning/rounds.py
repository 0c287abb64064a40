"""Who gets the next round, where pipelines share the time, and how long it may be."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from hltune.cost_model.adams2019.lineage import Lineage
from hltune.machine.protocol import Session
from hltune.machine.quiet import say_if_busy
from hltune.runtime.progress import Progress
from hltune.tuning.options import Budget, TuneOptions
from hltune.tuning.outlook import Expectation, Outlook
from hltune.tuning.pace import Limits
from hltune.tuning.round import Round
from hltune.tuning.shares import Shares
from hltune.tuning.tuner import Tuner
from hltune.values.errors import Failure, HltuneError
from hltune.values.machine_id import MachineId
from hltune.values.unit import Unit

_LARGEST_RESERVE = 0.15
"""Share of the time that is kept for the final comparisons at most; slow finalists leave those early."""
_LEAST_ROUND_S = 3.0
"""With less time than this, a pipeline gets no first round."""
_LEAST_SHARE = 16
"""Samples of a round, where several pipelines share few."""


class TuneProgress(Progress, Protocol):
    """Somebody who is told about rounds as well."""

    def begin(self, pipelines: Sequence[str], *, unit: Unit, end_s: float) -> None:
        """Rounds begin, with costs in this unit, and should end at this time of the monotonic clock."""
        ...

    def expects(self, pipeline: str, expected: Expectation) -> None:
        """What the next rounds of a pipeline will bring, roughly."""
        ...

    def round_done(self, done: Round) -> None:
        """A round ended; everything that it reports is on disk."""
        ...


@dataclass(slots=True, kw_only=True)
class Run:
    """One pipeline of a call; what was measured before the first round counts, too.

    Attributes:
        earlier: least costs after each round of earlier runs, None as long as nothing worked.
        expected: what was expected before the first round, after some of its candidates, or at the end of a short one;
            None as long as nobody knows.
        error: what ended its rounds early; None if nothing did.
    """

    tuner: Tuner
    session: Session
    machine: MachineId
    lineage: Lineage
    earlier: tuple[float | None, ...] = ()
    rounds: list[Round] = field(default_factory=list[Round])
    measured: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])
    repaired: int = 0
    seconds: float = 0.0
    expected: Expectation | None = None
    error: HltuneError | None = None

    @property
    def outlook(self) -> Outlook:
        """What the rounds say about further ones: those of earlier runs as well, unless this one's say done."""
        own = self.own_outlook
        return own if own.done else Outlook.of([*self.earlier, *(each.best for each in self.rounds)])

    @property
    def own_outlook(self) -> Outlook:
        """What the rounds of this run say alone: who tunes again wants more than there was."""
        return replace(Outlook.of([each.best for each in self.rounds]), exhausted=self.tuner.exhausted)

    def add(self, done: Round) -> None:
        """Another round of it has ended."""
        self.rounds.append(done)
        self.measured += done.measured
        self.failures += done.failures
        self.repaired += done.repaired
        self.seconds += done.seconds


def take_rounds(runs: dict[str, Run], options: TuneOptions, end_s: float, progress: TuneProgress) -> None:
    """Pipelines take rounds until none of them, or nothing of the budget, is left; each has a first one, in time.

    What goes wrong in a round of one of them ends its rounds only.
    """
    rounds = _Rounds(runs=runs, budget=options.budget, end_s=end_s, progress=progress, shares=Shares(list(runs)))
    rounds.say_what_is_beyond()
    rounds.take()
    rounds.say_who_had_none()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rounds:
    """The rounds of pipelines that share a budget.

    Attributes:
        end_s: when the run should end, final comparisons included, of the monotonic clock.
        shares: whose turn it is, of those that still take rounds.
    """

    runs: dict[str, Run]
    budget: Budget
    end_s: float
    progress: TuneProgress
    shares: Shares

    def take(self) -> None:
        while (name := self.shares.next()) is not None:
            limits = self._limits()
            if time.monotonic() >= limits.end_s or limits.samples == 0:
                break
            if not self._take_one(name, limits):
                self.shares.leave(name)

    def _take_one(self, name: str, limits: Limits) -> bool:
        """Takes a round, if this pipeline still takes one; False if it takes no more."""
        run = self.runs[name]
        if run.tuner.exhausted:
            self.progress.note(f"{name}: searches find nothing new any more")
            return False
        if self.budget.rounds is not None and len(run.rounds) >= self.budget.rounds:
            return False
        share_s = part(limits.end_s, len(self.shares)) - time.monotonic()
        shortest_s = run.tuner.pace.shortest_round_s
        if new := sum(not each.rounds for key, each in self.runs.items() if key in self.shares):  # each has a first one
            shortest_s = min(shortest_s, _LEAST_ROUND_S)
            limits = replace(limits, end_s=part(limits.end_s, new))
        if time.monotonic() + shortest_s >= limits.end_s:
            return False
        self._expect(name, share_s)
        before = run.tuner.history.best_cost
        try:
            done = run.tuner.round(limits, self.progress, after_each=partial(self._expect, name, share_s))
        except HltuneError as error:
            run.error = error
            self.progress.note(f"{name} has no further rounds, and what was measured so far is compared. {error}")
            return False
        self._expect(name, share_s)  # a short round tells in the end
        say_if_busy(run.session, name, self.progress)
        run.add(done)
        self.shares.gained(name, before, done.best)
        self.progress.round_done(done)
        if self.budget.until_done and run.own_outlook.done:
            self.progress.note(f"{name}: {_why_done(run.own_outlook)}")
            return False
        return True

    def _limits(self) -> Limits:
        """Those of the next round."""
        samples = None if self.budget.samples is None else self._share(self.budget.samples - self._measured)
        return Limits(end_s=self.end_s - self._reserve_s(), samples=samples)

    def _share(self, samples: int) -> int:
        """What a round may take of the samples that are left, so that the other pipelines get some as well."""
        return max(0, min(samples, max(_LEAST_SHARE, -(-samples // len(self.shares)))))

    def _reserve_s(self) -> float:
        """Time for the final comparisons, which are part of the budget."""
        reserve_s = sum(run.tuner.finals_s for run in self.runs.values())
        minutes = self.budget.minutes
        return reserve_s if minutes is None else min(reserve_s, _LARGEST_RESERVE * 60 * minutes)

    @property
    def _measured(self) -> int:
        """What was measured so far, of all pipelines."""
        return sum(each.measured for each in self.runs.values())

    def _expect(self, name: str, share_s: float) -> None:
        """Says what the rounds of a pipeline will bring in its share of the time, once that is known."""
        run = self.runs[name]
        if run.expected is not None:
            return
        samples = self.budget.samples
        most = math.inf if samples is None else (samples - self._measured) / len(self.shares)
        run.expected = run.tuner.expect(share_s / 60, most=most)
        if run.expected is not None:
            self.progress.expects(name, run.expected)

    def say_what_is_beyond(self) -> None:
        samples, known = self.budget.samples, self._measured
        if samples is not None and known > samples:
            beyond = f"{known - samples} more than --samples {samples}"
            self.progress.note(f"known schedules are always measured: {known} of them here, {beyond}")

    def say_who_had_none(self) -> None:
        """What used up the budget, if a pipeline had no round, and no error."""
        idle = [name for name, run in self.runs.items() if not run.rounds and run.error is None]
        if not idle or self.budget.rounds == 0:
            return
        why = "expected outputs and known schedules have used up the budget; give more --minutes, or --rounds"
        if self.budget.samples is not None and self._measured >= self.budget.samples:
            others = " and the rounds of others" if len(idle) < len(self.runs) else ""
            why = f"known schedules{others} have used up the samples; give more --samples"
        self.progress.note(f"no round of {', '.join(idle)}: {why}")


def _why_done(outlook: Outlook) -> str:
    if outlook.late_gain is None:
        return f"given up, nothing works after {outlook.rounds} rounds"
    return f"done, the last half of its {outlook.rounds} rounds took {outlook.late_gain:.1%} off the least cost"


def part(end_s: float, parts: int) -> float:
    """The end of the first of equal parts of the time that is left until this moment of the monotonic clock."""
    now_s = time.monotonic()
    return now_s + max(0.0, end_s - now_s) / parts
