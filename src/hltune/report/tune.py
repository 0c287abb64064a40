"""What people and scripts see of tuning."""

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Column
from rich.text import Text

from hltune.commands.tune import Tuning
from hltune.commands.tune_one import Tuned
from hltune.cost_model.ranker import NAME as RANKER
from hltune.machine.speedup import Speedup, ratio
from hltune.report.documents import cost as cost_document
from hltune.report.documents import errors, ties, to_best
from hltune.report.documents import verdict as verdict_document
from hltune.report.documents import verification as verification_document
from hltune.report.layout import (
    Document,
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
from hltune.report.outlook import outlook_text
from hltune.report.progress import Board, clock
from hltune.report.speedups import interval, known_tie, ratio_document
from hltune.report.tables import print_ties, print_verdict
from hltune.report.verdict import Verdict, whose
from hltune.search.autoschedulers import BASELINE
from hltune.tuning.finals import Finals
from hltune.tuning.operators import Successes
from hltune.tuning.outlook import Expectation, Outlook
from hltune.tuning.round import Round
from hltune.tuning.rounds import TuneProgress
from hltune.values.errors import InputError
from hltune.values.reasons import Reason
from hltune.values.unit import MILLISECONDS, Unit
from hltune.workspace.record import TUNED
from hltune.workspace.subject import EXPERT, MANUAL

_REASONS = 3
"""Reasons of failure that are shown."""
_ROWS = 12
"""Rounds that the live table shows."""


def document(tuning: Tuning, store: Path) -> Document:
    """Result of `hltune tune`; that of a single pipeline stands at the top."""
    documents = [_document(result, store) for result in tuning.results]
    if len(documents) == 1 and not tuning.failed:
        return documents[0]
    return {"unit": _unit(tuning.results[0]).name, "pipelines": documents, **errors(tuning.failed)}


def print_tuned(console: Console, result: Tuned, files: Sequence[Path]) -> None:
    """The final comparison and what came of it."""
    print_verdict(console, _verdict(result))
    finals, unit, best = result.finals, _unit(result), result.finals.winner_cost
    timed = not finals.winner_cost.counted  # what is counted comes out the same every time
    how = f"the final comparison{', interleaved' if timed else ''}"
    how = how if finals.compared else "by what is stored, each of a moment of its own and not side by side"
    print_lines(console, f"{result.subject.spec.name}: {how}")
    headings = (unit.heading, "spread", "to best") if timed else (unit.heading, "to best")
    table = plain_table(Column("schedule", no_wrap=True), *numbers(*headings))
    for row in finals.rows:
        cells = ["-"] * len(headings)
        if cost := row.cost:
            spread = [percent(cost.spread)] if timed else []
            cells = [unit.text(cost.value), *spread, f"{ratio(cost, best):.2f}"]
        table.add_row(row.name, *cells)
    print_table(console, table)
    print_ties(console, finals.rows)
    print_lines(console, *_about_winner(finals))
    if finals.left_out:
        names = ", ".join(finals.left_out)
        again = f"{result.again}, with --rounds 0, compares them, too"
        print_lines(console, f"left out, for there was no time: {names}; {again}")
    print_failures(console, finals.rows)
    counts = f"{result.measured} measured ({result.failed} failed, {result.repaired} repaired)"
    counts += f", {result.samples_per_minute:.0f} per minute"
    grid = facts(
        ("winner", f"{finals.winner.name}, {unit.text(best.value)} {unit.label}, output verified"),
        (
            "runner-up costs",
            _interval(finals.to_runner_up) if finals.to_runner_up else _without_runner_up(finals, unit),
        ),
        (
            "stock Adams2019 costs",
            "the same, for it is the same program"
            if BASELINE in finals.same_program
            else _interval(finals.to_baseline)
            if finals.to_baseline
            else _without_baseline(finals, unit),
        ),
        ("samples", f"{counts}; {result.distinct} distinct schedules in the store"),
    )
    for index, reason in enumerate(result.reasons[:_REASONS]):
        grid.add_row("" if index else "failed", str(reason))
    if len(result.reasons) > _REASONS:
        grid.add_row("", f"other reasons: {len(result.reasons) - _REASONS}, see `hltune samples failures`")
    if text := _successes(result.successes):
        grid.add_row("mutants that won", text)
    grid.add_row("more tuning", _outlook(result))
    last = next((each for each in reversed(result.rounds) if each.validations), None)
    if last is not None:
        for heading, text in _validated(last):
            grid.add_row(heading, text)
    console.print(grid)
    print_verification(console, verification_document(result.verification))
    print_lines(console, *files, "")


def show_tuning(
    page: Callable[[Sequence[Round], Unit], None] | None = None,
) -> contextlib.AbstractContextManager[TuneProgress]:
    """Shows rounds on standard error: a live table on a terminal, a line per round in a log.

    Args:
        page: shows them elsewhere as well, after each round.
    """
    return _Rounds(page=page)


def _expected(expected: Expectation) -> str:
    """What to expect, in a sentence."""
    search = "" if expected.search_s is None else f"a beam search took {expected.search_s:.2g} s, "
    text = f"{expected.stages} stages; {search}a candidate takes about {expected.candidate_s:.2g} s: "
    text += f"about {expected.samples_per_minute:.0f} samples per minute"
    if expected.minutes < math.inf:
        text += f", {expected.samples:.0f} in the {expected.minutes:.1f} minutes that are left for it"
    if (needed := expected.minutes_needed) is not None:
        text += f"; that is little to learn from, give --minutes {needed} or more"
    return text


def _validated(done: Round) -> Iterable[tuple[str, str]]:
    """How the scorers did, and on what: the ranker holds no samples out, for each of its ensembles leaves some."""
    said = {
        v.name: f"{number(v.pairs.accuracy, '.0%')} of pairs, regret@1 {v.regret_at_1:.2f}, R2 {number(v.r2, '.2f')}"
        for v in done.validations
    }
    ranker = said.pop(RANKER, None)
    if said:
        scorers = (f"{name}: {text}" for name, text in said.items())
        yield "held-out samples", "; ".join([str(done.held_out), *scorers])
    if ranker is not None:
        yield "ranker", f"{ranker}, each sample by those of its trees that have not learned from it"


def _outlook(result: Tuned) -> str:
    return outlook_text(result.outlook, result.budget, own=len(result.rounds))


def _successes(successes: Successes) -> str:
    """How often each operator made a schedule faster, the best first."""
    names = sorted(successes.tries, key=lambda name: (-successes.wins.get(name, 0), name))
    return ", ".join(f"{name} {successes.wins.get(name, 0)} of {successes.tries[name]}" for name in names)


def _about_winner(finals: Finals) -> Iterable[str]:
    """Why it is not the one that seems fastest, and whose schedule it is."""
    if finals.stays:
        before = "tuning has left it before, and nobody is surely faster"
        why = before if finals.compared else "it has won a comparison side by side"
        yield f"{finals.winner.name} stays the winner, for {why}"
    if finals.winner_is is not None:
        yield f"{TUNED} is {whose(finals.winner_is)}"
    twins = sorted(finals.same_program, key=lambda name: name not in (MANUAL, EXPERT))
    noise = "it is the same program, and that their costs differ is noise"
    for name in twins:
        if finals.winner_is is None and (row := finals.row(name)) is not None and row.name == row.finder:
            yield f"{finals.winner.name} is {whose(name)}, written otherwise: {noise}"
        else:
            yield f"{name} is {finals.winner.name}, written otherwise: {noise}"


def _verdict(result: Tuned) -> Verdict | None:
    finals = result.finals
    twins = (finals.winner.name, *finals.same_program)
    return Verdict.of(finals.rows, compared=finals.compared, twins=twins, left_out=finals.left_out)


def _unit(result: Tuned) -> Unit:
    return result.finals.winner_cost.unit


@dataclass(slots=True)
class _Rounds(Board):
    unit: Unit = MILLISECONDS
    end_s: float = math.inf
    rounds: list[Round] = field(default_factory=list[Round])
    page: Callable[[Sequence[Round], Unit], None] | None = None

    def begin(self, pipelines: Sequence[str], *, unit: Unit, end_s: float) -> None:
        self.unit, self.end_s = unit, end_s
        self.log(f"tuning {', '.join(pipelines)}")
        self.phase(f"tuning {', '.join(pipelines)}")

    def expects(self, pipeline: str, expected: Expectation) -> None:
        self.note(f"{pipeline}: {_expected(expected)}")

    def round_done(self, done: Round) -> None:
        self.rounds.append(done)
        cells = zip(_headings(self.unit)[2:], _cells(done, self.unit)[2:], strict=True)
        line = ", ".join(f"{heading} {cell}" for heading, cell in cells)
        self.log(f"{done.pipeline} round {done.number}: {line}, time left {self._left()}")
        self.draw()
        if self.page is not None:
            try:
                self.page(self.rounds, self.unit)
            except InputError as error:  # a full disk, say: tuning goes on
                self.note(str(error))

    def contents(self) -> Iterable[RenderableType]:
        if self.rounds:
            headings = _headings(self.unit)
            shown = [number for number, each in enumerate(headings) if each not in _ONLY_IN_LOGS]
            pipeline, *others = (headings[number] for number in shown)
            table = plain_table(Column(pipeline, no_wrap=True), *numbers(*others))
            for done in self.rounds[-_ROWS:]:
                cells = _cells(done, self.unit)
                table.add_row(*(cells[number] for number in shown))
            yield table
        measured = sum(done.measured for done in self.rounds)
        yield Text(f"{self.status}; {measured} measured; time left {self._left()}{self._idle()}")

    def _idle(self) -> str:
        """How long the pipeline of the last round has not become faster."""
        name = self.rounds[-1].pipeline if self.rounds else None
        idle = Outlook.of([each.best for each in self.rounds if each.pipeline == name]).idle
        return f"; nothing faster for {idle} rounds" if idle > 1 else ""

    def _left(self) -> str:
        return clock(self.end_s - time.monotonic())


_ONLY_IN_LOGS = ("repaired", "chooser")
"""What a table on a narrow terminal has no room for."""


def _headings(unit: Unit) -> tuple[str, ...]:
    costs = (f"best/{unit.name}", f"beam/{unit.name}")
    counts = ("drafts", "samples", "failed", "repaired", "per minute")
    return ("pipeline", "round", *costs, *counts, "network", "trees", "ranker", "chooser")


def _cells(done: Round, unit: Unit) -> tuple[str, ...]:
    """A row under the headings; scorers have the share of held-out pairs that they order rightly."""
    accuracies = {v.name: number(v.pairs.accuracy, ".0%") for v in done.validations}
    return (
        done.pipeline,
        str(done.number),
        unit.text(done.best),
        unit.text(done.beam),
        str(done.drafted),
        str(done.measured),
        str(len(done.failures)),
        str(done.repaired),
        f"{done.measured / done.seconds * 60:.0f}",
        accuracies.get("network", "-"),
        accuracies.get("trees", "-"),
        accuracies.get("ranker", "-"),
        done.selected or "chance",
    )


def _document(result: Tuned, store: Path) -> Document:
    finals, unit = result.finals, _unit(result)
    baseline = finals.row(BASELINE)
    stock = baseline and baseline.cost
    return {
        "pipeline": result.subject.spec.name,
        "target": result.subject.target.name,
        "unit": unit.name,
        "best": {"name": finals.winner.name, **cost_document(finals.winner_cost)},
        "baseline": {"name": BASELINE, "cost": unit.from_seconds(stock and stock.value)},
        "speedup": finals.to_baseline and round(finals.to_baseline.value, 4),
        **verdict_document(_verdict(result)),
        "verification": verification_document(result.verification),
        "to_runner_up": ratio_document(finals.to_runner_up),
        "to_baseline": ratio_document(finals.to_baseline),
        "finalists": [
            {
                "name": row.name,
                "cost": unit.from_seconds(row.cost and row.cost.value),
                "to_best": to_best(row, finals.winner_cost),
                "failure": row.failure and str(row.failure),
            }
            for row in finals.rows
        ],
        "ties": ties(finals.rows),
        "winner_is": finals.winner_is,
        "same_program": list(finals.same_program),
        "stays": finals.stays,
        "compared": finals.compared,
        "left_out": list(finals.left_out),
        "measured": result.measured,
        "distinct": result.distinct,
        "reused": result.known,
        "failed": result.failed,
        "failures": [_failure(each) for each in result.reasons],
        "repaired": result.repaired,
        "operators": {
            name: {"tries": tries, "wins": result.successes.wins.get(name, 0)}
            for name, tries in sorted(result.successes.tries.items())
        },
        "samples_per_minute": round(result.samples_per_minute, 2),
        "seconds": round(result.seconds, 2),
        "expected": result.expected and _expectation(result.expected),
        "outlook": {**asdict(result.outlook), "done": result.outlook.done, "summary": _outlook(result)},
        "rounds": [_round(done, unit) for done in result.rounds],
        "weights": result.weights and str(result.weights),
        "store": str(store),
    }


def _failure(each: Reason) -> Document:
    return {"stage": each.stage, "reason": each.message, "count": each.count, "example": each.example}


def _expectation(expected: Expectation) -> Document:
    fields = {**asdict(expected), "samples": expected.samples, "minutes_needed": expected.minutes_needed}
    return {name: None if value == math.inf else value for name, value in fields.items()}


def _round(done: Round, unit: Unit) -> Document:
    return {
        "round": done.number,
        "best": unit.from_seconds(done.best),
        "beam": unit.from_seconds(done.beam),
        "searches": done.searches,
        "known": done.known,
        "drafted": done.drafted,
        "refused": done.refused,
        "measured": done.measured,
        "failed": len(done.failures),
        "repaired": done.repaired,
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


def _without_runner_up(finals: Finals, unit: Unit) -> str:
    """Why nothing is known of the second best."""
    others = [row for row in finals.rows[1:] if row.name not in finals.same_program]
    if finals.same_program and not any(row.cost for row in others):
        return "nothing: no other program was measured beside it"
    if not others:
        return f"{_not_known(unit)}: {'there was no time for others' if finals.left_out else 'nothing else was tried'}"
    if not any(row.cost for row in others):
        return f"{_not_known(unit)}: all others failed"
    return _without_time(unit)


def _without_baseline(finals: Finals, unit: Unit) -> str:
    """Why nothing is known of what Adams2019 finds as it comes."""
    row = finals.row(BASELINE)
    if row is None:
        why = "there was no time for it" if BASELINE in finals.left_out else "it took no part"
        return f"{_not_known(unit)}: {why}"
    return _without_time(unit) if row.cost else f"{_not_known(unit)}: it failed"


def _without_time(unit: Unit) -> str:
    """Both have costs, of different moments."""
    return f"{_not_known(unit)}: there was no time for a comparison"


def _not_known(unit: Unit) -> str:
    return "not counted" if unit.counted else "not measured beside the winner"


def _interval(found: Speedup) -> str:
    if found.interval is None and not found.pruned:
        return f"{found.value:.2f} times as much, after too few turns for an interval"
    tie = ", a tie" if known_tie(found) else ""
    return f"{found.value:.2f} times as much{interval(*found.interval or (1.0, 1.0))}{tie}"
