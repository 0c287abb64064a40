"""The sixteen applications, tuned: ``python -m benchmarks.apps [MINUTES [WORKSPACE [NAMES]]]``.

Tunes each for that long (5 minutes) and prints how many times as long as the tuned schedule the expert one takes, and
the better of Mullapudi2016 and Adams2019 without tuning, all measured interleaved at the end of the tuning; then
geometric means; then how well the minutes were kept, and how many times as many samples per minute came as were
forecast when eight candidates were measured. What has been tuned is kept as JSON in the workspace and not tuned again,
so that a run that was interrupted goes on. It takes about an hour and a half in all, beside which nothing else should
run.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.tool import CORES, kept, minutes, tune
from hltune.suite.catalog import APPS
from hltune.workspace.records import Workspace

SEARCHED = ("mullapudi2016", "adams2019")
DEFAULT_MINUTES = 5.0
KEPT = 0.1
FORECAST = 1.5


class Row(NamedTuple):
    """An application: how many times as long others take, NaN if they failed; what came, by what was to come.

    Attributes:
        took: wall time of the whole run, by the minutes that were given.
        came: samples per minute of all rounds, their searches included, by the forecast; NaN where there was none.
    """

    expert: float
    searched: float
    took: float
    came: float


def main() -> None:
    each_min = minutes(1) if len(sys.argv) > 1 else DEFAULT_MINUTES
    workspace = Workspace(Path(sys.argv[2] if len(sys.argv) > 2 else ".bench/apps"))
    names = sys.argv[3:] or [app.name for app in APPS]
    print(f"{CORES} cores, {each_min:g} minutes each; times as long as tuned")
    print(
        f"{'':20}{'tuned/ms':>10}{'expert':>8}{'searched':>10}{'best is':>16}{'measured':>10}{'failed':>8}"
        f"{'took':>7}{'came':>7}"
    )
    rows = [examine(name, workspace, each_min) for name in names]
    expert, searched, took, came = zip(*rows, strict=True)
    for title, values in (("expert", expert), ("the better of Mullapudi2016 and Adams2019", searched)):
        if finite := [each for each in values if math.isfinite(each)]:
            mean = statistics.geometric_mean(finite)
            print(f"{title}: geometric mean {mean:.2f}, least {min(finite):.2f}, of {len(finite)}")
    in_time, foreseen = (sum(abs(each - 1) <= KEPT for each in took), sum(map(is_foreseen, came)))
    print(f"minutes within {KEPT:.0%}: {in_time}; samples per minute as forecast within {FORECAST:g}: {foreseen}")


def examine(name: str, workspace: Workspace, each_min: float) -> Row:
    """Tunes it and prints a line."""
    document = kept(workspace.root / f"{name}.tuned.json", partial(tune, name, workspace, each_min))
    costs = {row["name"]: row["cost"] for row in document["finalists"] if row["cost"]}
    ours = min((cost for key, cost in costs.items() if key.startswith("tuned")), default=document["best"]["cost"])
    row = Row(
        expert=costs.get("expert", math.nan) / ours,
        searched=min((costs[key] for key in SEARCHED if key in costs), default=math.nan) / ours,
        took=document["wall_s"] / 60 / each_min,
        came=_per_minute(document["rounds"]) / (document["expected"] or {}).get("samples_per_minute", math.nan),
    )
    print(
        f"{name:20}{ours:10.3f}{row.expert:8.2f}{row.searched:10.2f}{document['best']['name']:>16}"
        f"{document['measured']:>10}{document['failed']:>8}{row.took:7.2f}{row.came:7.2f}",
        flush=True,
    )
    return row


def _per_minute(rounds: Sequence[Any]) -> float:
    """Samples by the time of the rounds; NaN without any."""
    seconds = sum(each["search_s"] + each["measure_s"] + each["learn_s"] for each in rounds)
    return 60 * sum(each["measured"] for each in rounds) / seconds if seconds else math.nan


def is_foreseen(came: float) -> bool:
    return 1 / FORECAST <= came <= FORECAST


if __name__ == "__main__":
    main()
