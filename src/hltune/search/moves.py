"""Changes of what is computed in whose loops: an expert's groups of stages, that share a tile, are found so.

No other change does that: where a chain is fused in groups, each of them better than any that differs by one detail,
what joins two of them or parts one has to be drafted as a whole. Halide refuses what cannot be, before it is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hltune.search.remedies import Patient, placed, serial
from hltune.search.view import Directives, View, after
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
            inside = placed(serial(directives, func), stage, replace(level, stage=stage))
            yield inside
            for each in directives:
                if each.stage == Stage(consumer) and isinstance(each, StoreAt | StoreRoot):
                    yield after(inside, stage, replace(each, stage=stage))


def joined(patient: Patient, func: str) -> Iterator[list[Directive]]:
    """Computes a Func at root in a loop of the group that reads it: with what is computed in its loops, or alone.

    Where the iterations of that loop can follow each other, each on all threads, the Func stays on them as well.
    """
    if not isinstance(patient.place(func), ComputeRoot):
        return
    view, stage = patient.view, Stage(func)
    for head, var in _around(patient, func):
        place = ComputeAt(stage, head, var)
        inside = placed(serial(view.directives, func), stage, place)
        together = _moved(patient, inside, place, None)
        yield together
        if together != inside:
            yield inside
        for outer in view.serially_outside(place)[:1]:
            yield after(_moved(patient, inside, place, outer), stage, patient.stored(stage, head, outer))
        if (several := _one_by_one(view, place)) is not None:
            yield placed(several, stage, place)


def _one_by_one(view: View, place: ComputeAt) -> Directives | None:
    """The directives with the loop of a place off the threads, if loops inside of it are on them; else None."""
    directives = view.directives
    of_head = [each for each in directives if each.stage.func == place.consumer and isinstance(each, Parallel)]
    around = {loop.name for loop in view.outside(place)}
    if all(each.var == place.var for each in of_head) or any(each.var in around for each in of_head):
        return None
    dropped = [each for each in of_head if each.var == place.var]
    return [each for each in directives if each not in dropped]


def _around(patient: Patient, func: str) -> Iterator[tuple[str, str]]:
    """Loops that go around all that reads a Func, by their Funcs and names, the innermost ones first."""
    consumers = patient.placed_consumers(func)
    nests = [_nest(patient, each) for each in consumers]
    for level in nests[0] if nests else ():
        if all(level in other for other in nests):
            yield level


def _nest(patient: Patient, consumer: str) -> list[tuple[str, str]]:
    """All loops around a Func; of one at root, and of an output, its own."""
    found: list[tuple[str, str]] = []
    while isinstance(level := patient.place(consumer), ComputeAt):
        found.append((level.consumer, level.var))
        found += [(level.consumer, each.name) for each in patient.view.outside(level)]
        consumer = level.consumer
    return found or [(consumer, var) for var in patient.view.levels(consumer)]


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
