"""Tables for people."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hltune.autoschedule import Autoscheduled
from hltune.compare import Comparison, Row
from hltune.doctor import Finding
from hltune.errors import Failure
from hltune.machine.protocol import Cost
from hltune.run import Ran
from hltune.schedule.render import render_loop_nest
from hltune.subject import Subject
from hltune.suite.benchmark import Benchmark


def print_benchmarks(console: Console, suite: tuple[Benchmark, ...]) -> None:
    """The built-in benchmarks."""
    table = Table(box=None, pad_edge=False)
    for heading in ("benchmark", "size", "what it computes"):
        table.add_column(heading)
    for benchmark in suite:
        table.add_row(benchmark.name, f"{benchmark.width}x{benchmark.height}", benchmark.summary)
    console.print(table)


def print_autoscheduled(console: Console, subject: Subject, result: Autoscheduled, files: tuple[Path, ...]) -> None:
    """Result of `hltune schedule`: the loop nest and what it costs."""
    console.print(Text(render_loop_nest(result.schedule, subject.spec).rstrip()), soft_wrap=True)
    console.print()
    grid = Table.grid(padding=(0, 2))
    grid.add_row("pipeline", subject.spec.name)
    grid.add_row("schedule", f"{result.name}, {len(result.schedule.directives)} directives")
    if result.candidate is not None:
        grid.add_row("search", f"{result.candidate.search_s:.2f} s")
        if result.candidate.predicted_ms is not None:
            grid.add_row("predicted", f"{result.candidate.predicted_ms:.3f} ms")
    grid.add_row("measured", _cost(result.cost))
    console.print(grid)
    print_files(console, files)


def print_comparison(console: Console, result: Comparison) -> None:
    """Result of `hltune compare`."""
    limit = "" if result.limit_s is None else f"; a copy of the same bytes takes {result.limit_s * 1e3:.3f} ms"
    console.print(Text(f"{result.subject.spec.name}{limit}"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("schedule", no_wrap=True, min_width=13)
    for heading in ("time/ms", "spread", "to best", "of limit"):
        table.add_column(heading, justify="right")
    table.add_column("verified")
    for row in result.rows:
        table.add_row(*_cells(row, result))
    console.print(table)
    for row in result.rows:
        if isinstance(row.measurement, Failure):
            console.print(Text(f"{row.name} failed. {row.measurement}"), soft_wrap=True)
    console.print()


def print_findings(console: Console, found: list[Finding]) -> None:
    """Result of `hltune doctor`."""
    grid = Table.grid(padding=(0, 2))
    for finding in found:
        mark = "ok" if finding.ok else "missing"
        grid.add_row(mark, finding.name, finding.found if finding.todo is None else f"{finding.found}: {finding.todo}")
    console.print(grid)


def print_ran(console: Console, name: str, result: Ran) -> None:
    """Result of `hltune run`."""
    for path, size in zip(result.files, result.sizes, strict=True):
        console.print(Text(f"{path}  {size}, schedule {name}"), soft_wrap=True)


def print_files(console: Console, files: tuple[Path, ...]) -> None:
    """Result of `hltune export`."""
    for path in files:
        console.print(Text(str(path)), soft_wrap=True)


def _cells(row: Row, result: Comparison) -> tuple[str, ...]:
    cost = row.measurement
    if not isinstance(cost, Cost):
        return row.name, "-", "-", "-", "-", "no"
    best = result.best_s or cost.value
    share = "-" if result.limit_s is None else f"{result.limit_s / cost.value:.0%}"
    return (
        row.name,
        f"{cost.value * 1e3:.3f}",
        f"{cost.spread:.0%}",
        f"{cost.value / best:.2f}",
        share,
        "yes",
    )


def _cost(cost: Cost | None) -> str:
    if cost is None:
        return "no: code for this target does not run on this machine"
    return f"{cost.value * 1e3:.3f} ms (spread {cost.spread:.0%} over {len(cost.repeats)} repeats), output verified"
