"""What `hltune reproduce` and `hltune reduce` show: documents for scripts, text for people."""

from __future__ import annotations

from rich.console import Console

from hltune.commands.example import Example
from hltune.commands.reduce import Reduced
from hltune.commands.reproduce import Reproduced
from hltune.report.documents import directives, failure
from hltune.report.layout import Document, print_lines
from hltune.schedule.text import directive_text
from hltune.values.errors import Failure


def reproduced(result: Reproduced) -> Document:
    """Result of `hltune reproduce`."""
    files = [str(path) for path in result.files]
    return {**_example(result.example), "files": files, "runs_here": result.runs_here, "notes": [*result.notes]}


def reduced(result: Reduced) -> Document:
    """Result of `hltune reduce`."""
    return {
        **_example(result.example),
        "directives_before": len(result.example.schedule.directives),
        "directives": len(result.schedule.directives),
        "tried": result.tried,
        "complete": result.complete,
        "interrupted": result.interrupted,
        "failure": failure(result.failure),
        "schedule": directives(result.schedule),
        "files": [str(path) for path in result.files],
    }


def print_reproduced(console: Console, result: Reproduced) -> None:
    """Result of `hltune reproduce`."""
    run = f"run it: python {result.files[-1]}"
    if not result.runs_here:
        target = result.example.machine.target
        run += f"; that only compiles it, for code for {target} does not run on this computer without hltune"
    print_lines(console, *result.files, *result.notes, run)


def print_reduced(console: Console, result: Reduced) -> None:
    """Result of `hltune reduce`: what is left, how it fails."""
    before, after = len(result.example.schedule.directives), len(result.schedule.directives)
    print_lines(console, *(directive_text(each) for each in result.schedule.directives))
    print_lines(console, f"{after} of {before} directives, after {result.tried} tries. {result.failure}")
    if result.interrupted:
        print_lines(console, "it was interrupted: without that, fewer may be left")
    elif not result.complete:
        print_lines(console, "time was up before the end: more --minutes may leave fewer")
    print_lines(console, *result.files)


def _example(example: Example) -> Document:
    outcome = example.outcome
    return {
        "pipeline": example.spec.name,
        "schedule_hash": example.schedule_hash,
        "machine": example.machine.key,
        "cost": None if isinstance(outcome, Failure) else example.machine.unit.from_seconds(outcome),
        "failure": failure(outcome) if isinstance(outcome, Failure) else None,
    }
