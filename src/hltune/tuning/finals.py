"""The end of tuning: the best candidates and all known schedules side by side, so that the fastest one wins."""

from collections.abc import Mapping
from dataclasses import dataclass

from hltune.machine.protocol import Session
from hltune.machine.speedup import Speedup, speedup
from hltune.samples.reader import Ranked
from hltune.search.autoschedulers import BASELINE
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost
from hltune.values.errors import Failure, HltuneError
from hltune.workspace.records import TUNED, Record
from hltune.workspace.rows import Row, without_twins


@dataclass(frozen=True, slots=True, kw_only=True)
class Finals:
    """Measured interleaved, in order of their cost, failures last.

    Attributes:
        to_runner_up: how many times as much the second best costs; None if there is none.
        to_baseline: how many times as much the schedule costs that Adams2019 finds without tuning; None if it failed.
    """

    rows: tuple[Row, ...]
    to_runner_up: Speedup | None
    to_baseline: Speedup | None

    @property
    def winner(self) -> Row:
        """The fastest verified schedule."""
        return self.rows[0]

    @property
    def winner_cost(self) -> Cost:
        """Cost of the winner."""
        assert self.winner.cost is not None
        return self.winner.cost

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
) -> Finals:
    """Measures the finalists: the references, the best schedules of the tuning, and what the workspace keeps.

    References keep their names; those that have failed in this run are not repeated.

    Raises:
        HltuneError: none of them works.
    """
    finalists = _finalists(references, best, records)
    schedules = {name: candidate.schedule for name, (_, candidate) in finalists.items() if name not in failed}
    measured = {**session.measure(schedules), **failed}
    rows = [Row.of(name, *finalists[name], measurement) for name, measurement in measured.items()]
    rows = without_twins(rows, finalists.keys() - references.keys())
    rows.sort(key=Row.order)
    costs = {row.name: row.cost for row in rows if row.cost}
    if not costs:
        raise HltuneError("no schedule works, not even the default one", where=where, found=str(rows[0].measurement))
    winner, *others = costs.values()
    baseline = costs.get(BASELINE)
    return Finals(
        rows=tuple(rows),
        to_runner_up=speedup(others[0], winner) if others else None,
        to_baseline=speedup(baseline, winner) if baseline else None,
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
    others += [
        (each.label, each.name, Candidate(schedule=each.schedule, provenance=each.provenance)) for each in records
    ]
    for name, finder, candidate in others:
        if candidate.schedule not in (known.schedule for _, known in found.values()):
            found[name] = (finder, candidate)
    return found
