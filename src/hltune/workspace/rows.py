"""Schedules that were measured side by side, as `hltune compare` and the end of tuning show them."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from hltune.machine.speedup import in_order
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement, is_repaired
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.workspace.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One schedule of a comparison.

    Attributes:
        name: what people see.
        finder: who found it, which is its name unless it comes from a record or from tuning.
        candidate: the schedule and where it came from; None if no search found one.
        measurement: its cost, or why there is none.
    """

    name: str
    finder: str
    candidate: Candidate | None
    measurement: Measurement

    @classmethod
    def of(cls, name: str, finder: str, given: Candidate | None, measurement: Measurement) -> Row:
        """A row with the candidate that was measured, which is another one if it had to be repaired."""
        measured = given and given.as_measured(measurement)
        return cls(name=name, finder=finder, candidate=measured, measurement=measurement)

    @property
    def repaired(self) -> bool:
        """The schedule that was found leaves its images; this is another one."""
        return is_repaired(self.measurement)

    @property
    def schedule(self) -> Schedule | None:
        """The directives, if there are any."""
        return self.candidate and self.candidate.schedule

    @property
    def cost(self) -> Cost | None:
        """The measurement, if it succeeded."""
        return self.measurement if isinstance(self.measurement, Cost) else None

    @property
    def failure(self) -> Failure | None:
        """The measurement, if it failed."""
        return self.measurement if isinstance(self.measurement, Failure) else None

    def record(self, name: str, *, compared: bool = True) -> Record | None:
        """What is worth keeping of it, under a name; None unless it was verified.

        Args:
            compared: see `Record`.
        """
        found = self.candidate
        if found is None or self.cost is None:
            return None
        return Record(
            name=name, schedule=found.schedule, cost=self.cost.value, provenance=found.provenance, compared=compared
        )


def without_twins(rows: Iterable[Row], names: Set[str]) -> list[Row]:
    """Leaves out those of these names whose schedule is what another one was repaired to."""
    rows = list(rows)
    repaired = {row.schedule for row in rows if row.repaired and row.name not in names}
    return [row for row in rows if row.name not in names or row.schedule not in repaired]


def fastest_first(rows: Iterable[Row], former: str | None = None) -> list[Row]:
    """Rows of one comparison in the order of `in_order`, failures last."""
    rows = list(rows)
    names = in_order({row.name: row.cost for row in rows if row.cost}, former)
    places = {name: place for place, name in enumerate(names)}
    return sorted(rows, key=lambda row: places.get(row.name, len(places)))
