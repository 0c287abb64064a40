"""Tables for people."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Column

from hltune.commands.compare import Comparison
from hltune.commands.run import Ran
from hltune.commands.schedule import Scheduled
from hltune.machine.protocol import Finding
from hltune.machine.speedup import ratio
from hltune.report.documents import ties, verification
from hltune.report.layout import (
    facts,
    number,
    numbers,
    percent,
    plain_table,
    print_failures,
    print_lines,
    print_table,
    print_verification,
)
from hltune.report.verdict import Verdict, whose
from hltune.schedule.render import render_loop_nest
from hltune.search.ladder import titled
from hltune.suite.benchmark import Benchmark
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Counters, Heap
from hltune.workspace.rows import Row
from hltune.workspace.subject import MANUAL

_TIMED = ("spread", "to best", "of limit", "heap in all\nper call/MiB\n(buffers)", "verified")
"""Columns of schedules that were timed, beside the time."""


def print_benchmarks(console: Console, suite: tuple[Benchmark, ...]) -> None:
    """The built-in benchmarks."""
    for group in dict.fromkeys(benchmark.group for benchmark in suite):
        table = plain_table(group, "size", "what it computes")
        for benchmark in suite:
            if benchmark.group == group:
                table.add_row(benchmark.name, f"{benchmark.width}x{benchmark.height}", benchmark.summary)
        print_table(console, table)


def print_scheduled(console: Console, result: Scheduled) -> None:
    """Result of `hltune schedule`: the loop nest and what it costs."""
    subject, unit = result.subject, result.unit
    if result.manual is not None:
        print_verdict(console, Verdict(written=result.manual, best=result.cost))
    print_lines(console, render_loop_nest(result.schedule, subject.spec))
    if len(result.tried) > 1 or result.manual is not None:
        _print_rungs(console, result)
    found_by = titled(result.name, result.rung)
    grid = facts(
        ("pipeline", subject.spec.name), ("schedule", f"{found_by}, {len(result.schedule.directives)} directives")
    )
    if result.candidate.search_s is not None:
        grid.add_row("search", f"{result.candidate.search_s:.2f} s")
        if result.candidate.predicted_ms is not None:
            grid.add_row("predicted", f"{unit.text(result.candidate.predicted_ms / 1e3)} {unit.label}")
    if result.predicted is not None:
        seconds, factor = result.predicted.seconds, result.predicted.factor
        grid.add_row("ranker", f"{unit.text(seconds)} {unit.label}, {factor:.1f} times more or less")
    grid.add_row("measured", _cost(result.cost, runnable=result.runnable))
    console.print(grid)
    print_verification(console, verification(result.verification))
    print_lines(console, *result.files)


def _print_rungs(console: Console, result: Scheduled) -> None:
    unit = result.unit
    table = plain_table(Column("search", no_wrap=True), *numbers("search/s", unit.heading), "")
    for tried in result.tried:
        found = tried.step.outcome
        search_s = found.search_s if isinstance(found, Candidate) else None
        if tried.step.skipped:
            remark = "skipped, too little time"
        elif tried.failure is not None:
            remark = f"failed: {tried.failure.stage}"
        else:
            remark = "found by an earlier run" if tried.step.remembered else ""
        cost = unit.text(tried.cost and tried.cost.value)
        table.add_row(tried.step.rung.label, number(search_s, ".2f"), cost, remark)
    if isinstance(own := result.manual, Cost):
        table.add_row(MANUAL, "-", unit.text(own.value), whose(MANUAL))
    elif own is not None:
        table.add_row(MANUAL, "-", "-", f"failed: {own.stage}")
    print_table(console, table)


def print_verdict(console: Console, verdict: Verdict | None) -> None:
    """The line that says what was gained over what somebody wrote."""
    if verdict is not None:
        print_lines(console, verdict.text)


def print_comparison(console: Console, result: Comparison) -> None:
    """Result of `hltune compare`."""
    unit, bound = result.unit, result.bandwidth_bound
    print_verdict(console, Verdict.of(result.rows))
    limit = "" if bound is None else f"; a copy of the same bytes: {unit.text(bound)} {unit.label}"
    print_lines(console, f"{result.subject.spec.name}{limit}")
    counters = next((row.cost.counters for row in result.rows if row.cost), None)
    headings = (*_counted(counters), "to best") if counters else _TIMED
    table = plain_table(Column("schedule", no_wrap=True, min_width=13), *numbers(unit.heading, *headings))
    without_cost = ("-",) * len(headings) + ("no" if counters is None else "-",)
    for row in result.rows:
        table.add_row(row.name, *(_cells(row.cost, result) if row.cost else without_cost))
    print_table(console, table)
    print_ties(console, result.rows)
    print_failures(console, result.rows)
    print_lines(console, *(f"{name} is by {rung}" for name, rung in result.rungs.items() if rung != name))
    if result.only_default:
        print_lines(console, f"no schedule of {result.subject.spec.name} works: what is above says why")
    print_verification(console, verification(result.verification))
    print_lines(console, "")


def print_ties(console: Console, rows: Sequence[Row]) -> None:
    """The line that names who may be as fast as the first one."""
    if found := ties(rows):
        print_lines(console, f"a tie with the first one, as far as these turns can tell: {', '.join(found)}")


def print_failed(console: Console, names: Iterable[str]) -> None:
    """Which ones of several pipelines failed; why was said when it happened."""
    print_lines(console, f"failed: {', '.join(names)}")


def print_findings(console: Console, found: list[Finding]) -> None:
    """Result of `hltune doctor`."""
    marks = {True: "ok", False: "missing"}
    console.print(facts(*((marks[each.ok], each.name, _advice(each)) for each in found)))


def print_ran(console: Console, result: Ran) -> None:
    """Result of `hltune run`."""
    written = zip(result.files, result.sizes, strict=True)
    print_lines(console, *(f"{path}  {size or 'a single value'}, schedule {result.schedule}" for path, size in written))


def _advice(finding: Finding) -> str:
    return finding.found if finding.todo is None else f"{finding.found}: {finding.todo}"


def _cells(cost: Cost, result: Comparison) -> tuple[str, ...]:
    number, to_best = cost.unit.text(cost.value), f"{ratio(cost, result.best or cost):.2f}"
    if cost.counters is not None:
        return number, *_counted(cost.counters).values(), to_best
    share = "-" if result.bandwidth_bound is None else f"{result.bandwidth_bound / cost.value:.0%}"
    return number, percent(cost.spread), to_best, share, _heap(cost.heap), "yes"


def _heap(heap: Heap | None) -> str:
    """What a call allocates: all together, and in how many buffers."""
    return "-" if heap is None else f"{heap.bytes / 2**20:,.1f} ({heap.allocations:,})"


def _cost(cost: Cost | None, *, runnable: bool) -> str:
    if cost is None and runnable:
        return "no: not asked for"
    if cost is None:
        return "no: code for this target does not run on this machine"
    text = f"{cost.unit.text(cost.value)} {cost.unit.label}"
    if cost.counters is None:
        spread = "" if cost.spread is None else f" (spread {cost.spread:.0%} over {len(cost.repeats)} repeats)"
        return f"{text}{spread}, output verified"
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
