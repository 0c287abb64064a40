"""Changes of what is computed in whose loops: an expert's groups of stages, that share a tile, are found so.

No other change does that: where a chain is fused in groups, each of them better than any that differs by one detail,
what joins two of them or parts one has to be drafted as a whole. Halide refuses what cannot be, before it is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hltune.search.remedies import Patient, placed
from hltune.search.view import Directives, after
from hltune.values.directives import (
    ComputeAt,
    ComputeRoot,
    Directive,
    InsideLoop,
    Parallel,
    Schedule,
    Split,
    StoreAt,
    StoreRoot,
)
from hltune.values.roles import Stage

_ROWS = 32
"""Iterations of the outermost loop that a task gets of a new group."""


def beside(patient: Patient, func: str) -> Iterator[list[Directive]]:
    """Computes a Func in the loop in which one of its consumers is, and keeps it there or for as long."""
    stage, directives = Stage(func), patient.view.directives
    for consumer in patient.placed_consumers(func):
        level = patient.place(consumer)
        if isinstance(level, ComputeAt) and level.consumer != func:
            inside = placed(_serial(directives, func), stage, replace(level, stage=stage))
            yield inside
            for each in directives:
                if each.stage == Stage(consumer) and isinstance(each, StoreAt | StoreRoot):
                    yield after(inside, stage, replace(each, stage=stage))


def joined(patient: Patient, func: str) -> Iterator[list[Directive]]:
    """Computes a Func at root, and all that is computed in its loops, in those of the group that reads it."""
    if not isinstance(patient.place(func), ComputeRoot):
        return
    view, stage = patient.view, Stage(func)
    for consumer in patient.placed_consumers(func):
        level = patient.place(consumer)
        if isinstance(level, ComputeAt):
            levels = [(level.consumer, level.var)]
        else:
            levels = [(consumer, var) for var in view.levels(consumer)]
        for head, var in levels:
            place = ComputeAt(stage, head, var)
            inside = placed(_serial(view.directives, func), stage, place)
            yield _moved(patient, inside, place, None)
            for outer in view.serially_outside(place)[:1]:
                yield after(_moved(patient, inside, place, outer), stage, patient.stored(stage, head, outer))


def parted(patient: Patient, func: str) -> Iterator[list[Directive]]:
    """Computes a Func at root, by strips, and in its loops what only it needs of the group that it was in."""
    level = patient.place(func)
    view, stage = patient.view, Stage(func)
    serial = [each.name for each in view.nests.loops.get(stage, ()) if each.kind == "for" and not each.rvar]
    if not isinstance(level, ComputeAt) or not serial:
        return
    rows = view.new_loop()
    own: Directives = [Split(stage, serial[-1], serial[-1], rows, _ROWS), Parallel(stage, serial[-1])]
    others = _upstream(patient, func, level.consumer)
    apart = after(placed(view.directives, stage, ComputeRoot(stage)), stage, *own)
    if not others:
        yield apart
        return
    for var in (rows, serial[-1]):
        moved = apart
        for each in others:
            moved = placed(moved, Stage(each), ComputeAt(Stage(each), func, var))
        stores: list[Directive] = [StoreAt(Stage(each), func, serial[-1]) for each in others]
        yield [*moved, *stores] if var == rows else moved


def moves(patient: Patient, func: str) -> Iterator[Schedule]:
    """All of these of a Func that has a buffer, and is no output."""
    if func in patient.view.outputs or patient.place(func) is None:
        return
    for change in (beside, parted, joined):
        for directives in change(patient, func):
            yield from patient.changed(directives)


def _serial(directives: Sequence[Directive], func: str) -> Directives:
    return [each for each in directives if not (each.stage.func == func and isinstance(each, Parallel))]


def _moved(patient: Patient, directives: Sequence[Directive], place: ComputeAt, outer: str | None) -> Directives:
    """With what is computed in loops of a Func where this one is, and what is kept there in an outer loop, if any."""
    found: Directives = []
    for each in directives:
        if not isinstance(each, InsideLoop) or each.consumer != place.stage.func:
            found.append(each)
        elif isinstance(each, ComputeAt):
            found.append(replace(place, stage=each.stage))
        elif isinstance(each, StoreAt) and outer is not None:
            found.append(patient.stored(each.stage, place.consumer, outer))
    return found


def _upstream(patient: Patient, func: str, head: str) -> list[str]:
    """Funcs in loops of the same one that only this one needs, by way of each other or not."""
    group = {
        each.stage.func
        for each in patient.view.directives
        if isinstance(each, ComputeAt) and each.consumer == head and each.stage.func != func
    }
    found = {func}
    while new := {each for each in group - found if {*patient.placed_consumers(each)} <= found}:
        found |= new
    order = dict.fromkeys(each.stage.func for each in patient.view.directives)
    return [each for each in order if each in found - {func}]
