"""How many samples there are, and what they say."""

import itertools
import sqlite3
import statistics
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from hltune.samples.rows import MACHINE_COLUMNS, decode_machine
from hltune.values.machine_id import MachineId


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The samples of one pipeline on one machine, in numbers.

    Attributes:
        samples: measurements, failed ones included.
        schedules: distinct ones.
        failed: failed measurements by stage.
        best: cost of the best schedule; like the next two None if every schedule failed.
        median: cost of the schedule in the middle.
        slowest: cost of the worst schedule.
        first_at_s: time of the first measurement, in seconds since 1970.
        last_at_s: time of the last one.
    """

    pipeline_hash: str
    pipeline_name: str
    machine: MachineId
    samples: int
    schedules: int
    failed: dict[str, int]
    best: float | None
    median: float | None
    slowest: float | None
    first_at_s: float
    last_at_s: float


def collect(connection: sqlite3.Connection) -> tuple[Statistics, ...]:
    """All pipelines on all machines, from the index, and from samples that failed."""
    pipelines = {key: (text, name) for key, text, name in connection.execute("SELECT id, hash, name FROM pipelines")}
    machines = {
        key: decode_machine(row) for key, *row in connection.execute(f"SELECT id, {MACHINE_COLUMNS} FROM machines")
    }
    failed: dict[tuple[int, int], dict[str, int]] = {}
    for pipeline, machine, stage, count in connection.execute(
        """SELECT pipeline_id, machine_id, failure_stage, count(*) FROM samples
           WHERE cost IS NULL GROUP BY pipeline_id, machine_id, failure_stage"""
    ):
        failed.setdefault((pipeline, machine), {})[stage] = count
    wrong = (
        "SELECT pipeline_id, machine_id, schedule_id FROM samples WHERE cost IS NULL AND failure_kind = 'wrong output'"
    )
    refuted = set(connection.execute(wrong))
    schedules = connection.execute(
        """SELECT pipeline_id, machine_id, count(*), min(cost), min(measured_at_s), max(measured_at_s), schedule_id
           FROM samples GROUP BY pipeline_id, machine_id, schedule_id ORDER BY pipeline_id, machine_id, schedule_id"""
    )
    found = [
        _statistics(pipelines[key[0]], machines[key[1]], failed.get(key, {}), [_row(row, refuted) for row in group])
        for key, group in itertools.groupby(schedules, key=lambda row: (row[0], row[1]))
    ]
    return tuple(sorted(found, key=lambda each: (each.pipeline_name, each.pipeline_hash, each.machine.key)))


def _row(row: tuple[Any, ...], refuted: Set[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Without the cost of what has ever been wrong."""
    pipeline, machine, count, cost, first, last, schedule = row
    return count, None if (pipeline, machine, schedule) in refuted else cost, first, last


def _statistics(
    pipeline: tuple[str, str], machine: MachineId, failed: dict[str, int], schedules: list[tuple[Any, ...]]
) -> Statistics:
    counts, costs, first, last = zip(*schedules, strict=True)
    known = [cost for cost in costs if cost is not None]
    return Statistics(
        pipeline_hash=pipeline[0],
        pipeline_name=pipeline[1],
        machine=machine,
        samples=sum(counts),
        schedules=len(schedules),
        failed=failed,
        best=min(known, default=None),
        median=statistics.median(known) if known else None,
        slowest=max(known, default=None),
        first_at_s=min(first),
        last_at_s=max(last),
    )
