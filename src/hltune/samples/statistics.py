"""How many samples there are, and what they say."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hltune.samples.rows import MACHINE_COLUMNS, decode_machine
from hltune.values.machine_id import MachineId

Ids = tuple[int, int]
"""Of a pipeline and a machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Of one pipeline on one machine.

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
    costs = _costs(
        connection.execute(
            """SELECT pipeline_id, machine_id, min(cost) FROM samples
           WHERE cost IS NOT NULL GROUP BY pipeline_id, machine_id, schedule_id"""
        )
    )
    failed: dict[Ids, dict[str, int]] = {}
    for pipeline_id, machine_id, stage, count in connection.execute(
        """SELECT pipeline_id, machine_id, failure_stage, count(*) FROM samples
           WHERE cost IS NULL GROUP BY pipeline_id, machine_id, failure_stage"""
    ):
        failed.setdefault((pipeline_id, machine_id), {})[stage] = count
    rows = connection.execute(
        f"""SELECT pipeline_id, machine_id, hash, name, {MACHINE_COLUMNS},
               samples, schedules, first, last
           FROM (SELECT pipeline_id, machine_id, count(*) AS samples, count(DISTINCT schedule_id) AS schedules,
                     min(measured_at_s) AS first, max(measured_at_s) AS last
                 FROM samples GROUP BY pipeline_id, machine_id)
           JOIN pipelines ON pipelines.id = pipeline_id JOIN machines ON machines.id = machine_id
           ORDER BY name, hash, key"""
    )
    return tuple(_statistics(row, costs.get(row[:2]), failed.get(row[:2], {})) for row in rows)


def _costs(rows: Iterable[tuple[int, int, float]]) -> dict[Ids, list[float]]:
    costs: dict[Ids, list[float]] = {}
    for pipeline_id, machine_id, cost in rows:
        costs.setdefault((pipeline_id, machine_id), []).append(cost)
    return costs


def _statistics(row: tuple[Any, ...], costs: list[float] | None, failed: dict[str, int]) -> Statistics:
    pipeline_hash, name, *machine, samples, schedules, first, last = row[2:]
    return Statistics(
        pipeline_hash=pipeline_hash,
        pipeline_name=name,
        machine=decode_machine(machine),
        samples=samples,
        schedules=schedules,
        failed=failed,
        best=min(costs) if costs else None,
        median=float(np.median(costs)) if costs else None,
        slowest=max(costs) if costs else None,
        first_at_s=first,
        last_at_s=last,
    )
