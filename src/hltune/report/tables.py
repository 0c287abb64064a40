"""Tables for people."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hltune.commands.compare import Comparison, Row
from hltune.commands.run import Ran
from hltune.commands.schedule import Scheduled
from hltune.machine.protocol import Finding
from hltune.schedule.render import render_loop_nest
from hltune.suite.benchmark import Benchmark
from hltune.values.cost import Cost, Counters
from hltune.values.errors import Failure
from hltune.values.unit import MILLISECONDS


def print_benchmarks(console: Console, suite: tuple[Benchmark, ...]) -> None:
    """The built-in benchmarks."""
    table = Table(box=None, pad_edge=False)
    for heading in ("benchmark", "size", "what it computes"):
        table.add_column(heading)
    for benchmark in suite:
        table.add_row(benchmark.name, f"{benchmark.width}x{benchmark.height}", benchmark.summary)
    console.print(table)


def print_scheduled(console: Console, result: Scheduled) -> None:
    """Result of `hltune schedule`: the loop nest and what it costs."""
    subject = result.subject
    console.print(Text(render_loop_nest(result.schedule, subject.spec).rstrip()), soft_wrap=True)
    console.print()
    grid = Table.grid(padding=(0, 2))
    grid.add_row("pipeline", subject.spec.name)
    grid.add_row("schedule", f"{result.name}, {len(result.schedule.directives)} directives")
    if result.candidate.search_s is not None:
        grid.add_row("search", f"{result.candidate.search_s:.2f} s")
        if result.candidate.predicted_ms is not None:
            unit = result.cost.unit if result.cost else MILLISECONDS
            grid.add_row("predicted", f"{unit.text(result.candidate.predicted_ms / 1e3)} {unit.label}")
    grid.add_row("measured", _cost(result.cost))
    console.print(grid)
    print_files(console, result.files)


def print_comparison(console: Console, result: Comparison) -> None:
    """Result of `hltune compare`."""
    unit = result.unit
    limit = (
        ""
        if result.bandwidth_bound is None
        else f"; a copy of the same bytes: {unit.text(result.bandwidth_bound)} {unit.label}"
    )
    console.print(Text(f"{result.subject.spec.name}{limit}"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("schedule", no_wrap=True, min_width=13)
    counters = next((row.measurement.counters for row in result.rows if isinstance(row.measurement, Cost)), None)
    counted = counters is not None
    headings = (*_counted(counters), "to best") if counted else ("spread", "to best", "of limit", "verified")
    for heading in (unit.heading, *headings):
        table.add_column(heading, justify="right")
    for row in result.rows:
        cells = _counted_cells(row, result) if counted else _cells(row, result)
        table.add_row(row.name, *(cells or ["-"] * (len(headings) + 1)))
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


def print_ran(console: Console, result: Ran) -> None:
    """Result of `hltune run`."""
    for path, size in zip(result.files, result.sizes, strict=True):
        console.print(Text(f"{path}  {size}, schedule {result.schedule}"), soft_wrap=True)


def print_files(console: Console, files: tuple[Path, ...]) -> None:
    """Result of `hltune export`."""
    for path in files:
        console.print(Text(str(path)), soft_wrap=True)


def _cells(row: Row, result: Comparison) -> tuple[str, ...]:
    cost = row.measurement
    if not isinstance(cost, Cost):
        return "-", "-", "-", "-", "no"
    share = "-" if result.bandwidth_bound is None else f"{result.bandwidth_bound / cost.value:.0%}"
    return cost.unit.text(cost.value), f"{cost.spread:.0%}", _to_best(cost, result), share, "yes"


def _counted_cells(row: Row, result: Comparison) -> tuple[str, ...]:
    cost = row.measurement
    if not isinstance(cost, Cost) or cost.counters is None:
        return ()
    return cost.unit.text(cost.value), *_counted(cost.counters).values(), _to_best(cost, result)


def _to_best(cost: Cost, result: Comparison) -> str:
    return f"{cost.value / (result.best or cost.value):.2f}"


def _cost(cost: Cost | None) -> str:
    if cost is None:
        return "no: code for this target does not run on this machine"
    text = f"{cost.unit.text(cost.value)} {cost.unit.label}"
    if cost.counters is None:
        return f"{text} (spread {cost.spread:.0%} over {len(cost.repeats)} repeats), output verified"
    counted = ", ".join(f"{heading} {count}" for heading, count in _counted(cost.counters).items()).replace("\n", " ")
    return f"{text}; {counted}; output verified"


def _counted(counters: Counters) -> dict[str, str]:
    """What was counted beside the cost, by the headings of its columns; as much of it as a narrow terminal holds."""
    vectors, heap_kib = f"{counters.hvx_instructions:,}", f"{counters.peak_heap_bytes / 1024:,.1f}"
    if counters.line_misses is not None:
        return {
            "packets\nissued": f"{counters.packets:,}",
            "line\nmisses": f"{counters.line_misses:,}",
            "HVX\ninstr.": vectors,
            "peak\nheap/KiB": heap_kib,
        }
    return {
        "HVX\ninstr.": vectors,
        "all\ninstr.": f"{counters.instructions:,}",
        "heap\nblocks": f"{counters.allocations:,}",
        "peak\nheap/KiB": heap_kib,
    }
