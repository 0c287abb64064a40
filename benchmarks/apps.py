"""The sixteen applications, tuned: ``python -m benchmarks.apps [MINUTES [WORKSPACE [NAMES]]]``.

Tunes each for that long (5 minutes) and prints how many times as long as the tuned schedule the expert one takes, and
the better of Mullapudi2016 and Adams2019 without tuning, all measured interleaved at the end of the tuning; then
geometric means. What has been tuned is kept as JSON in the workspace and not tuned again, so that a run that was
interrupted goes on. It takes about an hour and a half in all, beside which nothing else should run.
"""

from __future__ import annotations

import math
import statistics
import sys
from functools import partial
from pathlib import Path

from benchmarks.tool import CORES, kept, minutes, tune
from hltune.suite.catalog import APPS
from hltune.workspace.records import Workspace

SEARCHED = ("mullapudi2016", "adams2019")
DEFAULT_MINUTES = 5.0


def main() -> None:
    each_min = minutes(1) if len(sys.argv) > 1 else DEFAULT_MINUTES
    workspace = Workspace(Path(sys.argv[2] if len(sys.argv) > 2 else ".bench/apps"))
    names = sys.argv[3:] or [app.name for app in APPS]
    print(f"{CORES} cores, {each_min:g} minutes each; times as long as tuned")
    print(f"{'':20}{'tuned/ms':>10}{'expert':>8}{'searched':>10}{'best is':>16}{'measured':>10}{'failed':>8}")
    rows = [examine(name, workspace, each_min) for name in names]
    for title, column in (("expert", 0), ("the better of Mullapudi2016 and Adams2019", 1)):
        values = [row[column] for row in rows if math.isfinite(row[column])]
        if values:
            least, mean = min(values), statistics.geometric_mean(values)
            print(f"{title}: geometric mean {mean:.2f}, least {least:.2f}, of {len(values)}")


def examine(name: str, workspace: Workspace, each_min: float) -> tuple[float, float]:
    """Prints a line; returns how many times as long expert and searched schedules take, NaN if they failed."""
    document = kept(workspace.root / f"{name}.tuned.json", partial(tune, name, workspace, each_min))
    costs = {row["name"]: row["cost"] for row in document["finalists"] if row["cost"]}
    ours = min((cost for key, cost in costs.items() if key.startswith("tuned")), default=document["best"]["cost"])
    expert = costs.get("expert", math.nan) / ours
    searched = min((costs[key] for key in SEARCHED if key in costs), default=math.nan) / ours
    counts = f"{document['measured']:>10}{document['failed']:>8}"
    print(f"{name:20}{ours:10.3f}{expert:8.2f}{searched:10.2f}{document['best']['name']:>16}{counts}", flush=True)
    return expert, searched


if __name__ == "__main__":
    main()
