"""The JSON documents of ``--json``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hltune.commands.attempt import Tried
from hltune.commands.compare import Comparison
from hltune.commands.export import Exported
from hltune.commands.run import Ran
from hltune.commands.schedule import Scheduled
from hltune.machine.protocol import Finding
from hltune.machine.speedup import is_tie, ratio
from hltune.machine.verify import Verification
from hltune.report.layout import Document
from hltune.report.verdict import Verdict
from hltune.suite.benchmark import Benchmark
from hltune.values import schedule_codec
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Prediction, is_repaired
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.values.machine_id import MachineId
from hltune.values.reasons import Reason
from hltune.values.unit import MILLISECONDS, Unit
from hltune.workspace.rows import Row


def benchmarks(suite: tuple[Benchmark, ...]) -> Document:
    """The built-in benchmarks."""
    fields = ("name", "group", "summary", "width", "height")
    return {"benchmarks": [{name: getattr(each, name) for name in fields} for each in suite]}


def scheduled(result: Scheduled) -> Document:
    """Result of `hltune schedule`."""
    subject, candidate = result.subject, result.candidate
    return {
        "pipeline": subject.spec.name,
        "target": subject.target.name,
        "name": result.name,
        "rung": result.rung,
        **cost(result.cost, result.unit),
        "verified": result.cost is not None,
        **verdict(None if result.manual is None else Verdict(written=result.manual, best=result.cost)),
        "repaired": is_repaired(result.cost),
        "predicted_ms": candidate.predicted_ms,
        "ranker": None if result.predicted is None else _prediction(result.predicted),
        "search_s": None if candidate.search_s is None else round(candidate.search_s, 4),
        "schedule": directives(result.schedule),
        "files": [str(path) for path in result.files],
        "fallbacks": [failure(f) for f in result.failures],
        "rungs": [_rung(tried, result.unit) for tried in result.tried],
        "verification": verification(result.verification),
    }


def _prediction(predicted: Prediction) -> Document:
    return {"predicted_ms": 1e3 * predicted.seconds, "factor": predicted.factor}


def _rung(tried: Tried, unit: Unit) -> Document:
    found = tried.step.outcome
    candidate = found if isinstance(found, Candidate) else None
    return {
        "rung": tried.step.rung.label,
        "name": tried.step.rung.finder,
        **cost(tried.cost, unit),
        "predicted_ms": candidate and candidate.predicted_ms,
        "search_s": None if candidate is None or candidate.search_s is None else round(candidate.search_s, 4),
        "remembered": tried.step.remembered,
        "skipped": tried.step.skipped,
        "failure": tried.failure and failure(tried.failure),
    }


def ran(result: Ran) -> Document:
    """Result of `hltune run`."""
    return {**exported(result), "sizes": result.sizes}


def exported(result: Exported) -> Document:
    """Result of `hltune export`."""
    files = [str(path) for path in result.files]
    return {"pipeline": result.pipeline, "name": result.schedule, "files": files, "notes": [*result.notes]}


def comparisons(results: list[Comparison], failed: Mapping[str, HltuneError], *, interrupted: bool = False) -> Document:
    """Result of `hltune compare`; that of a single pipeline stands at the top. Errors are those of some of several.

    Args:
        interrupted: somebody did, so that pipelines may be missing.
    """
    documents = [_comparison(result) for result in results]
    if len(documents) == 1 and not failed and not interrupted:
        return documents[0]
    unit = {"unit": results[0].unit.name} if results else {}
    return {**unit, "pipelines": documents, **errors(failed), **({"interrupted": True} if interrupted else {})}


def errors(failed: Mapping[str, HltuneError]) -> Document:
    """What went wrong with some of several pipelines, by name; nothing if all is well."""
    return {"failed": {name: error.document() for name, error in failed.items()}} if failed else {}


def verdict(found: Verdict | None) -> Document:
    """How the best schedule compares with the author's, or the expert's, where there is one."""
    return {} if found is None else {found.name: found.document}


def _comparison(result: Comparison) -> Document:
    return {
        "pipeline": result.subject.spec.name,
        "target": result.subject.target.name,
        "unit": result.unit.name,
        **verdict(Verdict.of(result.rows)),
        "limit": result.unit.from_seconds(result.bandwidth_bound),
        "schedules": [
            {**_row(row, result.unit), "to_best": to_best(row, result.best), "rung": result.rungs.get(row.name)}
            for row in result.rows
        ],
        "ties": ties(result.rows),
        "verification": verification(result.verification),
    }


def ties(rows: Sequence[Row]) -> list[str]:
    """Who may be as fast as the first one: times are those of all turns, ratios compare turns side by side."""
    costs = {row.name: row.cost for row in rows if row.cost}
    return [name for name, cost in [*costs.items()][1:] if is_tie(cost, next(iter(costs.values())))]


def to_best(row: Row, best: Cost | None) -> float | None:
    """How many times as much it costs as the first one, by which rows are in order."""
    return ratio(row.cost, best) if row.cost and best else None


def _row(row: Row, unit: Unit) -> Document:
    return {
        "name": row.name,
        **cost(row.cost, unit),
        "verified": row.cost is not None,
        "repaired": row.repaired,
        "failure": row.failure and failure(row.failure),
        "schedule": row.schedule and directives(row.schedule),
    }


def findings(found: list[Finding]) -> Document:
    """Result of `hltune doctor`."""
    return {
        "usable": all(f.ok for f in found if f.required),
        "findings": [{"name": f.name, "ok": f.ok, "found": f.found, "todo": f.todo} for f in found],
    }


def cost(value: Cost | None, unit: Unit = MILLISECONDS) -> Document:
    """A cost in its unit, and what was counted with it; the unit given is for what was not measured."""
    if value is None:
        return {"cost": None, "unit": unit.name, "spread": None}
    document: Document = {
        "cost": value.unit.from_seconds(value.value),
        "unit": value.unit.name,
        "spread": value.spread and round(value.spread, 4),
    }
    if value.counters is not None:
        document["counters"] = {name: count for name, count in asdict(value.counters).items() if count is not None}
    if value.heap is not None:
        document["heap"] = asdict(value.heap)
    return document


def verification(value: Verification | None) -> Document | None:
    """What outputs were verified against, and how exactly; None if they were not."""
    if value is None:
        return None
    return {
        "reference": value.reference,
        "confirmed_by": value.confirmed_by,
        "notes": list(value.notes),
        "outputs": [
            {"name": each.output, "tolerance": each.text, "reason": each.reason, "chaotic": each.chaotic}
            for each in value.outputs
        ],
    }


def failure(value: Failure) -> Document:
    """A failure without its log."""
    return {"stage": value.stage, "kind": value.kind, "message": value.text}


def reason_fields(value: Reason) -> Document:
    """A reason without the schedule that failed."""
    return {key: getattr(value, key) for key in ("stage", "count", "message", "example")}


def machine_fields(machine: MachineId) -> Document:
    """A machine with its key."""
    return {"key": machine.key, **machine.document()}


def directives(schedule: Schedule) -> list[Any]:
    """A schedule as a list of directives."""
    return schedule_codec.to_json(schedule)["directives"]
