"""Who may take part in the final comparison, what is known of them, and in which order they are measured."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from hltune.samples.results import Ranked
from hltune.search.autoschedulers import BASELINE
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.provenance import Searched
from hltune.values.unit import MILLISECONDS, Unit
from hltune.workspace.record import TUNED, Record
from hltune.workspace.rows import Row, without_twins
from hltune.workspace.subject import EXPERT, MANUAL

_FAR = 5.0
"""What costs so many times as much as the best one is not measured again, but for `_ALWAYS`."""
_ALWAYS = (MANUAL, EXPERT, BASELINE)
"""What people want to know how much was gained over."""


class Finalist(NamedTuple):
    """Who found a schedule, and the schedule."""

    finder: str
    candidate: Candidate


@dataclass(frozen=True, kw_only=True)
class Contest:
    """The known schedules of a pipeline, the best ones of its tuning, and what the workspace keeps, each once.

    Attributes:
        pipeline: its name.
        references: schedules that keep their names.
        failed_now: those of them that have failed in this run, which is not repeated.
        best: the best schedules of the tuning.
        records: what the workspace keeps.
        cost: what the store knows of a candidate; None if nothing.
        refuted: how the store knows a candidate's outputs to have been wrong; None if they never were.
        unit: of such costs.
    """

    pipeline: str
    references: Mapping[str, Candidate]
    failed_now: Mapping[str, Failure]
    best: Sequence[Ranked]
    records: Sequence[Record]
    cost: Callable[[Candidate], float | None] = lambda _: None
    refuted: Callable[[Candidate], Failure | None] = lambda _: None
    unit: Unit = MILLISECONDS

    @cached_property
    def finalists(self) -> dict[str, Finalist]:
        """Who takes part, by name."""
        found = {name: Finalist(name, candidate) for name, candidate in self.references.items()}
        others = [
            (f"{TUNED}-{each.schedule_hash[:8]}", TUNED, Candidate(schedule=each.schedule, provenance=each.provenance))
            for each in self.best
            if each.schedule is not None
        ]
        others += [(each.label, each.name, each.candidate) for each in self.records]
        for name, finder, candidate in others:
            if candidate.schedule not in (known.candidate.schedule for known in found.values()):
                found[name] = Finalist(finder, candidate)
        return found

    @cached_property
    def failed(self) -> dict[str, Failure]:
        """Those that are not measured: what was ever wrong has failed, even if it happens to be right now."""
        wrong = {name: self.refuted(each.candidate) for name, each in self.finalists.items()}
        return {**{name: failure for name, failure in wrong.items() if failure is not None}, **self.failed_now}

    @cached_property
    def costs(self) -> dict[str, float | None]:
        """What the store knows, or else the record; None if nobody has measured it."""
        known = {name: self.cost(each.candidate) for name, each in self.finalists.items()}
        return {name: self._kept.get(name) if cost is None else cost for name, cost in known.items()}

    @cached_property
    def _kept(self) -> dict[str, float | None]:
        return {each.label: each.cost for each in self.records}

    @cached_property
    def _left_before(self) -> tuple[str, ...]:
        """What tuning has left before, by the names under which it takes part."""
        left = _left(self.records)
        return tuple(
            name for name, each in self.finalists.items() if name not in self.failed and each.candidate.schedule in left
        )

    @cached_property
    def order(self) -> list[str]:
        """Who is measured: the best one, what people compare with, the others by cost, what is not known last.

        What is far behind the best one, and nobody asks for, stays away.
        """
        costs = {name: cost for name, cost in self.costs.items() if name not in self.failed}
        always = (*self._left_before, *_asked_for(self.references, costs))
        known = {name: math.inf if cost is None else cost for name, cost in costs.items()}
        names = sorted(known, key=lambda name: known[name])
        best = known[names[0]] if names else 0.0
        near = [name for name in names if costs[name] is None or known[name] <= _FAR * best or name in always]
        first = (*near[:1], *always)
        return sorted(near, key=lambda name: first.index(name) if name in first else len(first))

    @property
    def is_known(self) -> bool:
        """The store or a record has a cost of at least one of them."""
        return any(cost and math.isfinite(cost) for cost in self.costs.values())

    def stored(self, measured: Mapping[str, Measurement], *, compared: bool) -> dict[str, Cost]:
        """What the store or a record knows of them, but of those that do not work, other than for want of time.

        Where others were `compared`, only of those that would have been measured.
        """
        return {
            name: Cost(unit=self.unit, turns=((min(cost, self._kept.get(name) or cost),),))
            for name, cost in self.costs.items()
            if cost and cost < math.inf and _may_work(measured.get(name, self.failed.get(name)))
            if name in self.order or not compared
        }

    def rows(self, measured: Mapping[str, Measurement]) -> list[Row]:
        """What was measured, and what has failed; what was repaired to what was wrong before has failed as well."""
        outcomes = {**self.failed, **measured}
        rows = [Row.of(name, *self.finalists[name], outcome) for name, outcome in outcomes.items()]
        return without_twins(map(self._unless_refuted, rows), self.finalists.keys() - self.references.keys())

    def _unless_refuted(self, row: Row) -> Row:
        if row.candidate is None or row.cost is None or (failure := self.refuted(row.candidate)) is None:
            return row
        return replace(row, measurement=failure)

    def former(self, rows: Sequence[Row], *, only_winner: bool) -> str | None:
        """What tuning has left before, by its name among these; None if it is not there, or does not work.

        With ``only_winner``, if it has won a comparison.
        """
        left = _left(each for each in self.records if each.has_won or not only_winner)
        return next((row.name for row in rows if row.cost and row.schedule in left), None)

    def missed(self, measured: Mapping[str, Measurement]) -> tuple[str, ...]:
        """Those that were to be measured, were not, and matter."""
        return tuple(name for name in self.order if name not in measured and self._matters(name))

    def _matters(self, name: str) -> bool:
        return name in self.references or name in self._left_before or self.finalists[name].finder != TUNED


def _left(records: Iterable[Record]) -> list[Schedule]:
    """What tuning has left on record."""
    return [each.schedule for each in records if each.name == TUNED]


def _may_work(outcome: Measurement | None) -> bool:
    """It was not measured now, or failed for want of time."""
    return outcome is None or (isinstance(outcome, Failure) and outcome.kind == "timeout")


def _asked_for(references: Mapping[str, Candidate], costs: Mapping[str, float | None]) -> tuple[str, ...]:
    """What people want to know the gain over; the fastest that was searched for where there is no baseline."""
    if BASELINE in costs:
        return _ALWAYS
    searched = [name for name in costs if name in references and isinstance(references[name].provenance, Searched)]
    return (*_ALWAYS, *sorted(searched, key=lambda name: math.inf if (cost := costs[name]) is None else cost)[:1])
