"""What people and scripts see of pre-training, its plan, and random programs."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from hltune.pretraining.plan import Plan
from hltune.report import pretrain as report
from hltune.report import programs
from hltune.values.errors import InputError
from tests.report.conftest import NOW_S, dumped, shown, without_controls
from tests.report.values import BATCH, CHECKPOINT, JOURNAL, PRETRAINED, PROGRAM

PLAN = Plan(
    pipelines=20,
    hours=2.5,
    minutes_each=7.5,
    tuned=("blur", "sobel"),
    tuning_curve=((0.5, 1.1), (7.5, 1.456)),
    tuning_gain=1.456,
    learning_curve=((0, 1.5), (40, 1.25), (80, 1.2)),
    programs=160,
    pretraining_gain=1.3,
)
NEW = replace(JOURNAL, batches=0, measured=0, failed=0, rejected={})


def test_pretrained(snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: report.print_pretrained(console, PRETRAINED)) == snapshot(name="text")
    assert dumped(report.document(PRETRAINED)) == snapshot(name="json")


def test_nothing_pretrained(snapshot: SnapshotAssertion) -> None:
    result = replace(PRETRAINED, batches=(), journal=NEW, default=None, ranker=None)
    assert shown(lambda console: report.print_pretrained(console, result)) == snapshot(name="text")
    assert dumped(report.document(result)) == snapshot(name="json")


@pytest.mark.parametrize(
    "advice",
    [
        pytest.param(PLAN, id="tune"),
        pytest.param(replace(PLAN, pretraining_gain=1.6), id="pretrain"),
        pytest.param(
            replace(PLAN, tuned=(), tuning_curve=(), tuning_gain=None, learning_curve=(), pretraining_gain=None),
            id="cannot say",
        ),
    ],
)
def test_plan(advice: Plan, snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: report.print_plan(console, advice)) == snapshot(name="text")
    assert dumped(report.plan_document(advice)) == snapshot(name="json")


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ({"tuning_gain": None, "tuning_curve": (), "tuned": ()}, "`hltune tune PIPELINE --samples 200`"),
        ({"pretraining_gain": None, "learning_curve": ()}, "`hltune pretrain --batches 100`"),
    ],
)
def test_a_plan_without_an_answer_names_the_command_that_gives_one(missing: dict[str, Any], command: str) -> None:
    text = shown(lambda console: report.print_plan(console, replace(PLAN, **missing)))
    known, advice = " ".join(text.split()).split(" advice ")
    assert f"on this machine; {command} does that" in known
    assert advice == f"none yet: run {command} first"


def _batches(*, end_s: float) -> None:
    with report.show_pretraining() as progress:
        progress.phase("loading")
        progress.begin(done=9, batches=60, end_s=end_s)
        progress.note("[bold] is not markup")
        progress.phase("batch 10 of 60")
        progress.batch_done(BATCH, JOURNAL)
        progress.checkpoint_done(CHECKPOINT)
        progress.batch_done(replace(BATCH, rejected=()), replace(JOURNAL, batches=11))


def test_batches_in_a_log(snapshot: SnapshotAssertion, capsys: pytest.CaptureFixture[str]) -> None:
    _batches(end_s=math.inf)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", snapshot)


@pytest.mark.usefixtures("terminal")
def test_batches_on_a_terminal(snapshot: SnapshotAssertion, capsys: pytest.CaptureFixture[str]) -> None:
    _batches(end_s=NOW_S + 3600)
    assert without_controls(capsys.readouterr().err) == snapshot


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_the_last_checkpoints(capsys: pytest.CaptureFixture[str]) -> None:
    with report.show_pretraining() as progress:
        for number in range(9):
            progress.checkpoint_done(replace(CHECKPOINT, batches=100 + number))
        capsys.readouterr()
        progress.phase("measuring")
        frame = without_controls(capsys.readouterr().err)
    assert re.findall(r"^ *(10\d) ", frame, flags=re.MULTILINE) == [str(101 + number) for number in range(8)]


@pytest.mark.parametrize(
    ("end_s", "left"), [(math.inf, "16:40"), (NOW_S + 160, "1:40"), (NOW_S, "0:00")], ids=["batches", "time", "late"]
)
def test_time_left_follows_the_batches_so_far(
    end_s: float, left: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with report.show_pretraining() as progress:
        progress.begin(done=9, batches=60, end_s=end_s)
        monkeypatch.setattr("time.monotonic", lambda: NOW_S + 60)
        progress.batch_done(BATCH, replace(JOURNAL, batches=10))
        progress.batch_done(BATCH, replace(JOURNAL, batches=11))
        progress.batch_done(BATCH, replace(JOURNAL, batches=10))
    assert capsys.readouterr().err.endswith(f"time left {left}\n")


def test_program(snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: programs.print_program(console, PROGRAM)) == snapshot(name="text")
    assert dumped(programs.document(PROGRAM)) == snapshot(name="json")


def test_the_picture_of_a_program_shows_every_node(tmp_path: Path) -> None:
    path = tmp_path / "program.svg"
    programs.check_picture(path)
    programs.plot_program(PROGRAM, path)
    texts = re.findall(r"<!-- (.*?) -->", path.read_text())
    assert texts == ["in", "uint8 64x48", "edge", "uint8 64x48", "out", "uint16 64x48", "blur"]


def test_another_form_of_picture_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown form of picture(.|\n)*\.svg or \.png(.|\n)*\.jpg"):
        programs.check_picture(Path("program.jpg"))
