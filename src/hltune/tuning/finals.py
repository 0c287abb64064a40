"""The end of tuning: the best candidates and all known schedules side by side, so that the fastest one wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hltune.commands.compare import Row, best_of_each
from hltune.machine.protocol import Session
from hltune.machine.speedup import Speedup, speedup
from hltune.samples.reader import Ranked
from hltune.tuning.tuner import BASELINE
from hltune.values.cost import Cost
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.workspace.records import TUNED, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Finals:
    """Measured interleaved, in order of their cost, failures last.

    Attributes:
        to_runner_up: how many times as long the second best takes; None if there is none.
        to_baseline: how many times as long the schedule takes that Adams2019 finds without tuning; None if it failed.
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
        """Of the winner."""
        assert isinstance(self.winner.measurement, Cost)
        return self.winner.measurement

    def row(self, name: str) -> Row | None:
        """The schedule of this name, if it took part."""
        return next((row for row in self.rows if row.name == name), None)


def decide(
    session: Session,
    references: Mapping[str, Schedule],
    failed: Mapping[str, Failure],
    best: tuple[Ranked, ...],
    records: list[Record],
    where: str,
) -> Finals:
    """Measures the finalists.

    Args:
        session: of the pipeline.
        references: known schedules by name; they keep their names.
        failed: those that have failed in this run, which is not repeated.
        best: the fastest of the tuning.
        records: what the workspace keeps, the fastest first.
        where: name of the pipeline, for errors.

    Raises:
        HltuneError: none of them works.
    """
    finalists = dict(references)
    for ranked in best:
        if ranked.schedule is not None and ranked.schedule not in finalists.values():
            finalists[f"{TUNED}-{ranked.schedule_hash[:8]}"] = ranked.schedule
    for record in best_of_each(records):
        if record.schedule not in finalists.values():
            finalists[record.label] = record.schedule
    measured = {**session.measure({k: v for k, v in finalists.items() if k not in failed}), **failed}
    rows = [
        Row(name=name, finder=name.partition("-")[0], schedule=finalists[name], measurement=measurement)
        for name, measurement in measured.items()
    ]
    rows.sort(key=Row.order)
    costs = {row.name: row.measurement for row in rows if isinstance(row.measurement, Cost)}
    if not costs:
        raise HltuneError("no schedule works, not even the default one", where=where, found=str(rows[0].measurement))
    winner, *others = costs.values()
    stock = costs.get(BASELINE)
    return Finals(
        rows=tuple(rows),
        to_runner_up=speedup(others[0], winner) if others else None,
        to_baseline=speedup(stock, winner) if stock else None,
    )
