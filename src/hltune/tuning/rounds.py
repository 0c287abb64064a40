"""Who gets the next round, where pipelines share the time, and how long it may be."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from hltune.cost_model.adams2019.lineage import Lineage
from hltune.machine.protocol import Session
from hltune.machine.quiet import say_if_busy
from hltune.runtime.progress import Progress
from hltune.tuning.options import TuneOptions
from hltune.tuning.outlook import Expectation, Outlook
from hltune.tuning.pace import Limits
from hltune.tuning.round import Round
from hltune.tuning.shares import Shares
from hltune.tuning.tuner import Tuner
from hltune.values.errors import Failure, HltuneError
from hltune.values.machine_id import MachineId
from hltune.values.unit import Unit

_LARGEST_RESERVE = 0.2
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
        expected: what was expected before the first round, or after it if nothing was measured before; None if there
            was no time for any.
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
        """What the rounds say about further ones, those of earlier runs as well."""
        return Outlook.of([*self.earlier, *(each.best for each in self.rounds)])


def take_rounds(runs: dict[str, Run], options: TuneOptions, end_s: float, progress: TuneProgress) -> None:
    """Pipelines take rounds until none of them, or nothing of the budget, is left; each has a first one, in time.

    What goes wrong in a round of one of them ends its rounds only.
    """
    shares = Shares(list(runs))
    budget = options.budget
    known = sum(each.measured for each in runs.values())
    if budget.samples is not None and known > budget.samples:
        beyond = f"{known - budget.samples} more than --samples {budget.samples}"
        progress.note(f"known schedules are always measured: {known} of them here, {beyond}")
    while (name := shares.next()) is not None:
        run = runs[name]
        measured = sum(each.measured for each in runs.values())
        left = None if budget.samples is None else _share(budget.samples - measured, len(shares))
        limits = Limits(end_s=end_s - _reserve_s(runs, options), samples=left)
        share_s = part(limits.end_s, len(shares)) - time.monotonic()
        if time.monotonic() >= limits.end_s or left == 0:
            break
        shortest_s = run.tuner.pace.shortest_round_s
        if new := sum(not each.rounds for each in runs.values()):  # every pipeline gets a first round
            shortest_s = min(shortest_s, _LEAST_ROUND_S)
            limits = replace(limits, end_s=part(limits.end_s, new))
        late = time.monotonic() + shortest_s >= limits.end_s
        if late or run.tuner.exhausted or (budget.rounds is not None and len(run.rounds) >= budget.rounds):
            if run.tuner.exhausted:
                progress.note(f"{name}: searches find nothing new any more")
            shares.leave(name)
            continue
        if run.expected is None:
            most = math.inf if budget.samples is None else (budget.samples - measured) / len(shares)
            run.expected = run.tuner.expect(share_s / 60, most=most)
            if run.expected is not None:
                progress.expects(name, run.expected)
        before = run.tuner.history.best_cost
        try:
            done = run.tuner.round(limits, progress)
        except HltuneError as error:
            run.error = error
            progress.note(f"{name} has no further rounds, and what was measured so far is compared. {error}")
            shares.leave(name)
            continue
        say_if_busy(run.session, name, progress)
        run.rounds.append(done)
        run.measured += done.measured
        run.failures += done.failures
        run.repaired += done.repaired
        run.seconds += done.seconds
        shares.gained(name, before, done.best)
        progress.round_done(done)
        own = Outlook.of([each.best for each in run.rounds])  # who tunes again wants more than there was
        if budget.until_done and own.done:
            progress.note(f"{name}: {_why_done(own)}")
            shares.leave(name)
    idle = [name for name, run in runs.items() if not run.rounds and run.error is None]
    if idle and budget.rounds != 0:
        why = "expected outputs and known schedules have used up the budget; give more --minutes, or --rounds"
        if budget.samples is not None and sum(each.measured for each in runs.values()) >= budget.samples:
            others = " and the rounds of others" if len(idle) < len(runs) else ""
            why = f"known schedules{others} have used up the samples; give more --samples"
        progress.note(f"no round of {', '.join(idle)}: {why}")


def _why_done(outlook: Outlook) -> str:
    if outlook.late_gain is None:
        return f"given up, nothing works after {outlook.rounds} rounds"
    return f"done, the last two thirds of its {outlook.rounds} rounds took {outlook.late_gain:.1%} off the least cost"


def part(end_s: float, parts: int) -> float:
    """The end of the first of equal parts of the time that is left until this moment of the monotonic clock."""
    now_s = time.monotonic()
    return now_s + max(0.0, end_s - now_s) / parts


def _reserve_s(runs: dict[str, Run], options: TuneOptions) -> float:
    """Time for the final comparisons, which are part of the budget."""
    reserve_s = sum(run.tuner.finals_s for run in runs.values())
    minutes = options.budget.minutes
    return reserve_s if minutes is None else min(reserve_s, _LARGEST_RESERVE * 60 * minutes)


def _share(samples: int, pipelines: int) -> int:
    """What a round may take of the samples that are left, so that the other pipelines get some as well."""
    return max(0, min(samples, max(_LEAST_SHARE, -(-samples // pipelines))))
