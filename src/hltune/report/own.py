"""How the best schedule compares with the one that the pipeline's author wrote: the first line of every summary."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from hltune.machine.speedup import Speedup, compared
from hltune.values.cost import Cost, Measurement
from hltune.values.errors import Failure
from hltune.workspace.rows import Row
from hltune.workspace.subject import MANUAL, MANUAL_PART

Document = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The author's schedule and the best other one.

    Attributes:
        manual: what measuring the author's schedule gave.
        best: cost of the best other schedule; None if there is none.
        compared: they were measured side by side.
    """

    manual: Measurement
    best: Cost | None
    compared: bool = True

    @classmethod
    def of(cls, rows: Iterable[Row], *, compared: bool = True) -> "Own | None":
        """Found among schedules, the fastest first; None without an author's one."""
        found = {row.name: row for row in rows}
        if (manual := found.pop(MANUAL, None)) is None:
            return None
        found.pop(MANUAL_PART, None)  # is the author's as well
        best = next((row.cost for row in found.values() if row.cost), None)
        return cls(manual=manual.measurement, best=best, compared=compared)

    @property
    def speedup(self) -> Speedup | None:
        """How many times as much the author's schedule costs as the best other one; None if one of them failed."""
        if not isinstance(self.manual, Cost) or self.best is None:
            return None
        return compared(self.manual, self.best)

    @property
    def tie(self) -> bool:
        """Neither is surely faster."""
        return self.speedup is not None and self.speedup.tie

    @property
    def text(self) -> str:
        """One line for people."""
        if isinstance(self.manual, Failure):
            return f"your own schedule failed. {self.manual}"
        found = self.speedup
        if found is None:
            return "nothing works so far but your own schedule"
        how = "" if self.compared else ", by times of different moments"
        if self.tie:
            return f"a tie with your own schedule{how}"
        if found.value > 1:
            return f"{_number(found.value)} times as fast as your own schedule{how}"
        return f"{_number(1 / found.value)} times as slow as your own schedule, which stays the fastest{how}"

    @property
    def document(self) -> Document:
        """The same for scripts."""
        found = self.speedup
        return {
            "cost": self.manual.unit.from_seconds(self.manual.value) if isinstance(self.manual, Cost) else None,
            "failure": str(self.manual) if isinstance(self.manual, Failure) else None,
            "speedup": None if found is None else asdict(found),
            "tie": self.tie,
            "summary": self.text,
        }


def _number(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 1.95 else f"{ratio:.1f}"
