"""Pictures, which come out the same every time: above all of tuning, the least cost against the time of measuring."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hltune.runtime.files import write_bytes
from hltune.samples.results import minutes_without_pauses
from hltune.workspace.records import Workspace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hltune.commands.tune_one import Tuned

_LEAST_TICKS = 4


@contextlib.contextmanager
def drawn(*paths: Path, size: tuple[float, float]) -> Generator[Axes]:
    """Axes to draw on, so many inches large; then written to files, in the forms that their names end in."""
    # Slow to import, and nobody else needs it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Names are no formulas: two $ in one would make it mathematics.
    with mpl.rc_context({"svg.hashsalt": "hltune", "font.size": 9, "text.parse_math": False}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure.subplots()
        for path in paths:
            picture = io.BytesIO()
            figure.savefig(picture, format=path.suffix[1:], dpi=150)
            write_bytes(path, picture.getvalue())


def plot_curve(result: Tuned, workspace: Workspace) -> tuple[Path, ...]:
    """Draws the tuning curve as SVG and PNG and returns the files."""
    unit = result.finals.winner_cost.unit
    at_s, costs = np.array(result.history).reshape(-1, 2).T
    costs = costs * unit.per_second
    elapsed_min = minutes_without_pauses(at_s)
    base = workspace.curve(result.subject.spec, result.machine)
    paths = (base.with_suffix(".svg"), base.with_suffix(".png"))
    with drawn(*paths, size=(8, 4)) as axes:
        # All that tuning did not find.
        known = [(row.name, row.cost) for row in result.finals.rows if row.name == row.finder and row.cost]
        levels = [(name, cost.value * unit.per_second) for name, cost in known]
        draw_curve(axes, elapsed_min, costs, levels, label=f"cost in {unit.label}")
        axes.set_title(f"{result.subject.spec.name}, {result.machine.threads} threads")
    return paths


def draw_curve(
    axes: Axes,
    minutes: NDArray[np.float64],
    costs: NDArray[np.float64],
    known: Iterable[tuple[str, float]],
    *,
    label: str,
) -> None:
    """Draws costs against the time of measuring, the least so far, and what known schedules cost, by their names."""
    axes.plot(minutes, costs, ".", color="0.7", markersize=3, label="samples")
    axes.step(minutes, np.minimum.accumulate(costs), where="post", color="tab:blue", label="best so far")
    for number, (name, level) in enumerate(known, start=1):
        axes.axhline(level, linestyle="--", linewidth=0.8, color=f"C{number}", label=name)
    axes.set_yscale("log")
    ticks = round_numbers(*axes.get_ylim())
    axes.set_yticks(ticks, list(map(_plain, ticks)))
    axes.minorticks_off()
    axes.set_xlabel("minutes of tuning")
    axes.set_ylabel(label)
    # Beside the axes: samples are everywhere.
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, frameon=False)


def round_numbers(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: powers of ten if there are enough, or else 1, 2 and 5, or else equal steps."""
    from matplotlib.ticker import MaxNLocator

    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 2, 5)):
        found = [step * 10.0**exponent for exponent in exponents for step in steps]
        ticks = [tick for tick in found if low <= tick <= high]
        if len(ticks) >= _LEAST_TICKS:
            return ticks
    equal = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [float(tick) for tick in equal if low <= tick <= high]


def _plain(tick: float) -> str:
    return f"{tick:,.12f}".rstrip("0").rstrip(".")
