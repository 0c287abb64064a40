"""What people see while a command works."""

from __future__ import annotations

import os
import subprocess
import sys

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


WORKING = """
import sys, time
from hltune.report.progress import Board, show_progress
with show_progress() as shown, Board() as board:
    print("ready", flush=True)
    sys.stdin.readline()
    shown.phase("searching")
    shown.note("found")
    board.log("round 1")
    board.note("found")
print("done")
"""


@pytest.mark.parametrize("place", ["nobody reads", "/dev/full"])
def test_who_reads_may_go_away_and_a_log_s_disk_be_full(place: str) -> None:
    """The work goes on."""
    reading, writing = os.pipe()
    error = writing if place == "nobody reads" else os.open(place, os.O_WRONLY)
    command = [sys.executable, "-c", WORKING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=error, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        os.close(reading)
        out, _ = process.communicate("\n", timeout=60)
    os.close(writing)
    assert (out, process.returncode) == ("done\n", 0)


PRINTING = """
import sys
from hltune.report.layout import LastingConsole, print_lines

print("ready", file=sys.stderr, flush=True)
input()
console = LastingConsole()
for number in range(200):
    print_lines(console, "x" * 1000)
print("done", file=sys.stderr)
"""


def test_what_is_printed_may_be_read_in_part() -> None:
    """What is done after that is done."""
    reading, writing = os.pipe()
    command = [sys.executable, "-c", PRINTING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None and process.stderr.readline() == "ready\n"
        os.close(reading)
        os.close(writing)
        _, error = process.communicate("\n", timeout=60)
    assert (error, process.returncode) == ("done\n", 0)
