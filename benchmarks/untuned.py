"""What is good without tuning: ``python -m benchmarks.untuned WORKSPACE [NAMES]``, for pre-training's workspace.

With the ranker and weights that are the workspace's default, it prints for each built-in pipeline how many times as
fast as what stock Adams2019 finds with Halide's own weights these are, all measured interleaved:

- what `hltune schedule --no-measure` picks,
- what `hltune schedule` picks, which measures the most promising ones,
- what beam search finds with the weights alone,

then geometric means of the six filters and of the applications, and the worst.
"""

from __future__ import annotations

import math
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.tool import CORES, hltune, host_subject, measured, speedup
from hltune.suite.catalog import APPS, FILTERS
from hltune.values.directives import Schedule
from hltune.values.schedule_codec import read_schedule_file
from hltune.workspace.records import Workspace

ROUNDS = 15
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "not measured": ("*", ("--no-measure",)),
    "measured": ("*", ()),
    "beam": ("*.weights*", ("--no-measure",)),
    "stock": ("", ("--no-measure",)),
}
"""Which of the trained files a search knows, and its flags."""


def main() -> None:
    trained = Workspace(Path(sys.argv[1]))
    chosen = sys.argv[2:]
    print(f"{CORES} cores; times as fast as stock Adams2019")
    print(f"{'':26}" + "".join(f"{kind:>14}" for kind in KINDS if kind != "stock"))
    for group in (FILTERS, APPS):
        rows = [examine(each.name, trained) for each in group if not chosen or each.name in chosen]
        for title, of in (("geometric mean", statistics.geometric_mean), ("worst", min)):
            if columns := [[value for value in column if not math.isnan(value)] for column in zip(*rows, strict=True)]:
                print(f"{title:26}" + "".join(f"{of(each):14.2f}" for each in columns), flush=True)


def examine(name: str, trained: Workspace) -> list[float]:
    """Prints a line; returns how many times as fast each kind is, NaN for what was not found."""
    with tempfile.TemporaryDirectory() as folder:
        found = {
            kind: schedule
            for kind, (files, flags) in KINDS.items()
            for schedule in scheduled(name, knowing(trained, files, Path(folder, kind)), *flags)
        }
        costs = measured(host_subject(name, Workspace(Path(folder))), found, rounds=ROUNDS)
    stock = costs["stock"]
    row = [speedup(stock, costs[kind]).value if kind in costs else math.nan for kind in KINDS if kind != "stock"]
    print(f"{name:26}" + "".join(f"{value:14.2f}" for value in row), flush=True)
    return row


def knowing(trained: Workspace, files: str, folder: Path) -> Workspace:
    """A new workspace with some of the trained files as its default."""
    workspace = Workspace(folder)
    workspace.default_weights.mkdir(parents=True)
    for path in trained.default_weights.glob(files) if files else ():
        shutil.copy(path, workspace.default_weights)
    return workspace


def scheduled(name: str, workspace: Workspace, *flags: str) -> Iterator[Schedule]:
    """What `hltune schedule` finds; nothing if that fails."""
    try:
        document: Any = hltune("schedule", name, "--workspace", workspace.root, *flags)
    except Exception as error:
        print(f"{name} {' '.join(flags)}: {error}", file=sys.stderr)
        return
    yield read_schedule_file(next(Path(each) for each in document["files"] if each.endswith(".json")))


if __name__ == "__main__":
    main()
