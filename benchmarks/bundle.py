"""Bundles against tuning directly: ``python -m benchmarks.bundle [ROUNDS] [CANDIDATES] [NAMES]``.

For each pipeline, three rounds of 64 candidates by default: make a bundle, run it on this machine, read what it says.
Then `hltune tune` measures as many samples in a workspace of its own. The best schedules of both are measured side by
side, interleaved, and the ratio is printed; bundles should reach what tuning does within 10%.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.tool import hltune, host_subject, measured, said, speedup, this_machine
from hltune.values.schedule_codec import read_schedule_file
from hltune.workspace.records import Workspace

ROUNDS, CANDIDATES = 3, 64
TURNS = 15


def main() -> None:
    rounds, count = (int(word) for word in (*sys.argv[1:3], *(ROUNDS, CANDIDATES)[len(sys.argv[1:3]) :]))
    for name in sys.argv[3:] or ["median3x3"]:
        with tempfile.TemporaryDirectory() as folder:
            compare(name, rounds, count, Path(folder))


def compare(name: str, rounds: int, count: int, folder: Path) -> None:
    best: dict[str, Any] = {}
    for number in range(1, rounds + 1):
        best = by_bundle(name, count, folder / str(number), folder / "bundles")
        print(f"{name}, bundle {number}: {best['measured']} schedules, best {best['best'][0]['ms']:.4f} ms", flush=True)
    workspace = Workspace(folder / "tuned")
    hltune("tune", name, "--samples", best["measured"], "--workspace", workspace.root)
    subject = host_subject(name, workspace)
    schedules = {
        "bundles": read_schedule_file(next(Path(file) for file in best["files"] if file.endswith(".json"))),
        "tune": workspace.best(subject.spec, this_machine(subject)).schedule,
    }
    costs = measured(subject, schedules, rounds=TURNS)
    ratio = speedup(costs["bundles"], costs["tune"])
    print(f"{name}: what bundles found takes {said(ratio)} times as long as what tuning found", flush=True)


def by_bundle(name: str, count: int, folder: Path, workspace: Path) -> Any:
    """One round; returns what `hltune bundle read` says."""
    folder.mkdir()
    hltune("bundle", "make", name, "-n", count, "-o", folder / "b.zip", "--workspace", workspace)
    shutil.unpack_archive(folder / "b.zip", folder)
    subprocess.run(["sh", folder / "run.sh"], check=True, stdout=subprocess.DEVNULL)
    return hltune("bundle", "read", folder / "results.json", "--workspace", workspace)


if __name__ == "__main__":
    main()
