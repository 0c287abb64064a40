"""``kill -9`` of the whole process group at random moments: nothing that was reported is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hltune.samples.reader import Reader
from hltune.workspace.records import Workspace
from tests.samples import stored

pytestmark = [pytest.mark.alone, pytest.mark.long]

ROOT = Path(__file__).parents[2]
KILLS = 20
ROUNDS = 4
LONGEST_S = 4.0


def run_and_kill(workspace: Workspace, after_s: float) -> list[str]:
    """Lines that were printed until the kill, which comes so long after the first one."""
    command = [sys.executable, "-m", "tests.tuning.driver", str(workspace.root)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]  # else most kills would hit the start of Python
        killer = threading.Timer(after_s, os.killpg, (process.pid, signal.SIGKILL))
        killer.start()
        lines += process.stdout.read().splitlines()
        killer.join()
        assert process.wait() == -signal.SIGKILL
    return lines


def test_kill_9_at_random_moments(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    before = workers()  # of somebody else
    rng = random.Random(0)
    reported, kills, rounds = 0, 0, list[int]()
    while kills < KILLS or len(rounds) < ROUNDS:
        assert kills < 3 * KILLS, rounds
        kills += 1
        # A slow machine needs longer for a round, and is given longer and longer.
        lines = run_and_kill(workspace, rng.uniform(0, LONGEST_S * 1.2 ** max(0, kills - KILLS)))
        assert not [line for line in lines if line.startswith("note")], lines
        reported += lines.count("measured")
        rounds += [int(line.split()[1]) for line in lines if line.startswith("round")]
        with Reader(workspace.samples) as reader:
            (row,) = reader.statistics()
            samples = stored.samples(reader, row.pipeline_hash, row.machine.key)
            assert len(samples) == row.samples >= reported
            numbers = [sample.round for sample in samples]
        assert numbers == sorted(numbers)  # every run went on where the one before it had been
    assert reported > KILLS
    assert rounds == sorted(set(rounds))
    deadline = time.monotonic() + 30
    while workers() - before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not workers() - before


def workers() -> set[int]:
    """Orphans: processes of workers whose parent is gone."""
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            command = (stat.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == 1 and b"hltune.runtime.worker" in command:
            found.add(int(stat.parent.name))
    return found
