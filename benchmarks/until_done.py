"""Does ``--until-done`` stop too early? ``python -m benchmarks.until_done [WORKSPACE [NAMES ...]]``.

Tunes each of the six filters until it is done, then goes on for as long again, and prints how many times as long the
schedule takes that the former ended with as the best one of both, measured interleaved in the last comparison. What
was tuned is kept as JSON in the workspace, so that a run that was interrupted goes on. Nothing else should run.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.tool import CORES, hltune, kept, names
from hltune.workspace.records import Workspace


def main() -> None:
    workspace = Workspace(Path(sys.argv[1] if len(sys.argv) > 1 else ".bench/until_done"))
    print(f"{CORES} cores; cost of what --until-done ended with, by the best of twice its time")
    print(f"{'':16}{'minutes':>9}{'rounds':>8}{'measured':>10}{'as long':>9}{'lost':>8}")
    lost = [examine(name, workspace) for name in names(2)]
    print(f"under 3%: {sum(each < 0.03 for each in lost)} of {len(lost)}")


def examine(name: str, workspace: Workspace) -> float:
    """Prints a line; returns the share that stopping lost."""
    tuned = partial(_tuned, name, workspace)
    first = kept(workspace.root / f"{name}.until-done.json", partial(tuned, "--until-done"))
    again = partial(tuned, "--minutes", first["wall_s"] / 60)
    second = kept(workspace.root / f"{name}.again.json", again)
    costs = {row["name"]: row["cost"] for row in second["finalists"] if row["cost"]}
    lost = costs[first["best"]["name"]] / min(costs.values()) - 1
    print(
        f"{name:16}{first['wall_s'] / 60:9.1f}{len(first['rounds']):8}{first['measured']:10}"
        f"{second['wall_s'] / first['wall_s']:9.2f}{lost:8.1%}",
        flush=True,
    )
    return lost


def _tuned(name: str, workspace: Workspace, *flags: object) -> Any:
    """The document of a tuning, with its wall time."""
    began_s = time.monotonic()
    document = hltune("tune", name, *flags, "--workspace", workspace.root)
    return {**document, "wall_s": time.monotonic() - began_s}


if __name__ == "__main__":
    main()
