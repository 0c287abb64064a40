"""What people see while a command works."""

from __future__ import annotations

import pytest

from hltune.report.progress import show_progress
from tests.report.conftest import without_controls


def _work() -> None:
    with show_progress() as progress:
        progress.phase("searching [bold]")
        progress.note("[bold] is not markup")


def test_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    _work()
    assert capsys.readouterr().err == "searching [bold]\nnote: [bold] is not markup\n"


@pytest.mark.usefixtures("terminal")
def test_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _work()
    printed = without_controls(capsys.readouterr().err)
    assert "searching [bold]" in printed and "note: [bold] is not markup\n" in printed
