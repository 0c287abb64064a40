"""Does ``--until-done`` stop too early? ``python -m benchmarks.until_done [WORKSPACE [NAMES ...]]``.

Tunes each of the six filters until it is done, then goes on for as long again, and prints how many times as long the
schedule takes that the former ended with as the best one of both: by ratios turn by turn in the last comparison, and,
where a computer is busy less truly, by the costs that it ends with. What was tuned is kept as JSON in the workspace, so
that a run that was interrupted goes on. Nothing else should run.
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
    print(f"{'':16}{'minutes':>9}{'rounds':>8}{'measured':>10}{'as long':>9}{'lost':>8}{'by cost':>9}")
    lost = [examine(name, workspace) for name in names(2)]
    print(f"under 3%: {sum(each < 0.03 for each in lost)} of {len(lost)}")


def examine(name: str, workspace: Workspace) -> float:
    """Prints a line; returns the share that stopping lost."""
    tuned = partial(_tuned, name, workspace)
    first = kept(workspace.root / f"{name}.until-done.json", partial(tuned, "--until-done"))
    again = partial(tuned, "--minutes", first["wall_s"] / 60)
    second = kept(workspace.root / f"{name}.again.json", again)
    last = first["best"]["name"]
    lost, by_cost = (_times_the_least(second["finalists"], last, key) - 1 for key in ("to_best", "cost"))
    print(
        f"{name:16}{first['wall_s'] / 60:9.1f}{len(first['rounds']):8}{first['measured']:10}"
        f"{second['wall_s'] / first['wall_s']:9.2f}{lost:8.1%}{by_cost:9.1%}",
        flush=True,
    )
    return lost


def _times_the_least(finalists: list[Any], name: str, key: str) -> float:
    """How many times the least of the finalists one of them takes."""
    found = {row["name"]: row[key] for row in finalists if row[key]}
    return found[name] / min(found.values())


def _tuned(name: str, workspace: Workspace, *flags: object) -> Any:
    """The document of a tuning, with its wall time."""
    began_s = time.monotonic()
    document = hltune("tune", name, *flags, "--workspace", workspace.root)
    return {**document, "wall_s": time.monotonic() - began_s}


if __name__ == "__main__":
    main()
