"""What `explain` adds up to, and what `reduce` leaves: ``python -m benchmarks.explained [WORKSPACE [NAMES ...]]``.

For each pipeline (without names: the six filters and eight applications), the shares of the run that the profiler sees
in the schedule by hand. Then one example for each reason of failure that the workspace has of them, ten at most: how
many of its directives are left, and whether it still fails in the same way. What is done is kept as JSON in the
workspace, so that a run that was interrupted goes on.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.tool import hltune, kept
from hltune.suite.catalog import FILTERS

APPS = ("bilateral_grid", "local_laplacian", "nl_means", "camera_pipe", "harris", "hist", "max_filter", "interpolate")
_MOST = 10
_MINUTES = 3


def main() -> None:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".bench")
    chosen = sys.argv[2:] or [*(each.name for each in FILTERS), *APPS]
    shares = [explained(name, root) for name in chosen]
    print(f"95 to 105%: {sum(0.95 <= each <= 1.05 for each in shares)} of {len(shares)}\n")
    print(f"{'':16}{'directives':>11}{'left':>6}{'tries':>7}  failure")
    tried = [reduced(name, digest, root) for name, digest in failures(chosen, root)]
    if left := [each for each in tried if each is not None]:
        print(f"median of what is left: {statistics.median(left):.0%} of the directives, of {len(left)} failures")


def explained(name: str, root: Path) -> float:
    """Prints a line; returns the sum of the shares."""
    explain = partial(hltune, "explain", name, "--schedule", "expert", "--workspace", root)
    schedule = kept(root / f"{name}.explained.json", explain)["schedules"][0]
    shares = [row["measured"]["share"] for row in schedule["funcs"] if row["measured"] is not None]
    advice = schedule["advice"] or [{"stage": "nothing", "text": "is found wrong"}]
    print(f"{name:16}{sum(shares):7.1%}  {advice[0]['stage']} {advice[0]['text']}", flush=True)
    return sum(shares)


def failures(names: list[str], root: Path) -> list[tuple[str, str]]:
    """The newest example of each reason, with its pipeline, ten at most."""
    found: list[tuple[str, str]] = []
    for name in names:
        try:
            document = hltune("samples", "failures", name, "--workspace", root)
        except subprocess.CalledProcessError:
            continue  # nothing was measured
        found += [(name, row["hash"]) for row in document["failures"] if not row["otherwise_since"]]
    return found[:_MOST]


def reduced(name: str, digest: str, root: Path) -> float | None:
    """Prints a line; returns how many of the directives are left, None if it could not be reduced."""
    reduce = partial(hltune, "reduce", digest, "--pipeline", name, "--minutes", _MINUTES, "--workspace", root)
    try:
        found: Any = kept(root / f"{name}.{digest}.reduced.json", reduce)
    except subprocess.CalledProcessError:
        print(f"{name:16}{'':24}  {digest} could not be reduced, for the reason above", flush=True)
        return None
    before, after = found["directives_before"], found["directives"]
    print(
        f"{name:16}{before:11}{after:6}{found['tried']:7}  {found['failure']['stage']}: {found['failure']['message']}"
    )
    return after / before


if __name__ == "__main__":
    main()
