"""Ctrl-C ends everything within two seconds."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MOMENTS_S = (0.05, 0.15, 0.3, 0.5, 0.8, 1.2, 1.8, 2.5)


def session_of(pid: int) -> list[int]:
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


@pytest.mark.parametrize("moment_s", MOMENTS_S)
@pytest.mark.parametrize("command", ["schedule", "compare"])
def test_interrupt(command: str, moment_s: float, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hltune", command, "gaussian5x5", "--beam-size", "64"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        time.sleep(moment_s)
        family = session_of(process.pid)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        assert time.monotonic() - began < 2
    # Before Python itself has started, the signal ends the process with its own number.
    assert process.returncode in (130, -signal.SIGINT), err
    assert "Traceback" not in err or process.returncode == -signal.SIGINT
    while time.monotonic() - began < 2 and any(Path(f"/proc/{pid}").exists() for pid in family):
        time.sleep(0.02)
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]
