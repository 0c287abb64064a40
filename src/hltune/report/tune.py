"""What people and scripts see of tuning."""

import contextlib
import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hltune.commands.tune import Tuned, TuneProgress
from hltune.machine.speedup import Speedup
from hltune.report.documents import Document
from hltune.report.documents import cost as cost_document
from hltune.search.autoschedulers import BASELINE
from hltune.tuning.tuner import Round
from hltune.values.cost import Cost
from hltune.values.errors import Failure
from hltune.values.unit import MILLISECONDS, Unit

_ROWS = 12
"""Rounds that the live table shows."""


def document(results: Sequence[Tuned], store: Path) -> Document:
    """Result of `hltune tune`; that of a single pipeline stands at the top."""
    documents = [_document(result, store) for result in results]
    return documents[0] if len(documents) == 1 else {"unit": _unit(results[0]).name, "pipelines": documents}


def print_tuned(console: Console, result: Tuned, files: Sequence[Path]) -> None:
    """The final comparison and what came of it."""
    spec = result.subject.spec
    unit = _unit(result)
    best = result.finals.winner_cost.value
    timed = result.finals.winner_cost.counters is None  # what is counted comes out the same every time
    console.print(Text(f"{spec.name}: the final comparison{', interleaved' if timed else ''}"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("schedule", no_wrap=True)
    for heading in (unit.heading, "spread", "to best") if timed else (unit.heading, "to best"):
        table.add_column(heading, justify="right")
    for row in result.finals.rows:
        cost = row.measurement
        if isinstance(cost, Cost):
            spread = (f"{cost.spread:.0%}",) if timed else ()
            table.add_row(row.name, unit.text(cost.value), *spread, f"{cost.value / best:.2f}")
        else:
            table.add_row(row.name, *["-"] * (len(table.columns) - 1))
    console.print(table)
    for row in result.finals.rows:
        if isinstance(row.measurement, Failure):
            console.print(Text(f"{row.name} failed. {row.measurement}"), soft_wrap=True)
    grid = Table.grid(padding=(0, 2))
    grid.add_row("winner", f"{result.finals.winner.name}, {unit.text(best)} {unit.label}, output verified")
    for label, ratio in (("runner-up", result.finals.to_runner_up), ("stock Adams2019", result.finals.to_baseline)):
        grid.add_row(f"{label} costs", _interval(ratio))
    counts = f"{result.measured} measured ({result.failed} failed), {result.samples_per_minute:.0f} per minute"
    grid.add_row("samples", f"{counts}; {result.distinct} distinct schedules in the store")
    last = next((each for each in reversed(result.rounds) if each.validations), None)
    if last is not None:
        grid.add_row(
            "held-out samples",
            f"{last.held_out}; "
            + "; ".join(
                f"{v.name}: {_share(v.pairs.accuracy)} of pairs, regret@1 {v.regret_at_1:.2f}, R2 {_number(v.r2)}"
                for v in last.validations
            ),
        )
    console.print(grid)
    for path in files:
        console.print(Text(str(path)), soft_wrap=True)
    console.print()


@contextlib.contextmanager
def show_tuning() -> Generator[TuneProgress]:
    """Shows rounds on standard error: a live table on a terminal, a line per round in a log."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Log(console)
        return
    # Redrawn when something happened only: while a schedule is timed, nothing else should run.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield _Table(live)


def _unit(result: Tuned) -> Unit:
    return result.finals.winner_cost.unit


@dataclass(slots=True)
class _Totals:
    """Of this run."""

    unit: Unit = MILLISECONDS
    end_s: float = math.inf
    measured: int = 0

    def left(self) -> str:
        """Time left."""
        if math.isinf(self.end_s):
            return "-"
        seconds = max(0, round(self.end_s - time.monotonic()))
        return f"{seconds // 60}:{seconds % 60:02}"


@dataclass(slots=True)
class _Log:
    console: Console
    totals: _Totals = field(default_factory=_Totals)

    def phase(self, text: str) -> None:
        """A log has a line per round; see `round_done`."""

    def note(self, text: str) -> None:
        self._print(f"note: {text}")

    def begin(self, pipelines: Sequence[str], *, unit: Unit, end_s: float) -> None:
        self.totals.unit, self.totals.end_s = unit, end_s
        self._print(f"tuning {', '.join(pipelines)}")

    def round_done(self, done: Round) -> None:
        self.totals.measured += done.measured
        cells = zip(_headings(self.totals.unit)[2:], _cells(done, self.totals.unit)[2:], strict=True)
        line = ", ".join(f"{heading} {cell}" for heading, cell in cells)
        self._print(f"{done.pipeline} round {done.number}: {line}, time left {self.totals.left()}")

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


@dataclass(slots=True)
class _Table:
    live: Live
    totals: _Totals = field(default_factory=_Totals)
    rounds: list[Round] = field(default_factory=list[Round])
    status: str = ""

    def phase(self, text: str) -> None:
        self.status = text
        self._draw()

    def note(self, text: str) -> None:
        self.live.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def begin(self, pipelines: Sequence[str], *, unit: Unit, end_s: float) -> None:
        self.totals.unit, self.totals.end_s = unit, end_s
        self.phase(f"tuning {', '.join(pipelines)}")

    def round_done(self, done: Round) -> None:
        self.totals.measured += done.measured
        self.rounds.append(done)
        self._draw()

    def _draw(self) -> None:
        table = Table(box=None, pad_edge=False)
        first, *others = _headings(self.totals.unit)
        table.add_column(first, no_wrap=True)
        for heading in others:
            table.add_column(heading, justify="right")
        for done in self.rounds[-_ROWS:]:
            table.add_row(*_cells(done, self.totals.unit))
        status = Text(f"{self.status}; {self.totals.measured} measured; time left {self.totals.left()}")
        self.live.update(Group(table, status) if self.rounds else status, refresh=True)


def _headings(unit: Unit) -> tuple[str, ...]:
    costs = (f"best/{unit.name}", f"beam/{unit.name}")
    return ("pipeline", "round", *costs, "samples", "failed", "per minute", "network", "trees", "chooser")


def _cells(done: Round, unit: Unit) -> tuple[str, ...]:
    """Of the headings; network and trees are the shares of held-out pairs that they order rightly."""
    accuracies = {v.name: _share(v.pairs.accuracy) for v in done.validations}
    return (
        done.pipeline,
        str(done.number),
        unit.text(done.best),
        unit.text(done.beam),
        str(done.measured),
        str(len(done.failures)),
        f"{done.measured / done.seconds * 60:.0f}",
        accuracies.get("network", "-"),
        accuracies.get("trees", "-"),
        done.selected or "chance",
    )


def _document(result: Tuned, store: Path) -> Document:
    finals = result.finals
    unit = _unit(result)
    baseline = finals.row(BASELINE)
    baseline_cost = baseline.measurement.value if baseline and isinstance(baseline.measurement, Cost) else None
    return {
        "pipeline": result.subject.spec.name,
        "target": result.subject.target.name,
        "unit": unit.name,
        "best": {"name": finals.winner.name, **cost_document(finals.winner_cost)},
        "baseline": {"name": BASELINE, "cost": None if baseline_cost is None else unit.from_seconds(baseline_cost)},
        "speedup": None if baseline_cost is None else round(baseline_cost / finals.winner_cost.value, 4),
        "to_runner_up": _ratio(finals.to_runner_up),
        "to_baseline": _ratio(finals.to_baseline),
        "finalists": [
            {
                "name": row.name,
                "cost": unit.from_seconds(row.measurement.value) if isinstance(row.measurement, Cost) else None,
                "failure": str(row.measurement) if isinstance(row.measurement, Failure) else None,
            }
            for row in finals.rows
        ],
        "measured": result.measured,
        "distinct": result.distinct,
        "reused": result.known,
        "failed": result.failed,
        "samples_per_minute": round(result.samples_per_minute, 2),
        "seconds": round(result.seconds, 2),
        "rounds": [_round(done, unit) for done in result.rounds],
        "weights": None if result.weights is None else str(result.weights),
        "store": str(store),
    }


def _round(done: Round, unit: Unit) -> Document:
    return {
        "round": done.number,
        "best": None if done.best is None else unit.from_seconds(done.best),
        "beam": None if done.beam is None else unit.from_seconds(done.beam),
        "searches": done.searches,
        "known": done.known,
        "measured": done.measured,
        "failed": len(done.failures),
        "held_out": done.held_out,
        "scorers": {
            v.name: {"pair_accuracy": v.pairs.accuracy, "regret_at_1": v.regret_at_1, "r2": v.r2}
            for v in done.validations
        },
        "chooser": done.selected,
        "search_s": round(done.search_s, 3),
        "measure_s": round(done.measure_s, 3),
        "learn_s": round(done.learn_s, 3),
    }


def _ratio(ratio: Speedup | None) -> Document | None:
    return None if ratio is None else {"value": ratio.value, "low": ratio.low, "high": ratio.high}


def _interval(ratio: Speedup | None) -> str:
    if ratio is None:
        return "too few turns, failed, or far behind: see the table"
    interval = f" (95% interval {ratio.low:.2f} to {ratio.high:.2f})" if ratio.low < ratio.high else ""
    return f"{ratio.value:.2f} times as much{interval}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
