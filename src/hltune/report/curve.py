"""A picture of tuning: the least cost against the time that went into measuring."""

import io
from pathlib import Path

import numpy as np

from hltune.commands.tune import Tuned
from hltune.runtime.files import write_bytes
from hltune.values.cost import Cost
from hltune.values.unit import Unit
from hltune.workspace.records import Workspace
from hltune.workspace.rows import Row

_LONGEST_PAUSE_S = 60.0
"""Between two measurements of one run; what is longer lies between two runs and is left out."""
_FORMS = ("svg", "png")


def plot_curve(result: Tuned, workspace: Workspace) -> tuple[Path, ...]:
    """Draws it as SVG and PNG and returns the files.

    Raises:
        InputError: they cannot be written.
    """
    # Slow to import, and nobody else needs it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    unit = result.finals.winner_cost.unit
    elapsed_min, costs = _points(result.history, unit)
    with mpl.rc_context({"svg.hashsalt": "hltune", "font.size": 9}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(elapsed_min, costs, ".", color="0.75", markersize=3, label="samples")
        axes.step(elapsed_min, np.minimum.accumulate(costs), where="post", color="tab:blue", label="best so far")
        for number, row in enumerate(_named(result)):
            assert isinstance(row.measurement, Cost)
            axes.axhline(
                row.measurement.value * unit.per_second,
                linestyle="--",
                linewidth=0.8,
                color=f"C{number + 1}",
                label=row.name,
            )
        axes.set_yscale("log")
        axes.set_xlabel("minutes of tuning")
        axes.set_ylabel(f"cost in {unit.label}")
        axes.set_title(f"{result.subject.spec.name}, {result.machine.threads} threads")
        axes.legend(fontsize=8)
        base = workspace.curve(result.subject.spec, result.machine)
        paths = tuple(base.with_suffix(f".{form}") for form in _FORMS)
        for path, form in zip(paths, _FORMS, strict=True):
            picture = io.BytesIO()
            figure.savefig(picture, format=form, dpi=150)
            write_bytes(path, picture.getvalue())
    return paths


def _points(history: tuple[tuple[float, float], ...], unit: Unit) -> tuple[np.ndarray, np.ndarray]:
    """Minutes from the first sample on, pauses left out, and costs."""
    at_s, costs = np.array(history).reshape(-1, 2).T
    steps_s = np.diff(at_s, prepend=at_s[:1])
    steps_s[steps_s > _LONGEST_PAUSE_S] = 0
    return np.cumsum(steps_s) / 60, costs * unit.per_second


def _named(result: Tuned) -> list[Row]:
    """Known schedules of the final comparison: all that tuning did not find."""
    rows = result.finals.rows
    return [row for row in rows if row.name == row.finder and isinstance(row.measurement, Cost)]
