"""Bundles against tuning directly: ``python -m benchmarks.bundle [ROUNDS] [CANDIDATES] [NAMES]``.

For each pipeline, three rounds of 64 candidates by default: make a bundle, run it on this machine, read what it says.
Then `hltune tune` measures as many samples in a workspace of its own. The best schedule of tuning and the five best of
the bundles are measured side by side, interleaved, and two ratios are printed: of the one that bundles call the best,
and of the best of the five. If only the former is bad, bundles choose badly; if both are, they search badly. Bundles
should reach what tuning does within 10%.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.tool import hltune, host_subject, measured, said, speedup, this_machine
from hltune.samples.reader import Reader
from hltune.values.directives import Schedule
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
    tuned = workspace.best(subject.spec, this_machine(subject)).schedule
    costs = measured(subject, {**five_best(Workspace(folder / "bundles"), best), "tune": tuned}, rounds=TURNS)
    tuning = costs.pop("tune")
    fastest = min(costs.values(), key=lambda cost: cost.value)
    for what, cost in (("what bundles call the best", costs[best["best"][0]["hash"]]), ("the best of five", fastest)):
        print(f"{name}: {what} takes {said(speedup(cost, tuning))} times as long as what tuning found", flush=True)


def five_best(workspace: Workspace, read: Any) -> dict[str, Schedule]:
    """The schedules that `hltune bundle read` lists, by hash."""
    rows = {row["hash"] for row in read["best"]}
    with Reader(workspace.samples) as store:
        found = [each for key in rows for each in store.find(key)]
    return {each.schedule_hash: each.schedule for each in found if each.schedule is not None}


def by_bundle(name: str, count: int, folder: Path, workspace: Path) -> Any:
    """One round; returns what `hltune bundle read` says."""
    folder.mkdir()
    hltune("bundle", "make", name, "-n", count, "-o", folder / "b.zip", "--workspace", workspace)
    shutil.unpack_archive(folder / "b.zip", folder)
    subprocess.run(["sh", folder / "run.sh"], check=True, stdout=subprocess.DEVNULL)
    return hltune("bundle", "read", folder / "results.json", "--workspace", workspace)


if __name__ == "__main__":
    main()
