"""Ctrl-C is answered even where Python drops exceptions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

IN_A_FINALIZER = """
import signal, sys, time
from hltune import __main__
from hltune.cli import main
from hltune.runtime import interrupts

class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)

def run(arguments):
    interrupts.raise_interrupts()
    Finalized()
    time.sleep(5)
    return 0

main.run_command_line = run
# A shell starts background jobs with Ctrl-C ignored, and this test may be part of one.
signal.signal(signal.SIGINT, signal.default_int_handler)
__main__.main()
"""


def test_an_interrupt_lost_in_a_finalizer_is_raised_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FINALIZER], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr == "interrupted\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", ">&- 2>&- <&-"])
def test_streams_that_a_shell_has_closed(tmp_path: Path, closed: str) -> None:
    command = f"{sys.executable} -m hltune programs show 1 -o graph.svg {closed}"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert (tmp_path / "graph.svg").read_text().startswith("<") and "Traceback" not in done.stderr


def test_an_interrupt_when_nobody_reads() -> None:
    """As with ``| jq``, which the terminal interrupts as well."""
    code = "import sys; from hltune.runtime import interrupts; sys.argv = ['hltune', '--json']"
    code += "; interrupts.say_interrupted(); sys.exit(130)"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
