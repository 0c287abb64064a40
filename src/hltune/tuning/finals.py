"""The end of tuning: the best candidates and all known schedules side by side, so that the fastest one wins."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hltune.machine.protocol import Session
from hltune.machine.speedup import Speedup, speedup
from hltune.samples.results import Ranked
from hltune.search.autoschedulers import BASELINE
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.values.provenance import Searched
from hltune.values.reasons import limits_to_raise
from hltune.values.unit import MILLISECONDS, Unit
from hltune.workspace.records import TUNED, Record
from hltune.workspace.rows import Row, fastest_first, without_twins
from hltune.workspace.subject import DEFAULT, EXPERT, MANUAL

_FAR = 5.0
"""What costs so many times as much as the best one is not measured again, but for `_ALWAYS`."""
_ALWAYS = (MANUAL, EXPERT, BASELINE)
"""What people want to know how much was gained over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finals:
    """The winner first, then by their ratio to it, failures last.

    Attributes:
        compared: they were measured interleaved, or are counted, which makes no difference; else costs are what is
            stored, each of a moment of its own, and who has won a comparison before comes first.
        to_runner_up: how many times as much the second best costs; None if there is none.
        to_baseline: how many times as much the schedule costs that Adams2019 finds without tuning; None if it failed.
        left_out: those that there was no time for, and that matter, by name.
        same_program: others of them of which Halide makes the winner's program: that their costs differ is noise.
        stays: the winner is what tuning has left before, and not the one that seems fastest: as far as can be told,
            they are equals, and who has won before is not replaced for that.
    """

    rows: tuple[Row, ...]
    to_runner_up: Speedup | None
    to_baseline: Speedup | None
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

    def knowing_twins(self, names: Sequence[str]) -> "Finals":
        """The same, when these others come to the winner's program: none of them is the runner-up."""
        if not names:
            return self
        others = (row.cost for row in self.rows[1:] if row.name not in names and row.cost)
        runner_up = next(others, None)
        to_runner_up = runner_up and speedup(runner_up, self.winner_cost)
        return replace(self, same_program=tuple(names), to_runner_up=to_runner_up)

    def row(self, name: str) -> Row | None:
        """The schedule of this name, if it took part."""
        return next((row for row in self.rows if row.name == name), None)


def decide(
    session: Session,
    references: Mapping[str, Candidate],
    failed: Mapping[str, Failure],
    best: tuple[Ranked, ...],
    records: list[Record],
    where: str,
    *,
    cost: Callable[[Candidate], float | None] = lambda _: None,
    refuted: Callable[[Candidate], Failure | None] = lambda _: None,
    unit: Unit = MILLISECONDS,
    most: int | None = None,
    told: Callable[[Sequence[Row]], None] = lambda _: None,
) -> Finals:
    """Measures the finalists: the references, the best schedules of the tuning, and what the workspace keeps.

    References keep their names; those that have failed in this run are not repeated. What was ever wrong has failed,
    even if it happens to be right now. What does not matter for the
    result stays away: what is far behind, or has failed before, and the last ones where there is time for few.

    Args:
        cost: what the store knows of a candidate, or else its record; the least of both counts if nothing works any
            more, for want of time.
        refuted: how the store knows a candidate's outputs to have been wrong; None if they never were.
        unit: of such costs.
        most: how many there is time for; with none, the costs that the store knows decide, but who has won a
            comparison before stays the winner where costs are timed: the least time of many may be luck. What is
            counted needs no time: the store knows it exactly. In a comparison, what tuning has left before takes part,
            and stays if nobody is surely faster.
        told: is called with what was found, whether or not anything works.

    Raises:
        HltuneError: none of them works, or none but the default schedule.
    """
    finalists = _finalists(references, best, records)
    wrong = {name: failure for name, (_, each) in finalists.items() if (failure := refuted(each)) is not None}
    failed = {**wrong, **failed}
    kept = {each.label: each.cost for each in records}
    known = {name: kept.get(name) if (found := cost(each)) is None else found for name, (_, each) in finalists.items()}
    working = {name: value for name, value in known.items() if name not in failed}
    left = _left_before(records)
    before = [name for name, (_, each) in finalists.items() if name in working and each.schedule in left]
    names = _order(working, (*before, *_compared(references, working)))
    waiting, measured = names, dict[str, Measurement]()
    if most == 0 and any(math.isfinite(value or math.inf) for value in known.values()):
        names = []  # there is no time, and what the store knows has to do
    while names and not any(isinstance(each, Cost) for each in measured.values()):
        chosen, names = names[: most or None], names[most:] if most else []
        measured |= session.measure({name: finalists[name][1].schedule for name in chosen})
    compared = any(isinstance(each, Cost) for each in measured.values())
    if not compared or unit.counted:
        measured |= {
            name: Cost(unit=unit, turns=((min(each, kept.get(name) or each),),))
            for name, each in known.items()
            if each and each < math.inf and _may_work(measured.get(name, failed.get(name)))
            if name in waiting or not compared
        }
        compared = unit.counted
    rows = [Row.of(name, *finalists[name], measurement) for name, measurement in {**failed, **measured}.items()]
    rows = [_unless_refuted(row, refuted) for row in rows]
    rows = without_twins(rows, finalists.keys() - references.keys())
    seem = fastest_first(rows)
    former = _former(rows, records if compared else [each for each in records if each.has_won])
    rows = fastest_first(rows, former)
    if not compared:
        rows.sort(key=lambda row: row.name != former)
    told(rows)
    left_out = tuple(
        name
        for name in waiting
        if name not in measured and (name in references or name in before or finalists[name][0] != TUNED)
    )
    costs = {row.name: row.cost for row in rows if row.cost}
    if costs.keys() <= {DEFAULT}:
        raise _nothing_works(rows, where)
    winner, *others = costs.values()
    baseline = costs.get(BASELINE)
    return Finals(
        rows=tuple(rows),
        to_runner_up=speedup(others[0], winner) if others else None,
        to_baseline=speedup(baseline, winner) if baseline else None,
        left_out=left_out,
        compared=compared,
        stays=rows[0] is not seem[0],
    )


def _unless_refuted(row: Row, refuted: Callable[[Candidate], Failure | None]) -> Row:
    """What was measured now may be repaired to what was wrong before."""
    if row.candidate is None or row.cost is None or (failure := refuted(row.candidate)) is None:
        return row
    return replace(row, measurement=failure)


def _former(rows: Sequence[Row], records: Sequence[Record]) -> str | None:
    """What tuning has left before, by the name under which it takes part; None if it does not, or does not work."""
    left = _left_before(records)
    return next((row.name for row in rows if row.cost and row.schedule in left), None)


def _left_before(records: Sequence[Record]) -> list[Schedule]:
    return [each.schedule for each in records if each.name == TUNED]


def _may_work(outcome: Measurement | None) -> bool:
    """It was not measured now, or failed for want of time."""
    return outcome is None or (isinstance(outcome, Failure) and outcome.kind == "timeout")


def _compared(references: Mapping[str, Candidate], costs: Mapping[str, float | None]) -> tuple[str, ...]:
    """What people want to know the gain over; the fastest that was searched for where there is no baseline."""
    if BASELINE in costs:
        return _ALWAYS
    searched = [name for name in costs if name in references and isinstance(references[name].provenance, Searched)]
    return (*_ALWAYS, *sorted(searched, key=lambda name: math.inf if (cost := costs[name]) is None else cost)[:1])


def _order(costs: Mapping[str, float | None], always: Sequence[str]) -> list[str]:
    """The best one and those that `always` take part first, the others by cost, those that nobody has measured last."""
    known = {name: math.inf if cost is None else cost for name, cost in costs.items()}
    names = sorted(known, key=lambda name: known[name])
    best = known[names[0]] if names else 0.0
    near = [name for name in names if costs[name] is None or known[name] <= _FAR * best or name in always]
    first = (*near[:1], *always)
    return sorted(near, key=lambda name: first.index(name) if name in first else len(first))


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


def _finalists(
    references: Mapping[str, Candidate], best: tuple[Ranked, ...], records: list[Record]
) -> dict[str, tuple[str, Candidate]]:
    """Who takes part, by name, each schedule once: its finder and the candidate."""
    found = {name: (name, candidate) for name, candidate in references.items()}
    others = [
        (f"{TUNED}-{each.schedule_hash[:8]}", TUNED, Candidate(schedule=each.schedule, provenance=each.provenance))
        for each in best
        if each.schedule is not None
    ]
    others += [(each.label, each.name, each.candidate) for each in records]
    for name, finder, candidate in others:
        if candidate.schedule not in (known.schedule for _, known in found.values()):
            found[name] = (finder, candidate)
    return found
