"""The JSON documents of ``--json``; DESIGN names the fields that scripts rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hltune.autoschedule import Autoscheduled
from hltune.compare import Comparison, Row
from hltune.doctor import Finding
from hltune.errors import Failure, HltuneError
from hltune.machine.protocol import Cost
from hltune.schedule import codec
from hltune.schedule.directives import Schedule
from hltune.subject import Subject
from hltune.suite.benchmark import Benchmark

Document = dict[str, Any]

UNIT = "ms"
"""Unit of all times whose name does not end in another one."""


def error(problem: HltuneError) -> Document:
    """What went wrong."""
    return {
        "error": {
            "what": problem.what,
            "where": problem.where,
            "expected": problem.expected,
            "found": problem.found,
            "todo": problem.todo,
        },
        "exit_code": problem.exit_code,
    }


def benchmarks(suite: tuple[Benchmark, ...]) -> Document:
    """The built-in benchmarks."""
    return {"benchmarks": [{"name": b.name, "summary": b.summary, "width": b.width, "height": b.height} for b in suite]}


def autoscheduled(subject: Subject, result: Autoscheduled, files: tuple[Path, ...]) -> Document:
    """Result of `hltune schedule`."""
    candidate = result.candidate
    return {
        "pipeline": subject.spec.name,
        "target": subject.target.name,
        "name": result.name,
        "cost": None if result.cost is None else milliseconds(result.cost.value),
        "unit": UNIT,
        "spread": None if result.cost is None else round(result.cost.spread, 4),
        "verified": result.cost is not None,
        "predicted_ms": candidate.predicted_ms if candidate else None,
        "search_s": round(candidate.search_s, 4) if candidate else None,
        "schedule": directives(result.schedule),
        "files": [str(path) for path in files],
        "fallbacks": [failure(f) for f in result.failures],
    }


def comparisons(results: list[Comparison]) -> Document:
    """Result of `hltune compare`; that of a single pipeline stands at the top."""
    documents = [_comparison(result) for result in results]
    return documents[0] if len(documents) == 1 else {"unit": UNIT, "pipelines": documents}


def _comparison(result: Comparison) -> Document:
    return {
        "pipeline": result.subject.spec.name,
        "target": result.subject.target.name,
        "unit": UNIT,
        "limit": None if result.limit_s is None else milliseconds(result.limit_s),
        "schedules": [_row(row) for row in result.rows],
    }


def _row(row: Row) -> Document:
    measured = row.measurement if isinstance(row.measurement, Cost) else None
    return {
        "name": row.name,
        "cost": milliseconds(measured.value) if measured else None,
        "spread": round(measured.spread, 4) if measured else None,
        "verified": measured is not None,
        "failure": failure(row.measurement) if isinstance(row.measurement, Failure) else None,
        "schedule": directives(row.schedule) if row.schedule is not None else None,
    }


def findings(found: list[Finding]) -> Document:
    """Result of `hltune doctor`."""
    return {
        "usable": all(f.ok for f in found if f.required),
        "findings": [{"name": f.name, "ok": f.ok, "found": f.found, "todo": f.todo} for f in found],
    }


def failure(value: Failure) -> Document:
    """A failure without its log."""
    return {"stage": value.stage, "kind": value.kind, "message": value.message}


def directives(schedule: Schedule) -> list[Any]:
    """A schedule as a list of directives."""
    return codec.to_json(schedule)["directives"]


def milliseconds(seconds: float) -> float:
    """To the nanosecond."""
    return round(seconds * 1e3, 6)
