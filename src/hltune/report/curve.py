"""A picture of tuning: the least cost against the time that went into measuring."""

from pathlib import Path

import numpy as np

from hltune.commands.tune import Tuned
from hltune.report.picture import drawn
from hltune.samples.reader import minutes_without_pauses
from hltune.workspace.records import Workspace


def plot_curve(result: Tuned, workspace: Workspace) -> tuple[Path, ...]:
    """Draws it as SVG and PNG and returns the files."""
    unit = result.finals.winner_cost.unit
    at_s, costs = np.array(result.history).reshape(-1, 2).T
    costs = costs * unit.per_second
    elapsed_min = minutes_without_pauses(at_s)
    base = workspace.curve(result.subject.spec, result.machine)
    paths = (base.with_suffix(".svg"), base.with_suffix(".png"))
    with drawn(*paths, size=(7, 4)) as axes:
        axes.plot(elapsed_min, costs, ".", color="0.75", markersize=3, label="samples")
        axes.step(elapsed_min, np.minimum.accumulate(costs), where="post", color="tab:blue", label="best so far")
        # All that tuning did not find.
        known = [(row.name, row.cost) for row in result.finals.rows if row.name == row.finder and row.cost]
        for number, (name, cost) in enumerate(known):
            level = cost.value * unit.per_second
            axes.axhline(level, linestyle="--", linewidth=0.8, color=f"C{number + 1}", label=name)
        axes.set_yscale("log")
        axes.set_xlabel("minutes of tuning")
        axes.set_ylabel(f"cost in {unit.label}")
        axes.set_title(f"{result.subject.spec.name}, {result.machine.threads} threads")
        axes.legend(fontsize=8)
    return paths
