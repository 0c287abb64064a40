"""What people and scripts see of pre-training."""

import contextlib
import math
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hltune.commands.pretrain import Pretrained, PretrainProgress
from hltune.cost_model.adams2019.scorer import Evaluation
from hltune.pretraining.batch import Batch
from hltune.pretraining.journal import Journal
from hltune.pretraining.learning import Checkpoint
from hltune.pretraining.plan import LEAST_HELD_OUT, LEAST_PROGRAMS, LEAST_SAMPLES, Plan
from hltune.report.documents import Document

_METRICS = (("pair_accuracy", "pairs right"), ("regret_at_1", "regret@1"), ("regret_at_8", "regret@8"), ("r2", "R2"))
_ROWS = 8
"""Checkpoints that the live table shows."""


def document(result: Pretrained) -> Document:
    """Result of `hltune pretrain`."""
    journal, checkpoint = result.journal, result.checkpoint
    measured = sum(batch.measured for batch in result.batches)
    return {
        "batches": journal.batches,
        "programs": journal.batches,
        "samples": journal.measured - journal.failed,
        "failed": journal.failed,
        "rejected": journal.rejected,
        "measured": measured,
        "samples_per_minute": round(60 * measured / result.seconds, 1),
        "seconds": round(result.seconds, 1),
        "seconds_of_all_runs": round(journal.seconds, 1),
        "weights": str(checkpoint.weights),
        "default": None if result.default is None else str(result.default),
        "store": str(result.store),
        "held_out": asdict(checkpoint.held_out.new),
        "held_out_initial": asdict(checkpoint.held_out.initial),
        "benchmarks": asdict(checkpoint.benchmarks.new),
        "benchmarks_initial": asdict(checkpoint.benchmarks.initial),
    }


def print_pretrained(console: Console, result: Pretrained) -> None:
    """What was measured and what was learned."""
    journal = result.journal
    share = journal.failed / journal.measured if journal.measured else 0.0
    grid = Table.grid(padding=(0, 2))
    grid.add_row("batches", f"{journal.batches}, {len(result.batches)} of them in this run of {_clock(result.seconds)}")
    grid.add_row("schedules", f"{journal.measured} measured, {journal.failed} failed ({share:.1%})")
    grid.add_row("rejected", _rejected(journal) or "no program")
    console.print(grid)
    console.print(_evaluations(result.checkpoint))
    console.print(Text(f"weights: {result.checkpoint.weights}"), soft_wrap=True)
    if result.default is not None:
        console.print(Text(f"used by default in this workspace: {result.default}"), soft_wrap=True)


def plan_document(advice: Plan) -> Document:
    """Result of `hltune pretrain --plan`."""
    return {**asdict(advice), "advice": advice.advice}


def print_plan(console: Console, advice: Plan) -> None:
    """The advice and what it is based on."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("to schedule", f"{advice.pipelines} pipelines in {advice.hours:g} hours")
    if advice.tuning_curve:
        points = ", ".join(f"{gain:.2f} after {minutes:.3g} min" for minutes, gain in advice.tuning_curve)
        grid.add_row("tuning", f"times as fast as beam search: {points} each; seen on {', '.join(advice.tuned)}")
    else:
        grid.add_row("tuning", f"cannot say: no pipeline with {LEAST_SAMPLES} samples was tuned on this machine")
    if advice.pretraining_gain is not None:
        points = ", ".join(f"{regret:.2f} with {programs}" for programs, regret in advice.learning_curve)
        grid.add_row("pre-training", f"regret@1 of held-out programs: {points} programs")
        grid.add_row(
            "", f"times as fast as beam search: {advice.pretraining_gain:.2f} expected with {advice.programs} programs"
        )
    else:
        grid.add_row(
            "pre-training",
            f"cannot say: fewer than {LEAST_PROGRAMS} random programs to learn from and "
            f"{LEAST_HELD_OUT} held out were measured on this machine; `hltune pretrain --batches 60` does "
            "that",
        )
    text = {"pretrain": "pre-train, then schedule without tuning", "tune": "tune each pipeline"}
    grid.add_row("advice", text[advice.advice] if advice.advice else "none: the store is too small to say")
    console.print(grid)


@contextlib.contextmanager
def show_pretraining() -> Generator[PretrainProgress]:
    """Shows batches on standard error: a live table on a terminal, a line per batch in a log."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Log(console)
        return
    # Redrawn when something happened only: while a schedule is timed, nothing else should run.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield _Table(live)


@dataclass(slots=True)
class _Clock:
    """Knows how much is left."""

    batches: int = 0
    done: int = 0
    here: int = 0
    began_s: float = 0.0
    end_s: float = math.inf

    def begin(self, done: int, batches: int, end_s: float) -> None:
        self.done, self.batches, self.end_s, self.began_s = done, batches, end_s, time.monotonic()

    def left(self) -> str:
        now_s = time.monotonic()
        to_end_s = self.end_s - now_s
        if self.here:
            to_end_s = min(to_end_s, (now_s - self.began_s) / self.here * (self.batches - self.done))
        return "-" if math.isinf(to_end_s) else _clock(max(0.0, to_end_s))


@dataclass(slots=True)
class _Log:
    console: Console
    clock: _Clock = field(default_factory=_Clock)

    def phase(self, text: str) -> None:
        """A log has a line per batch; see `batch_done`."""

    def note(self, text: str) -> None:
        self._print(f"note: {text}")

    def begin(self, *, done: int, batches: int, end_s: float) -> None:
        self.clock.begin(done, batches, end_s)
        self._print(f"pre-training: {done} of {batches} batches are done")

    def batch_done(self, batch: Batch, journal: Journal) -> None:
        self.clock.done, self.clock.here = journal.batches, self.clock.here + 1
        self._print(f"batch {journal.batches}: {_batch(batch)}, time left {self.clock.left()}")

    def checkpoint_done(self, checkpoint: Checkpoint) -> None:
        metrics = "; ".join(f"{label} {_pair(checkpoint, key)}" for key, label in _METRICS)
        self._print(f"after batch {checkpoint.batches}: {metrics}; {checkpoint.seconds:.1f} s")

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


@dataclass(slots=True)
class _Table:
    live: Live
    clock: _Clock = field(default_factory=_Clock)
    checkpoints: list[Checkpoint] = field(default_factory=list[Checkpoint])
    status: str = ""
    last: str = ""

    def phase(self, text: str) -> None:
        self.status = text
        self._draw()

    def note(self, text: str) -> None:
        self.live.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def begin(self, *, done: int, batches: int, end_s: float) -> None:
        self.clock.begin(done, batches, end_s)

    def batch_done(self, batch: Batch, journal: Journal) -> None:
        self.clock.done, self.clock.here = journal.batches, self.clock.here + 1
        self.last = f"last batch: {_batch(batch)}"
        self._draw()

    def checkpoint_done(self, checkpoint: Checkpoint) -> None:
        self.checkpoints.append(checkpoint)
        self._draw()

    def _draw(self) -> None:
        table = Table(box=None, pad_edge=False, title="held-out programs: new weights (initial ones)")
        for heading in ("batches", "programs", *(label for _, label in _METRICS)):
            table.add_column(heading, justify="right")
        for checkpoint in self.checkpoints[-_ROWS:]:
            cells = (_pair(checkpoint, key) for key, _ in _METRICS)
            table.add_row(str(checkpoint.batches), str(checkpoint.held_out.new.pipelines), *cells)
        lines = [Text(f"{self.status}; time left {self.clock.left()}")] + [Text(self.last)] * bool(self.last)
        self.live.update(Group(table, *lines) if self.checkpoints else Group(*lines), refresh=True)


def _batch(batch: Batch) -> str:
    text = f"{batch.name}, {batch.measured} measured, {len(batch.failures)} failed"
    text += f", {batch.seconds:.1f} s ({batch.search_s:.1f} before measuring)"
    return text + (f", {len(batch.rejected)} programs rejected" if batch.rejected else "")


def _evaluations(checkpoint: Checkpoint) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("judged by")
    table.add_column("weights")
    for heading in ("pipelines", "samples", *(label for _, label in _METRICS)):
        table.add_column(heading, justify="right")
    for name, evaluated in (("held-out programs", checkpoint.held_out), ("benchmarks", checkpoint.benchmarks)):
        for weights, each in (("new", evaluated.new), ("initial", evaluated.initial)):
            table.add_row(
                name, weights, str(each.pipelines), str(each.samples), *(_value(each, key) for key, _ in _METRICS)
            )
    return table


def _pair(checkpoint: Checkpoint, key: str) -> str:
    return f"{_value(checkpoint.held_out.new, key)} ({_value(checkpoint.held_out.initial, key)})"


def _value(evaluation: Evaluation, key: str) -> str:
    value = getattr(evaluation, key)
    return "-" if value is None else f"{value:.3f}"


def _rejected(journal: Journal) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(journal.rejected.items()))


def _clock(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"
