"""Ctrl-C is answered even where Python drops exceptions."""

from __future__ import annotations

import subprocess
import sys

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
