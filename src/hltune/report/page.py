"""`hltune report`: one page of HTML that needs no network, from the same documents as everything else."""

from __future__ import annotations

import io
import json
import math
import re
import shlex
import time
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.resources import files
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hltune import __version__
from hltune.commands.report import Reported
from hltune.commands.samples import ID_DIGITS
from hltune.machine.pictures import Picture
from hltune.machine.speedup import in_order, is_tie, ratio
from hltune.report.against import differing, headline
from hltune.report.documents import errors, failure
from hltune.report.explain import LEAST_SHOWN, by_change, outcome, shown_funcs, together, untried
from hltune.report.explanation import explained
from hltune.report.layout import CHANGED, Document, count, number, percent
from hltune.report.outlook import outlook_text
from hltune.report.pictures import draw_curve
from hltune.runtime.files import write_bytes
from hltune.runtime.halide_wheel import halide_version
from hltune.samples.results import LONGEST_PAUSE_S, minutes_without_pauses
from hltune.tuning.outlook import Outlook, lasting
from hltune.tuning.round import Round
from hltune.values.cost import Cost, Measurement, is_repaired
from hltune.values.errors import Failure, HltuneError
from hltune.values.reasons import Reason
from hltune.values.unit import MILLISECONDS, Unit, size
from hltune.workspace.record import TUNED
from hltune.workspace.tunings import TuningCommand

VERSION = 7
_SAMPLES = 500
"""Of tuning, that the page shows beside each one that was the best so far."""
_LINES = 3
"""Schedules beside the tuned one, the fastest first, whose cost the curve shows as a line."""
_INK = "#010203"
"""A colour that nothing else has, in place of which the page puts that of its text."""


def reported(
    results: Sequence[Reported], failed: Mapping[str, HltuneError], *, command: str, place: Sequence[str] = ()
) -> Document:
    """What the page shows of pipelines.

    Args:
        failed: why others are left out, by name.
        command: what the user typed.
        place: flags that name the workspace, for commands that the page shows.
    """
    return {**_document([_pipeline(each, place) for each in results], command), **errors(failed)}


def under_way(rounds: Sequence[Round], unit: Unit, *, command: str, ended: bool = False) -> Document:
    """What the page shows while pipelines are tuned: the best cost after each round, against the time it took.

    Args:
        ended: there will be no further rounds, whatever ended them.
    """
    pipelines = [_so_far(name, rounds, unit) for name in dict.fromkeys(each.pipeline for each in rounds)]
    return {**_document(pipelines, command), "ended": ended}


def _so_far(name: str, rounds: Sequence[Round], unit: Unit) -> Document:
    """A pipeline; what others take meanwhile counts as in `minutes_without_pauses`."""
    history: list[list[float | None]] = []
    best = [each.best for each in rounds if each.pipeline == name]
    costs = iter(lasting(best))
    elapsed_s = others_s = 0.0
    for each in rounds:
        if each.pipeline != name:
            others_s += each.seconds
            continue
        elapsed_s += each.seconds + (others_s if others_s <= LONGEST_PAUSE_S else 0.0)
        others_s = 0.0
        if (cost := next(costs)) < math.inf:
            history.append([elapsed_s / 60, unit.from_seconds(cost)])
    measured = sum(each.measured for each in rounds if each.pipeline == name)
    said = {"history": history, "measurements": measured, "outlook": outlook_text(Outlook.of(best))}
    return {"pipeline": name, "unit": _unit(unit), **said}


def write_page(document: Document, path: Path, *, refresh_s: int | None = None) -> None:
    """Renders the document.

    Args:
        refresh_s: after so many seconds browsers shall read it again; None for a page that stays as it is.
    """
    from jinja2 import Environment

    source = files("hltune.report").joinpath("templates/report.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    shown = {"count": count, "percent": percent, "size": size, "times": partial(number, form=".2f")}
    shown |= {"number": partial(number, form=".6g"), "by_change": by_change, "together": together}
    shown |= {
        "shown_funcs": shown_funcs,
        "outcome": outcome,
        "untried": untried,
        "headline": headline,
        "differing": differing,
    }
    environment.filters.update(shown)  # pyright: ignore[reportUnknownMemberType]
    data = json.dumps(_without_pictures(document)).replace("<", "\\u003c")
    curves = [_curve(each) for each in document["pipelines"]]
    page = environment.from_string(source).render(
        **document, data=data, curves=curves, zip=zip, refresh_s=refresh_s, least=LEAST_SHOWN, changed=CHANGED
    )
    write_bytes(path, page.encode(errors="backslashreplace"))  # a file's name may be no text


def _document(pipelines: list[Document], command: str) -> Document:
    return {
        "version": VERSION,
        "hltune": __version__,
        "halide": halide_version(),
        "made": _utc(time.time()),
        "command": command,
        "pipelines": pipelines,
    }


def _unit(unit: Unit) -> Document:
    return {"name": unit.name, "label": unit.label}


def _pipeline(result: Reported, place: Sequence[str]) -> Document:
    explanation, machine = result.explanation, result.machine
    chosen = ("--pipeline", explanation.subject.spec.content_hash[:ID_DIGITS])
    given = [("-i", f"{name}={path}" if name else str(path)) for name, path in result.images]
    flags = (*chosen, *(("--machine", machine.key) if machine else ()), *chain.from_iterable(given), *place)
    unit = explanation.machine.unit
    at_s, costs = np.array(result.history, np.float64).reshape(-1, 2).T
    elapsed = minutes_without_pauses(at_s)
    measured = {**{each.name: each.measured for each in explanation.schedules}, **explanation.others}
    shown = _shown(costs)
    history = zip(elapsed[shown], costs[shown], strict=True)
    return {
        **explained(explanation),
        "rows": _rows(measured, explanation.schedules[0].name, explanation.same_program),
        "unit": _unit(unit),
        "heap": "in all per call" if unit == MILLISECONDS else "at most at a time",
        "history": [[float(at), unit.from_seconds(cost)] for at, cost in history],
        "measurements": len(costs),
        "notes": list(result.notes),
        "failures": [_failure(each, flags) for each in result.failures],
        "origins": [{"origin": origin, "count": count} for origin, count in result.origins],
        "outlook": None if result.outlook is None else outlook_text(result.outlook),
        "tunings": [_tuning(each) for each in result.tunings],
        "pictures": [_picture(each) for each in result.pictures],
    }


def _shown(costs: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices [S] of the samples [N] to show: some, evenly spaced, and all that were the best so far."""
    best = np.minimum.accumulate(costs)
    keep = np.diff(best, prepend=math.inf) < 0
    keep[:: math.ceil(len(costs) / _SAMPLES) or 1] = True
    keep[-1:] = True
    return np.flatnonzero(keep)


def _rows(measured: Mapping[str, Measurement | None], former: str, twins: Collection[str]) -> list[Document]:
    """The fastest first, which is the one that is explained unless another one is surely faster.

    Args:
        twins: those that are the same program as the one that is explained.
    """
    costs = {name: each for name, each in measured.items() if isinstance(each, Cost)}
    order = in_order(costs, former)
    best = costs[order[0]] if order else None
    names = (*order, *(each for each in measured if each not in costs))
    return [{**_row(name, measured[name], best), "same_program": name in twins} for name in names]


def _row(name: str, measured: Measurement | None, best: Cost | None) -> Document:
    """What a schedule costs; from the heap it takes so many bytes, all in all, where an emulator counts, at a time."""
    found = measured if isinstance(measured, Cost) else None
    pair = (found, best) if found is not None and best is not None else None
    heap, counters = (found.heap, found.counters) if found else (None, None)
    return {
        "name": name,
        "cost": found and found.unit.from_seconds(found.value),
        "spread": found and found.spread,
        "to_best": ratio(*pair) if pair else None,
        "tie": pair is not None and found is not best and is_tie(*pair),
        "heap_bytes": heap.bytes if heap else counters and counters.peak_heap_bytes,
        "allocations": heap.allocations if heap else counters and counters.allocations,
        "repaired": is_repaired(found),
        "failure": failure(measured) if isinstance(measured, Failure) else None,
    }


def _failure(each: Reason, flags: Sequence[str]) -> Document:
    identifier = None if each.schedule_hash is None else each.schedule_hash[:ID_DIGITS]
    command = None
    if identifier is not None and not each.otherwise_since:  # else it would show what came of it since
        command = shlex.join(["hltune", "reproduce", identifier, "-o", "out", *flags])
    said = {"stage": each.stage, "message": each.message, "example": each.text, "count": each.count}
    return {**said, "id": identifier, "reproduce": command}


def _tuning(each: TuningCommand) -> Document:
    return {**asdict(each), "began": _utc(each.began_s)}


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _picture(each: Picture) -> Document:
    """With an address that holds the whole picture."""
    fields = asdict(each)
    jpeg = fields.pop("jpeg")
    return {**fields, "src": f"data:image/jpeg;base64,{b64encode(jpeg).decode()}" if jpeg else None}


def _without_pictures(document: Document) -> Document:
    """For the pictures themselves are in the page already."""

    def described(each: Document) -> list[Document]:
        return [{name: part for name, part in picture.items() if name != "src"} for picture in each["pictures"]]

    pipelines = [
        {**each, "pictures": described(each)} if "pictures" in each else each for each in document["pipelines"]
    ]
    return {**document, "pipelines": pipelines}


def _curve(pipeline: Document) -> str:
    """The tuning curve as SVG that takes the colour of the text around it; empty if nothing was tuned."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    if len(pipeline["history"]) < 2:
        return ""
    minutes, costs = np.array(pipeline["history"]).T
    style = {
        "svg.hashsalt": "hltune",
        "svg.fonttype": "none",
        "font.size": 9,
        "text.parse_math": False,
        "savefig.transparent": True,
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        axes = figure.subplots()
        known = [row for row in pipeline.get("rows", ()) if row["name"] != TUNED and row["cost"]]
        levels = [(row["name"], row["cost"]) for row in known[:_LINES]]
        draw_curve(axes, minutes, costs, levels, label=pipeline["unit"]["label"])
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", dpi=72)
    text = re.sub("<metadata>.*?</metadata>", "", picture.getvalue().decode(), flags=re.DOTALL)
    curve = text[text.index("<svg") :].replace(_INK, "currentColor")
    return curve.replace("<svg", '<svg aria-hidden="true"', 1)  # the figure around it says what it shows
