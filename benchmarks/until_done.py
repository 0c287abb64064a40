"""Does ``--until-done`` stop too early? ``python -m benchmarks.until_done [WORKSPACE [NAMES ...]]``.

Tunes each of the six filters until it is done, then goes on for as long again, and prints how many times as long the
schedule takes that the former ended with as the one that twice its time ended with: once if that is the same one. Else
both are timed anew for it, side by side, for who wins a comparison of many looks faster in it than it is. What was
tuned is kept as JSON in the workspace, so that a run that was interrupted goes on. Nothing else should run.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from benchmarks.tool import CORES, host_subject, kept, measured, names, said, speedup, this_machine, tune
from hltune.commands.choice import choose
from hltune.machine.speedup import Speedup
from hltune.runtime.progress import Silent
from hltune.workspace.records import Workspace

TURNS = 41


def main() -> None:
    workspace = Workspace(Path(sys.argv[1] if len(sys.argv) > 1 else ".bench/until_done"))
    print(f"{CORES} cores; time of what --until-done ended with, by that of what twice its time ended with")
    print(f"{'':16}{'minutes':>9}{'rounds':>8}{'measured':>10}{'as long':>9}  times as long")
    found = [examine(name, workspace) for name in names(2)]
    print(f"loses under 3%: {sum(each < 1.03 for each in found)} of {len(found)}")


def examine(name: str, workspace: Workspace) -> float:
    """Prints a line; returns how many times as long the schedule takes that stopping ended with."""
    first = kept(workspace.root / f"{name}.until-done.json", partial(tune, name, workspace, None, "--until-done"))
    again = partial(tune, name, workspace, first["wall_s"] / 60)
    second = kept(workspace.root / f"{name}.again.json", again)
    ends = [each["best"]["name"] for each in (first, second)]
    found = None if len({*ends}) == 1 else _side_by_side(name, workspace, *ends)
    print(
        f"{name:16}{first['wall_s'] / 60:9.1f}{len(first['rounds']):8}{first['measured']:10}"
        f"{second['wall_s'] / first['wall_s']:9.2f}  {said(found) if found else 'the same schedule'}",
        flush=True,
    )
    return found.value if found else 1.0


def _side_by_side(name: str, workspace: Workspace, former: str, later: str) -> Speedup:
    """How many times as long as the later schedule the former one takes."""
    subject = host_subject(name, workspace)
    chosen = choose(subject, [former, later], workspace, this_machine(subject), Silent())
    costs = measured(subject, chosen, rounds=TURNS)
    return speedup(costs[former], costs[later])


if __name__ == "__main__":
    main()
