"""What is good without tuning: ``python -m benchmarks.untuned [WORKSPACE] [NAMES]``.

With the ranker and weights that come with hltune, or that are the default of a workspace, it prints for each built-in
pipeline how many times as fast as what stock Adams2019 finds with Halide's own weights these are, measured interleaved:

- what `hltune schedule --no-measure` picks,
- what `hltune schedule` picks, which measures the most promising ones,
- what beam search finds with the weights alone,

then geometric means of the six filters and of the applications, and the worst.
"""

from __future__ import annotations

import math
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.tool import CORES, hltune, host_subject, measured, speedup, this_machine
from hltune.runtime.progress import Silent
from hltune.search.autoschedulers import BUILTIN, Adams2019Options
from hltune.search.pool import SearchPool
from hltune.suite.catalog import APPS, FILTERS
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.schedule_codec import read_schedule_file
from hltune.workspace.default_weights import with_default_weights
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject

ROUNDS = 15
SEARCH_S = 120.0
STOCK = "stock"
COLUMNS = ("not measured", "measured", "beam")


def main() -> None:
    trained = next((Workspace(Path(each)) for each in sys.argv[1:2] if Path(each).is_dir()), None)
    chosen = sys.argv[1 if trained is None else 2 :]
    print(f"{CORES} cores; times as fast as stock Adams2019")
    print(f"{'':26}" + "".join(f"{each:>14}" for each in COLUMNS))
    for group in (FILTERS, APPS):
        rows = [examine(each.name, trained) for each in group if not chosen or each.name in chosen]
        for title, of in (("geometric mean", statistics.geometric_mean), ("worst", min)):
            if columns := [[value for value in column if not math.isnan(value)] for column in zip(*rows, strict=True)]:
                print(f"{title:26}" + "".join(f"{of(each):14.2f}" for each in columns if each), flush=True)


def examine(name: str, trained: Workspace | None) -> list[float]:
    """Prints a line; returns how many times as fast each is, NaN for what was not found."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        if trained is not None:
            shutil.copytree(trained.defaults, workspace.defaults)
        subject = host_subject(name, workspace)
        found = {
            "not measured": scheduled(name, workspace, "--no-measure"),
            "measured": scheduled(name, workspace),
            "beam": searched(subject, workspace, Adams2019Options(parallelism=CORES)),
            STOCK: searched(subject, workspace, Adams2019Options(parallelism=CORES, weights=BUILTIN)),
        }
        costs = measured(subject, {kind: one for kind, each in found.items() for one in each}, rounds=ROUNDS)
    known = STOCK in costs
    row = [speedup(costs[STOCK], costs[each]).value if known and each in costs else math.nan for each in COLUMNS]
    print(f"{name:26}" + "".join(f"{value:14.2f}" for value in row), flush=True)
    return row


def scheduled(name: str, workspace: Workspace, *flags: str) -> Iterator[Schedule]:
    """What `hltune schedule` finds; nothing if that fails, which it says."""
    try:
        document: Any = hltune("schedule", name, "--workspace", workspace.root, *flags)
    except subprocess.CalledProcessError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return
    yield read_schedule_file(next(Path(each) for each in document["files"] if each.endswith(".json")))


def searched(subject: Subject, workspace: Workspace, search: Adams2019Options) -> Iterator[Schedule]:
    """What one beam search finds; nothing if it takes too long."""
    search = with_default_weights(search, workspace, subject.target, this_machine(subject), Silent())
    with SearchPool(1, timeout_s=SEARCH_S) as pool:
        (found,) = pool.run(subject.spec, subject.target.name, [search])
    if isinstance(found, Candidate):
        yield found.schedule


if __name__ == "__main__":
    main()
