"""Tables for people."""

from pathlib import Path

from rich.console import Console
from rich.table import Column

from hltune.commands.compare import Comparison
from hltune.commands.run import Ran
from hltune.commands.schedule import Scheduled
from hltune.machine.protocol import Finding
from hltune.report.layout import facts, numbers, plain_table, print_failures, print_lines, print_verification
from hltune.schedule.render import render_loop_nest
from hltune.suite.benchmark import Benchmark
from hltune.values.cost import Cost, Counters
from hltune.values.unit import MILLISECONDS


def print_benchmarks(console: Console, suite: tuple[Benchmark, ...]) -> None:
    """The built-in benchmarks."""
    table = plain_table("benchmark", "size", "what it computes")
    for benchmark in suite:
        table.add_row(benchmark.name, f"{benchmark.width}x{benchmark.height}", benchmark.summary)
    console.print(table)


def print_scheduled(console: Console, result: Scheduled) -> None:
    """Result of `hltune schedule`: the loop nest and what it costs."""
    subject = result.subject
    print_lines(console, render_loop_nest(result.schedule, subject.spec))
    grid = facts(
        ("pipeline", subject.spec.name), ("schedule", f"{result.name}, {len(result.schedule.directives)} directives")
    )
    if result.candidate.search_s is not None:
        grid.add_row("search", f"{result.candidate.search_s:.2f} s")
        if result.candidate.predicted_ms is not None:
            unit = result.cost.unit if result.cost else MILLISECONDS
            grid.add_row("predicted", f"{unit.text(result.candidate.predicted_ms / 1e3)} {unit.label}")
    grid.add_row("measured", _cost(result.cost))
    console.print(grid)
    print_verification(console, result.verification)
    print_files(console, result.files)


def print_comparison(console: Console, result: Comparison) -> None:
    """Result of `hltune compare`."""
    unit, bound = result.unit, result.bandwidth_bound
    limit = "" if bound is None else f"; a copy of the same bytes: {unit.text(bound)} {unit.label}"
    print_lines(console, f"{result.subject.spec.name}{limit}")
    counters = next((row.cost.counters for row in result.rows if row.cost), None)
    headings = (*_counted(counters), "to best") if counters else ("spread", "to best", "of limit", "verified")
    table = plain_table(Column("schedule", no_wrap=True, min_width=13), *numbers(unit.heading, *headings))
    without_cost = ("-",) * len(headings) + ("no" if counters is None else "-",)
    for row in result.rows:
        table.add_row(row.name, *(_cells(row.cost, result) if row.cost else without_cost))
    console.print(table)
    print_failures(console, result.rows)
    print_verification(console, result.verification)
    print_lines(console, "")


def print_findings(console: Console, found: list[Finding]) -> None:
    """Result of `hltune doctor`."""
    marks = {True: "ok", False: "missing"}
    console.print(facts(*((marks[each.ok], each.name, _advice(each)) for each in found)))


def print_ran(console: Console, result: Ran) -> None:
    """Result of `hltune run`."""
    written = zip(result.files, result.sizes, strict=True)
    print_lines(console, *(f"{path}  {size}, schedule {result.schedule}" for path, size in written))


def print_files(console: Console, files: tuple[Path, ...]) -> None:
    """Result of `hltune export`."""
    print_lines(console, *files)


def _advice(finding: Finding) -> str:
    return finding.found if finding.todo is None else f"{finding.found}: {finding.todo}"


def _cells(cost: Cost, result: Comparison) -> tuple[str, ...]:
    number, to_best = cost.unit.text(cost.value), f"{cost.value / (result.best or cost.value):.2f}"
    if cost.counters is not None:
        return number, *_counted(cost.counters).values(), to_best
    share = "-" if result.bandwidth_bound is None else f"{result.bandwidth_bound / cost.value:.0%}"
    return number, f"{cost.spread:.0%}", to_best, share, "yes"


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
    if counters.line_misses is None:
        kinds = {"all\ninstr.": f"{counters.instructions:,}", "heap\nblocks": f"{counters.allocations:,}"}
        return {"HVX\ninstr.": vectors, **kinds, "peak\nheap/KiB": heap_kib}
    counts = {"packets\nissued": f"{counters.packets:,}", "line\nmisses": f"{counters.line_misses:,}"}
    return {**counts, "HVX\ninstr.": vectors, "peak\nheap/KiB": heap_kib}
