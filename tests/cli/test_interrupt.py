"""Ctrl-C ends everything within two seconds."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

MOMENTS_S = (0.02, 0.1, 0.2, 0.3)
PHASES = {"schedule": ("loading", "searching", "compiling"), "compare": ("searching", "measuring"), "tune": ("tuning",)}
DELAYS_S = (0.0, 0.3)
"""After a phase was announced; no phase ends that soon."""


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


def start(command: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hltune", command, "gaussian5x5", "--beam-size", "64"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupt(process: subprocess.Popen[str], *, codes: Sequence[int]) -> None:
    assert process.poll() is None, "it ended before it could be interrupted"
    family = family_of(process.pid)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - began < 2
    # In its first milliseconds the interpreter itself dies of the signal, before any line of hltune runs.
    if "init_import_site" in err or "Could not import runpy module" in err:
        assert "/hltune/" not in err
    else:
        assert process.returncode in codes, err
        assert "Traceback" not in err or process.returncode == -signal.SIGINT
    while time.monotonic() - began < 2 and any(map(alive, family)):
        time.sleep(0.02)
    assert not [pid for pid in family if alive(pid)]


@pytest.mark.parametrize("moment_s", MOMENTS_S)
def test_while_the_program_starts(moment_s: float, tmp_path: Path) -> None:
    with start("compare", tmp_path) as process:
        time.sleep(moment_s)
        # Before Python itself has started, the signal ends the process with its own number.
        interrupt(process, codes=(130, -signal.SIGINT))


@pytest.mark.parametrize(
    ("command", "phase", "delay_s"),
    [(command, phase, delay_s) for command, phases in PHASES.items() for phase in phases for delay_s in DELAYS_S]
    + [pytest.param("tune", "tuning", delay_s, marks=pytest.mark.long) for delay_s in (3.0, 6.0)],
)
def test_in_each_phase(command: str, phase: str, delay_s: float, tmp_path: Path) -> None:
    with start(command, tmp_path) as process:
        assert process.stderr is not None
        while phase not in (line := process.stderr.readline()):
            assert line, "the phase never came"
        time.sleep(delay_s)
        interrupt(process, codes=(130,))
