"""What people and scripts see of pre-training."""

import contextlib
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from hltune.commands.pretrain import Pretrained, PretrainProgress
from hltune.cost_model.metrics import Evaluation
from hltune.pretraining.batch import Batch
from hltune.pretraining.journal import Journal
from hltune.pretraining.learning import Checkpoint
from hltune.pretraining.plan import LEAST_HELD_OUT, LEAST_PROGRAMS, LEAST_TUNED, Plan
from hltune.pretraining.ranking import RankerCheckpoint
from hltune.report.layout import Document, facts, number, numbers, plain_table, print_lines, print_table
from hltune.report.progress import Board, clock

_METRICS = {"pair_accuracy": "pairs right", "regret_at_1": "regret@1", "regret_at_8": "regret@8", "r2": "R2"}
_ROWS = 8
"""Checkpoints that the live table shows."""
_TUNE = "`hltune tune PIPELINE --samples 200`"
_PRETRAIN = "`hltune pretrain --batches 100`"
"""What measures enough for `--plan` to say something: twice as much as it takes, for some fails or is held out."""


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
        "default": result.default and str(result.default),
        "store": str(result.store),
        "held_out": asdict(checkpoint.held_out.new),
        "held_out_initial": asdict(checkpoint.held_out.initial),
        "benchmarks": asdict(checkpoint.benchmarks.new),
        "benchmarks_initial": asdict(checkpoint.benchmarks.initial),
        "ranker": result.ranker and _ranker_document(result.ranker),
    }


def _ranker_document(ranker: RankerCheckpoint) -> Document:
    return {
        "path": str(ranker.path),
        "programs": ranker.programs,
        "held_out": asdict(ranker.held_out),
        "held_out_t0": asdict(ranker.held_out_t0),
        "benchmarks": asdict(ranker.benchmarks),
    }


def print_pretrained(console: Console, result: Pretrained) -> None:
    """What was measured and what was learned."""
    journal = result.journal
    share = journal.failed / journal.measured if journal.measured else 0.0
    rejected = ", ".join(f"{count} {reason}" for reason, count in sorted(journal.rejected.items()))
    batches = f"{journal.batches}, {len(result.batches)} of them in this run of {clock(result.seconds)}"
    schedules = f"{journal.measured} measured, {journal.failed} failed ({share:.1%})"
    console.print(facts(("batches", batches), ("schedules", schedules), ("rejected", rejected or "no program")))
    print_table(console, _evaluations(result.checkpoint, result.ranker))
    print_lines(console, f"weights: {result.checkpoint.weights}")
    if result.ranker is not None:
        print_lines(console, f"ranker: {result.ranker.path}, from {result.ranker.programs} programs")
    if result.default is not None:
        print_lines(console, f"used by default in this workspace: {result.default}")


def plan_document(advice: Plan) -> Document:
    """Result of `hltune pretrain --plan`."""
    return {**asdict(advice), "advice": advice.advice}


def print_plan(console: Console, advice: Plan) -> None:
    """The advice and what it is based on."""
    grid = facts(("to schedule", f"{advice.pipelines} pipelines in {advice.hours:g} hours"))
    if advice.tuning_curve:
        each = f"{advice.minutes_each:.3g}"
        points = ", ".join(f"{gain:.2f} after {minutes:.3g} min" for minutes, gain in advice.tuning_curve)
        reached = advice.tuning_curve[-1][0] >= advice.minutes_each
        short = "" if reached else f", none of which was tuned for {each} min"
        grid.add_row("tuning", f"times as fast as beam search: {points} each; seen on {', '.join(advice.tuned)}{short}")
    else:
        grid.add_row(
            "tuning", f"cannot say: no pipeline with {LEAST_TUNED} samples was tuned on this machine; {_TUNE} does that"
        )
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
            f"{LEAST_HELD_OUT} held out were measured on this machine; {_PRETRAIN} does that",
        )
    grid.add_row("advice", _advice(advice))
    console.print(grid)


def _advice(plan: Plan) -> str:
    if plan.advice is not None:
        return {"pretrain": "pre-train, then schedule without tuning", "tune": "tune each pipeline"}[plan.advice]
    gains = ((_TUNE, plan.tuning_gain), (_PRETRAIN, plan.pretraining_gain))
    return f"none yet: run {' and '.join(command for command, gain in gains if gain is None)} first"


def show_pretraining() -> contextlib.AbstractContextManager[PretrainProgress]:
    """Shows batches on standard error: a live table on a terminal, a line per batch in a log."""
    return _Batches()


@dataclass(slots=True)
class _Batches(Board):
    """What is done of all batches, how many of them in this run, and when it began and has to end."""

    batches: int = 0
    done: int = 0
    here: int = 0
    began_s: float = 0.0
    end_s: float = math.inf
    checkpoints: list[Checkpoint] = field(default_factory=list[Checkpoint])
    last: str = ""

    def begin(self, *, done: int, batches: int, end_s: float) -> None:
        self.done, self.batches, self.end_s, self.began_s = done, batches, end_s, time.monotonic()
        self.log(f"pre-training: {done} of {batches} batches are done")

    def batch_done(self, batch: Batch, journal: Journal) -> None:
        self.done, self.here = journal.batches, self.here + 1
        self.last = f"last batch: {_batch(batch)}"
        self.log(f"batch {journal.batches}: {_batch(batch)}, time left {self._left()}")
        self.draw()

    def checkpoint_done(self, checkpoint: Checkpoint) -> None:
        self.checkpoints.append(checkpoint)
        metrics = "; ".join(f"{label} {_pair(checkpoint, key)}" for key, label in _METRICS.items())
        self.log(f"after batch {checkpoint.batches}: {metrics}; {checkpoint.seconds:.1f} s")
        self.draw()

    def ranker_done(self, checkpoint: RankerCheckpoint) -> None:
        metrics = "; ".join(f"{label} {_value(checkpoint.held_out, key)}" for key, label in _METRICS.items())
        self.log(f"ranker from {checkpoint.programs} programs: {metrics}; {checkpoint.seconds:.1f} s")
        self.draw()

    def contents(self) -> Iterable[RenderableType]:
        if self.checkpoints:
            table = plain_table(*numbers("batches", "programs", *_METRICS.values()))
            table.title = Text("held-out programs: new weights (initial ones)", style="table.title")
            for checkpoint in self.checkpoints[-_ROWS:]:
                cells = (_pair(checkpoint, key) for key in _METRICS)
                table.add_row(str(checkpoint.batches), str(checkpoint.held_out.new.pipelines), *cells)
            yield table
        yield Text(f"{self.status}; time left {self._left()}")
        if self.last:
            yield Text(self.last)

    def _left(self) -> str:
        now_s = time.monotonic()
        to_end_s = self.end_s - now_s
        if self.here:
            to_end_s = min(to_end_s, (now_s - self.began_s) / self.here * (self.batches - self.done))
        return clock(to_end_s)


def _batch(batch: Batch) -> str:
    text = f"{batch.name}, {batch.measured} measured, {len(batch.failures)} failed"
    text += f", {batch.seconds:.1f} s ({batch.search_s:.1f} before measuring)"
    return text + (f", {len(batch.rejected)} programs rejected" if batch.rejected else "")


def _evaluations(checkpoint: Checkpoint, ranker: RankerCheckpoint | None) -> Table:
    table = plain_table("evaluated on", "weights", *numbers("pipelines", "samples", *_METRICS.values()))
    for name, evaluated in (("held-out programs", checkpoint.held_out), ("benchmarks", checkpoint.benchmarks)):
        for weights, each in (("new", evaluated.new), ("initial", evaluated.initial)):
            metrics = (_value(each, key) for key in _METRICS)
            table.add_row(name, weights, str(each.pipelines), str(each.samples), *metrics)
    if ranker is not None:
        rows = (("held-out programs", "ranker", ranker.held_out), ("held-out programs", "T0", ranker.held_out_t0))
        for name, scorer, each in (*rows, ("benchmarks", "ranker", ranker.benchmarks)):
            metrics = (_value(each, key) for key in _METRICS)
            table.add_row(name, scorer, str(each.pipelines), str(each.samples), *metrics)
    return table


def _pair(checkpoint: Checkpoint, key: str) -> str:
    return f"{_value(checkpoint.held_out.new, key)} ({_value(checkpoint.held_out.initial, key)})"


def _value(evaluation: Evaluation, key: str) -> str:
    return number(getattr(evaluation, key), ".3f")
