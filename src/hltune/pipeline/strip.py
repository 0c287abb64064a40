"""Takes the schedule out of a serialized pipeline: what is left is the algorithm, as Halide writes it unscheduled.

Bounds and estimates stay, for they say what is computed. What changed the algorithm stays, too: the Func that an
rfactor made. Wrappers made by ``in`` or ``clone_in`` are no longer called. Needs no Halide.

Source: Halide 21 ``Function::define``, ``define_update`` and ``define_extern``.
"""

from __future__ import annotations

import struct
from itertools import chain

from hltune.pipeline.flatbuffer import Editor, New, Table
from hltune.pipeline.serialized import read_root
from hltune.pipeline.serialized_schedule import (
    EXTERN_LOOP,
    INLINED,
    UNDEFINED,
    LoopDim,
    LoopSplit,
    StoredDim,
    constant,
    definitions,
    free_variables,
    level,
    loop_dim,
    loop_split,
    stored_dim,
)
from hltune.values.directives import OUTERMOST
from hltune.values.errors import InputError


def strip_schedule(data: bytes, *, where: str = "pipeline") -> bytes:
    """The pipeline without its schedule; the same bytes if it has none.

    Raises:
        InputError: the file is damaged, or a wrapper that somebody has redefined stands between two Funcs.
    """
    try:
        root = read_root(data, where=where)
        funcs = list(root.tables(0))
        _check_wrappers(funcs, list(root.texts(4)), where)
        editor = Editor(data)
        for func in funcs:
            _strip_func(editor, func)
            for definition in definitions(func):
                _strip_stage(editor, func, definition)
    except (struct.error, UnicodeDecodeError, IndexError, KeyError, ValueError) as error:
        raise InputError("damaged file", where=where, found=str(error)) from error
    return bytes(editor.data)


def without_partial_bounds(data: bytes) -> bytes:
    """The pipeline without the bounds of Funcs of which one is no constant interval, such as those of ``bound_extent``.

    They are for code to check, and change no value; Halide's autoschedulers refuse them.
    """
    editor = Editor(data)
    for func in read_root(data, where="bounds").tables(0):
        schedule = func.table(6)
        if schedule is None:
            continue
        slots = {slot: [*schedule.tables(slot)] for slot in (4, 5)}  # a bound counts as an estimate as well
        limits = (constant(bound, slot) for bound in chain(*slots.values()) for slot in (1, 3))
        if not all(isinstance(limit, int) for limit in limits):
            for slot in (slot for slot, bounds in slots.items() if bounds):
                editor.put(schedule, slot, [])
    return bytes(editor.data)


def _check_wrappers(funcs: list[Table], names: list[str], where: str) -> None:
    """A wrapper may be left out as long as it computes what it stands for."""
    by_name = {func.text(0): func for func in funcs}
    for func in funcs:
        schedule = func.table(6)
        for wrapper in () if schedule is None else schedule.tables(6):
            made = by_name[names[int(wrapper.number(1, "<i"))]]
            if len(definitions(made)) not in (1, len(definitions(func))):
                raise InputError(
                    "a wrapper has updates of its own, so the pipeline has no algorithm without its schedule",
                    where=where,
                    found=f"{made.text(0)}, made by in or clone_in of {func.text(0)}",
                    todo="make it a Func of its own",
                )


def _strip_func(editor: Editor, func: Table) -> None:
    schedule = func.table(6)
    if schedule is None:
        return
    for slot in (0, 1, 2):
        if level(schedule.table(slot)) != INLINED:
            editor.put(schedule, slot, _inlined(locked=False))
    dims = [StoredDim(arg) for arg in func.texts(5)]
    if list(map(stored_dim, schedule.tables(3))) != dims:
        editor.put(schedule, 3, [_storage(dim) for dim in dims])
    if any(True for _ in schedule.tables(6)):
        editor.put(schedule, 6, [])
    for slot in (7, 8, 9):
        editor.clear(schedule, slot)
    for slot in (10, 12):
        if constant(schedule, slot) is not None:
            editor.put(schedule, slot, bytes([UNDEFINED]))
            editor.put(schedule, slot + 1, {})


def _strip_stage(editor: Editor, func: Table, definition: Table) -> None:
    schedule = definition.table(7)
    if schedule is None:
        return
    dims = _default_dims(func, definition, schedule)
    if list(map(loop_dim, schedule.tables(2))) != dims:
        kind = EXTERN_LOOP if func.text(12) else 0
        editor.put(schedule, 2, [_loop(dim, kind if dim.var != OUTERMOST else 0) for dim in dims])
    for slot in (1, 3, 5):
        if any(True for _ in schedule.tables(slot)):
            editor.put(schedule, slot, [])
    fuse = schedule.table(4)
    if fuse is not None and (level(fuse.table(0)) != INLINED or any(True for _ in fuse.texts(1))):
        editor.put(schedule, 4, {0: _inlined(locked=True), 1: [], 2: []})
    for slot in (6, 7, 8, 9):
        editor.clear(schedule, slot)
    if any(True for _ in definition.tables(8)):
        editor.put(definition, 8, [])


def _default_dims(func: Table, definition: Table, schedule: Table) -> list[LoopDim]:
    """The loops of a definition that nobody has scheduled: reduction variables inside of pure ones."""
    purity = {dim.var: dim.purity for dim in map(loop_dim, schedule.tables(2))}
    for split in reversed(list(map(loop_split, schedule.tables(1)))):
        _undo(split, purity)
    rvars = [rvar.text(0) for rvar in schedule.tables(0)]
    pure = [arg for arg in free_variables(definition, list(func.texts(5))) if arg not in rvars]
    kind = "other" if func.text(12) else "serial"
    return [LoopDim(name, kind, purity=purity[name] if name in rvars else 0) for name in (*rvars, *pure)] + [
        LoopDim(OUTERMOST)
    ]


def _undo(split: LoopSplit, purity: dict[str, int]) -> None:
    """From the loops after a split to those before it; of fused loops at least one is as impure as the result."""
    if split.kind == "fuse":
        purity[split.outer] = purity[split.inner] = purity[split.old]
    else:
        purity[split.old] = purity[split.outer]


def _inlined(*, locked: bool) -> New:
    return {0: "", 1: struct.pack("<i", -1), 2: "", **({4: b"\1"} if locked else {})}


def _storage(dim: StoredDim) -> New:
    nothing = {slot: bytes([UNDEFINED]) for slot in (1, 3, 5)}
    return {0: dim.var, **nothing, **{slot + 1: {} for slot in nothing}}


def _loop(dim: LoopDim, kind: int) -> New:
    return {0: dim.var, 1: bytes([kind]), 3: bytes([dim.purity])}
