"""What tuning for the emulated DSP is worth: ``python -m benchmarks.hexagon [MINUTES [WORKSPACE [NAMES]]]``.

For each built-in benchmark at 1024x1024: packets issued (QEMU) of the known schedules and of the tuned one, after so
many minutes (4), and candidates per minute; then candidates per minute of median3x3 at 512x512; then whether two
tunings with the same seed agree on every candidate that both of them measured.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.tool import KNOWN, minutes, names, tune
from hltune.samples.reader import Reader
from hltune.workspace.records import Workspace

TARGET = ("--target", "hexagon")
SIZE = "1024x1024"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(sys.argv[2] if len(sys.argv) > 2 else folder))
        ratios = [examine(name, workspace) for name in names(3)]
        print(f"tuned / expert: geometric mean {statistics.geometric_mean(ratios):.3f}, worst {max(ratios):.3f}")
        document = tune("median3x3", workspace, 1, *TARGET, "--size", "512x512")
        print(f"median3x3 at 512x512: {document['samples_per_minute']:.0f} candidates per minute")
        print("two runs with the same seed: " + agreement(Path(folder)))


def examine(name: str, workspace: Workspace) -> float:
    document = tune(name, workspace, minutes(1), *TARGET, "--size", SIZE)
    costs = {row["name"]: row["cost"] for row in document["finalists"] if row["cost"]}
    best = document["best"]["cost"]
    known = ", ".join(f"{key} {costs[key]:,}" for key in KNOWN if key in costs)
    print(
        f"{name:12} tuned {best:,} packets, {best / costs['expert']:.3f} of the expert's; {known}; "
        f"{document['samples_per_minute']:.0f} candidates per minute, {document['failed']} of {document['measured']} "
        "failed",
        flush=True,
    )
    return best / costs["expert"]


def agreement(folder: Path) -> str:
    found: list[dict[str, float | None]] = []
    for run in ("first", "second"):
        tune("sobel", Workspace(folder / run), 1, *TARGET, "--size", SIZE, "--seed", "7")
        with Reader(folder / run / "samples.sqlite") as reader:
            (row,) = reader.statistics()
            found.append(reader.costs(row.pipeline_hash, row.machine.key))
    common = found[0].keys() & found[1].keys()
    differ = sum(found[0][key] != found[1][key] for key in common)
    return f"{len(common)} candidates measured by both, {differ} with other packets"


if __name__ == "__main__":
    main()
