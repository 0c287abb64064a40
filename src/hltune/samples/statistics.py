"""How many samples there are, and what they say."""

import itertools
import sqlite3
import statistics
from collections import Counter
from dataclasses import dataclass
from operator import itemgetter
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
    """All pipelines on all machines, from the index alone."""
    pipelines = {key: (text, name) for key, text, name in connection.execute("SELECT id, hash, name FROM pipelines")}
    machines = {
        key: decode_machine(row) for key, *row in connection.execute(f"SELECT id, {MACHINE_COLUMNS} FROM machines")
    }
    rows = connection.execute(
        """SELECT pipeline_id, machine_id, schedule_id, failure_stage,
               count(*), min(cost), min(measured_at_s), max(measured_at_s)
           FROM samples GROUP BY 1, 2, 3, 4 ORDER BY 1, 2"""
    )
    found = [
        _statistics(pipelines[pipeline], machines[machine], [row[2:] for row in group])
        for (pipeline, machine), group in itertools.groupby(rows, key=itemgetter(0, 1))
    ]
    return tuple(sorted(found, key=lambda each: (each.pipeline_name, each.pipeline_hash, each.machine.key)))


def _statistics(pipeline: tuple[str, str], machine: MachineId, rows: list[tuple[Any, ...]]) -> Statistics:
    """From one row per schedule and stage of failure; the stage of costs is None."""
    schedules, stages, counts, costs, first, last = zip(*rows, strict=True)
    failed = Counter[str]()
    for stage, count in zip(stages, counts, strict=True):
        if stage is not None:
            failed[stage] += count
    known = [cost for cost in costs if cost is not None]
    return Statistics(
        pipeline_hash=pipeline[0],
        pipeline_name=pipeline[1],
        machine=machine,
        samples=sum(counts),
        schedules=len(set(schedules)),
        failed=dict(failed),
        best=min(known, default=None),
        median=statistics.median(known) if known else None,
        slowest=max(known, default=None),
        first_at_s=min(first),
        last_at_s=max(last),
    )
