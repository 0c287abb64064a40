"""The end of tuning: the best candidates and all known schedules side by side, so that the fastest one wins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hltune.machine.protocol import Session
from hltune.machine.speedup import Speedup
from hltune.machine.speedup import compared as in_turns
from hltune.search.autoschedulers import BASELINE
from hltune.tuning.contest import Contest
from hltune.values.cost import Cost, Measurement
from hltune.values.errors import HltuneError
from hltune.values.reasons import limits_to_raise
from hltune.workspace.rows import Row, fastest_first
from hltune.workspace.subject import DEFAULT, MANUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Finals:
    """The winner first, then by their ratio to it, failures last.

    Attributes:
        compared: they were measured interleaved, or are counted, which makes no difference; else costs are what is
            stored, each of a moment of its own, and who has won a comparison before comes first.
        left_out: those that there was no time for, and that matter, by name.
        same_program: others of them of which Halide makes the winner's program: that their costs differ is noise.
        stays: the winner is what tuning has left before, and not the one that seems fastest: as far as can be told,
            they are equals, and who has won before is not replaced for that.
    """

    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()
    compared: bool = True
    stays: bool = False
    same_program: tuple[str, ...] = ()

    @property
    def winner(self) -> Row:
        """The fastest verified schedule."""
        return self.rows[0]

    @property
    def winner_cost(self) -> Cost:
        """Cost of the winner."""
        assert self.winner.cost is not None
        return self.winner.cost

    @property
    def winner_is(self) -> str | None:
        """The known schedule that has won, such as the expert's; None if tuning, or an earlier command, found it."""
        return self.winner.name if self.winner.name == self.winner.finder else None

    @property
    def to_runner_up(self) -> Speedup | None:
        """How many times as much the second best program costs; None if there is none, or they were not compared."""
        others = (row for row in self.rows[1:] if row.name not in self.same_program and row.cost)
        return self._to_winner(next(others, None))

    @property
    def to_baseline(self) -> Speedup | None:
        """How many times as much what Adams2019 finds without tuning costs; None as above, or if it failed."""
        return self._to_winner(self.row(BASELINE))

    def _to_winner(self, row: Row | None) -> Speedup | None:
        return in_turns(row.cost, self.winner_cost) if self.compared and row and row.cost else None

    def row(self, name: str) -> Row | None:
        """The schedule of this name, if it took part."""
        return next((row for row in self.rows if row.name == name), None)


def decide(
    session: Session,
    contest: Contest,
    *,
    most: int | None = None,
    told: Callable[[Sequence[Row]], None] = lambda _: None,
) -> Finals:
    """Measures the finalists side by side, and says who has won.

    Args:
        most: how many there is time for; with none, the costs that the store knows decide, but who has won a
            comparison before stays the winner where costs are timed: the least time of many may be luck. What is
            counted needs no time: the store knows it exactly. In a comparison, what tuning has left before takes part,
            and stays if nobody is surely faster.
        told: is called with what was found, whether or not anything works.

    Raises:
        HltuneError: none of them works, or none but the default schedule.
    """
    measured = {} if most == 0 and contest.is_known else _measured(session, contest, most)
    compared = _any_works(measured)
    if not compared or contest.unit.counted:
        measured |= contest.stored(measured, compared=compared)
        compared = contest.unit.counted
    rows = contest.rows(measured)
    seem = fastest_first(rows)
    former = contest.former(rows, only_winner=not compared)
    rows = fastest_first(rows, former)
    if not compared:
        rows.sort(key=lambda row: row.name != former)
    told(rows)
    if {row.name for row in rows if row.cost} <= {DEFAULT}:
        raise _nothing_works(rows, contest.pipeline)
    return Finals(rows=tuple(rows), left_out=contest.missed(measured), compared=compared, stays=rows[0] is not seem[0])


def _measured(session: Session, contest: Contest, most: int | None) -> dict[str, Measurement]:
    """Measures as many as there is time for, and the next ones as long as none of them works."""
    names, measured = contest.order, dict[str, Measurement]()
    while names and not _any_works(measured):
        chosen, names = names[: most or None], names[most:] if most else []
        measured |= session.measure({name: contest.finalists[name].candidate.schedule for name in chosen})
    return measured


def _any_works(measured: Mapping[str, Measurement]) -> bool:
    return any(isinstance(each, Cost) for each in measured.values())


def _nothing_works(rows: list[Row], where: str) -> HltuneError:
    reasons = [f"{row.name}: {row.failure}" for row in rows if row.failure]
    if rows and all(row.name == MANUAL for row in rows):
        return HltuneError(
            "your own schedule, from which --keep and --only start, does not work",
            where=where,
            found="; ".join(reasons) or None,
            todo="mend it, or leave --keep and --only away; `hltune samples failures` lists what failed",
        )
    raised = limits_to_raise(row.failure for row in rows if row.failure)
    return HltuneError(
        "no schedule works, not even the default one" if all(row.failure for row in rows) else "only the default works",
        where=where,
        found="; ".join(reasons) or None,
        todo="; ".join(filter(None, ("`hltune samples failures` lists what failed", raised))),
    )
