"""Ctrl-C ends everything within two seconds."""

from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

MOMENTS_S = (0.0, 0.02, 0.1, 0.2, 0.3)
PHASES = {"schedule": ("loading", "searching", "compiling"), "compare": ("searching", "measuring"), "tune": ("tuning",)}
FLAGS = {"measuring": ("--beam-size", "1"), "tuning": ("--beam-size", "1", "--size", "256x192", "--weights", "builtin")}
"""What comes after searches should begin soon."""
LONG = ("--beam-size", "64")
"""Elsewhere, searches should take long."""
DELAYS_S = (0.0, 0.3)
"""After a phase was announced; no phase ends that soon."""
LATER = (("tune", "tuning", 3.0), ("tune", "tuning", 6.0))
IN_PHASES = [(command, *more) for command, phases in PHASES.items() for more in itertools.product(phases, DELAYS_S)]
WAITING = {*LATER, ("tune", "tuning", 0.0), *(("compare", "searching", delay_s) for delay_s in DELAYS_S)}
"""Only all tests together wait for these: the searches of both commands are the same."""
LIMIT_S, ATTEMPTS, HANGS_S = 2.0, 3, 60.0
"""What else a machine does only makes things longer, so the quickest of a few attempts tells how long they take."""
FROM_THE_START = "import os, runpy; os.write({}, b'.'); runpy.run_module('hltune', run_name='__main__', alter_sys=True)"


def family_of(pid: int) -> list[int]:
    """Living processes that descend from this one, workers (leaders of groups of their own) included."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found, new = {pid}, {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return sorted(found & set(parents))


def alive(pid: int) -> bool:
    """Whether it runs; an orphan that has ended stays in the list until the system's first process asks for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def start(
    command: str, folder: Path, *program: str, phase: str = "", pass_fds: Sequence[int] = ()
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-X",
            "faulthandler",
            *(program or ("-m", "hltune")),
            command,
            "gaussian5x5",
            *FLAGS.get(phase, LONG),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )


def interrupt(process: subprocess.Popen[str], *, codes: Sequence[int]) -> float:
    """Seconds until it and all its children have ended; infinite if Python itself has ignored the signal."""
    assert process.poll() is None, "it ended before it could be interrupted"
    family = family_of(process.pid)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=HANGS_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # so that it says where it is
        _, err = process.communicate()
        assert "Exception ignored in" in err and "_ModuleLock" in err, f"it went on: {err}"
        return math.inf
    assert process.returncode in codes, err
    assert "Traceback" not in err or process.returncode == -signal.SIGINT
    while any(map(alive, family)):
        assert time.monotonic() - began < HANGS_S, [pid for pid in family if alive(pid)]
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
def quickly(tmp_path: Path) -> Callable[[Callable[[Path], float]], None]:
    """Asserts that something ends within the limit; every attempt has a folder of its own."""

    def check(attempt: Callable[[Path], float]) -> None:
        taken_s: list[float] = []
        while len(taken_s) < ATTEMPTS and min(taken_s, default=math.inf) >= LIMIT_S:
            folder = tmp_path / str(len(taken_s))
            folder.mkdir()
            taken_s.append(attempt(folder))
        assert min(taken_s) < LIMIT_S, taken_s

    return check


@pytest.mark.parametrize("moment_s", MOMENTS_S)
def test_while_the_program_starts(moment_s: float, quickly: Callable[[Callable[[Path], float]], None]) -> None:
    """From when Python has started, for before that it has several ways to end by itself."""

    def attempt(folder: Path) -> float:
        reading, writing = os.pipe()
        with start("compare", folder, "-c", FROM_THE_START.format(writing), pass_fds=[writing]) as process:
            os.close(writing)
            assert os.read(reading, 1) == b"."
            os.close(reading)
            time.sleep(moment_s)
            # Before any line of hltune runs, the signal ends the process with its own number.
            return interrupt(process, codes=(130, -signal.SIGINT))

    quickly(attempt)


@pytest.mark.parametrize(
    ("command", "phase", "delay_s"),
    [pytest.param(*each, marks=pytest.mark.long if each in WAITING else ()) for each in (*IN_PHASES, *LATER)],
)
def test_in_each_phase(
    command: str, phase: str, delay_s: float, quickly: Callable[[Callable[[Path], float]], None]
) -> None:
    def attempt(folder: Path) -> float:
        with start(command, folder, phase=phase) as process:
            assert process.stderr is not None
            while phase not in (line := process.stderr.readline()):
                assert line, "the phase never came"
            time.sleep(delay_s)
            return interrupt(process, codes=(130,))

    quickly(attempt)
