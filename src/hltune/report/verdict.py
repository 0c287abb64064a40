"""How the best schedule compares with the one that a person wrote: the first line of every summary."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from hltune.machine.speedup import Speedup, compared
from hltune.report.layout import Document
from hltune.report.speedups import interval, known_tie, ratio_document, ratio_text
from hltune.values.cost import Cost, Measurement
from hltune.values.errors import Failure
from hltune.workspace.rows import Row
from hltune.workspace.subject import DEFAULT, EXPERT, MANUAL, MANUAL_PART

_WHOSE = {
    MANUAL: "your own schedule",
    EXPERT: "the expert's schedule",
    MANUAL_PART: "what directives can say of your own schedule",
    DEFAULT: "the default schedule",
}


def whose(name: str) -> str:
    """What people call a known schedule."""
    return _WHOSE.get(name, f"the schedule by {name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The schedule that somebody wrote and the best other one.

    Attributes:
        name: whose schedule it is: `MANUAL`, the author's, or `EXPERT`, that of a built-in benchmark.
        written: what measuring it gave.
        best: cost of the best other schedule; None if there is none.
        compared: they were measured side by side.
        same_program: Halide makes the same of both, so that any difference is noise.
        tried: another one was measured, even if it failed.
        short_of_time: what else there is was left out for want of time.
    """

    name: str = MANUAL
    written: Measurement
    best: Cost | None
    compared: bool = True
    same_program: bool = False
    tried: bool = True
    short_of_time: bool = False

    @classmethod
    def of(
        cls, rows: Iterable[Row], *, compared: bool = True, twins: Collection[str] = (), left_out: Collection[str] = ()
    ) -> "Verdict | None":
        """Found among schedules, the fastest first; None if nobody wrote one.

        Args:
            twins: those that are the same program, by name.
            left_out: those that there was no time for, by name.
        """
        found = {row.name: row for row in rows}
        name = next((each for each in (MANUAL, EXPERT) if each in found), None)
        if name is None:
            return None
        written = found.pop(name).measurement
        found.pop(MANUAL_PART, None)  # is the author's as well
        best = next((row for row in found.values() if row.cost), None)
        same = best is not None and {name, best.name} <= {*twins}
        return cls(
            name=name,
            written=written,
            best=best and best.cost,
            compared=compared,
            same_program=same,
            tried=bool(found),
            short_of_time=bool(left_out),
        )

    @property
    def speedup(self) -> Speedup | None:
        """How many times as much the written schedule costs as the best other one; None if one of them failed."""
        if not isinstance(self.written, Cost) or self.best is None:
            return None
        return compared(self.written, self.best)

    @property
    def tie(self) -> bool | None:
        """Neither is surely faster; None if that cannot be told."""
        return True if self.same_program else known_tie(self.speedup)

    @property
    def text(self) -> str:
        """One line for people."""
        if isinstance(self.written, Failure):
            return f"{whose(self.name)} failed. {self.written}"
        found = self.speedup
        if found is None and not self.tried:
            why = ", for want of time" if self.short_of_time else ""
            return f"{whose(self.name)} works; nothing else was tried{why}"
        if found is None:
            return f"nothing works so far but {whose(self.name)}"
        how = "" if self.compared else ", by times of different moments"
        if self.same_program:
            return f"the same program as {whose(self.name)}"
        than = "the expert" if self.name == EXPERT else whose(self.name)
        if found.tie:
            unsure = " (too few turns to be sure)" if self.tie is None and self.compared else ""
            return f"a tie with {than}{unsure}{how}"
        if found.value > 1:
            return f"{_number(found.value)} times as fast as {than}{self._interval(found.low, found.high)}{how}"
        slow = f"{_number(1 / found.value)} times as slow as {whose(self.name)}, which stays the fastest"
        return f"{slow}{self._interval(1 / found.high, 1 / found.low)}{how}"

    def _interval(self, low: float, high: float) -> str:
        """The interval, or that there is none; what was given up early was far behind, and needs none."""
        found = self.speedup
        if found is None or found.pruned or not self.compared:
            return ""
        return " (too few turns for an interval)" if found.interval is None else interval(low, high)

    @property
    def document(self) -> Document:
        """The same for scripts."""
        return {
            "cost": self.written.unit.from_seconds(self.written.value) if isinstance(self.written, Cost) else None,
            "failure": str(self.written) if isinstance(self.written, Failure) else None,
            "speedup": ratio_document(self.speedup),
            "tie": self.tie,
            "summary": self.text,
        }


def _number(ratio: float) -> str:
    return ratio_text(ratio) if ratio < 1.95 else f"{ratio:.1f}"
