"""What people see while a command works."""

from __future__ import annotations

import pytest

from hltune.report import progress
from hltune.report.progress import Board, show_progress
from tests.report.conftest import without_controls


def _work() -> None:
    with show_progress() as shown:
        shown.phase("searching [bold]")
        shown.note("[bold] is not markup")


def test_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    _work()
    assert capsys.readouterr().err == "searching [bold]\nnote: [bold] is not markup\n"


@pytest.mark.usefixtures("terminal")
def test_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _work()
    printed = without_controls(capsys.readouterr().err)
    assert "searching [bold]" in printed and "note: [bold] is not markup\n" in printed


def test_a_log_of_rounds_is_not_silent_for_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    with Board(said_s=0.0) as board:
        for number in range(8):
            now_s = 20.0 * number
            board.phase(f"batch {number} of 8")
    assert capsys.readouterr().err == "batch 3 of 8\nbatch 6 of 8\n"
