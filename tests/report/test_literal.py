"""Nothing that people read is markup, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hltune.commands.example import Example
from hltune.commands.reduce import Reduced
from hltune.commands.reproduce import Reproduced
from hltune.machine.protocol import Finding
from hltune.report import examples, explain, programs, samples, tables
from hltune.report import tune as tuning
from hltune.report.layout import plain_table
from hltune.report.pretrain import print_plan, show_pretraining
from hltune.values.errors import Failure
from hltune.values.provenance import Named
from hltune.values.reasons import reasons
from tests.report.conftest import shown, without_controls
from tests.report.test_pretrain import PLAN
from tests.report.test_samples import CHOSEN, RANKED, TIMED
from tests.report.values import HOST, PROGRAM, SCHEDULE, SUBJECT, TUNED, compared, cost, row, scheduled

ODD = "[bold]a[hexagon] :warning:"
"""A tag, what looks like one, and an emoji's name."""
FAILURE = Failure(stage=ODD, kind="error", message=f"{ODD} is wrong")
NAMED = (row(ODD, cost(1e-3)), row("mine", FAILURE))
EXAMPLE = Example(
    spec=SUBJECT.spec, schedule_hash="ab" * 32, schedule=SCHEDULE, machine=HOST, outcome=FAILURE, measured_at_s=0.0
)
REDUCED = Reduced(example=EXAMPLE, schedule=SCHEDULE, failure=FAILURE, tried=3, complete=True)
EXPLAINED: dict[str, Any] = {
    "name": "mine",
    "cost": None,
    "unit": "ms",
    "repaired": False,
    "predicted_ms": None,
    "profile": None,
    "failures": [],
    "advice": [],
    "funcs": [{"name": "out", "measured": {"share": 1.0, "cost": 2.0}, "predicted": None, "disagree": False}],
    "loops": [],
}
"""A schedule as `explain` shows it, with nothing odd."""
LOOP = {"kind": "for", "loop": ODD, "func": "out", "depth": 0, "share": 1.0, "touched_bytes": 1}


def explained(*changes: dict[str, Any]) -> Callable[[Console], None]:
    """Shows a schedule for each, with what is odd about it."""
    schedules = [{**EXPLAINED, **change} for change in changes]
    unequal = {"same_program": False, "measured_speedup": None, "tie": None, "differences": None}
    names = dict(zip(("name", "other"), (each["name"] for each in schedules), strict=False))
    against = {**names, **unequal} if len(schedules) == 2 else None
    document = {"pipeline": "blur", "also": [ODD], "verification": None, "against": against, "schedules": schedules}
    return lambda console: explain.print_explained(console, document)


PRINTED: dict[str, Callable[[Console], None]] = {
    "finding": lambda console: tables.print_findings(
        console, [Finding(name=ODD, ok=False, required=True, found="none", todo="pip install 'hltune[hexagon]'")]
    ),
    "comparison": lambda console: tables.print_comparison(console, replace(compared(), rows=NAMED)),
    "scheduled": lambda console: tables.print_scheduled(console, replace(scheduled(), name=ODD)),
    "finals": lambda console: tuning.print_tuned(console, replace(TUNED, finals=replace(TUNED.finals, rows=NAMED)), ()),
    "reasons": lambda console: tuning.print_tuned(console, replace(TUNED, reasons=reasons([FAILURE])), ()),
    "statistics": lambda console: samples.print_statistics(console, [replace(TIMED, pipeline_name=ODD)]),
    "best": lambda console: samples.print_best(console, CHOSEN, [replace(RANKED[0], provenance=Named(name=ODD))]),
    "failures": lambda console: samples.print_failures(console, CHOSEN, reasons([FAILURE])),
    "program": lambda console: programs.print_program(
        console, replace(PROGRAM, nodes=tuple(replace(node, kind=ODD) for node in PROGRAM.nodes))
    ),
    "plan": lambda console: print_plan(console, replace(PLAN, tuned=(ODD,))),
    "heading": lambda console: console.print(plain_table(ODD)),
    "reproduced": lambda console: examples.print_reproduced(
        console, Reproduced(example=EXAMPLE, files=(Path(ODD),), runs_here=True, notes=(ODD,))
    ),
    "reduced": lambda console: examples.print_reduced(console, REDUCED),
    "explained failure": explained({"failures": [{"stage": "run", "message": ODD}]}),
    "explained Func": explained({"funcs": [{**EXPLAINED["funcs"][0], "name": ODD}]}),
    "explained loop": explained({"loops": [LOOP]}),
    "two explained": explained({}, {"name": ODD}),
}


@pytest.mark.parametrize("what", PRINTED)
def test_brackets_appear_whole(what: str) -> None:
    text = shown(PRINTED[what])
    assert ODD in " ".join(text.split()) and "\N{WARNING SIGN}" not in text
    if what == "finding":
        assert "pip install 'hltune[hexagon]'" in text


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("show", [tuning.show_tuning, show_pretraining])
def test_a_phase_and_a_note_of_a_board(show: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> None:
    with show() as progress:  # type: ignore[attr-defined]
        progress.phase(f"searching {ODD}")
        progress.note(ODD)
    frames = without_controls(capsys.readouterr().err)
    assert f"searching {ODD};" in frames and f"note: {ODD}\n" in frames
