"""Counts anew the names that Halide made by counting, so that equal schedules are equal values."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from itertools import count
from typing import Any

from hltune.values.directives import Directive, Schedule
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Role, Stage, form_of

LOOP_ROLES = frozenset((Role.LOOP, Role.NEW_LOOP, Role.LOOPS, Role.PRESERVED, Role.DIM, Role.DIMS))
"""What says which loops and dimensions of its own stage a directive is about."""
_NEW_LOOPS = frozenset((Role.NEW_LOOP, Role.PRESERVED))
_NEW_FUNC = frozenset((Role.NEW_FUNC,))
_NAMES = LOOP_ROLES | {Role.LEVEL, Role.CONSUMER, Role.NEW_FUNC}


def canonical_names(schedule: Schedule, funcs: Iterable[FuncInfo]) -> Schedule:
    """Renames loops like ``v52`` and ``r7`` to ``v0, r1, ...`` and Funcs like ``f_intm_3`` to ``f_intm``.

    The new numbers follow the order of appearance. Names of the pipeline itself stay.
    """
    existing = algorithm_loops(funcs)
    taken = {func.name for func in funcs}
    loops: dict[str, str] = {}
    made: dict[str, str] = {}
    numbers = (number for number in count() if not existing & {f"v{number}", f"r{number}"})
    for directive in schedule.directives:
        for new in new_loops(directive):
            if is_counted(new) and new not in existing and new not in loops:
                loops[new] = f"{new[0]}{next(numbers)}"
        for func in names_of(directive, _NEW_FUNC):
            made[func] = _func_name(directive.stage.func, func, taken)
            taken.add(made[func])
    return Schedule(tuple(renamed(each, loops=loops, levels=loops, funcs=made) for each in schedule.directives))


def algorithm_loops(funcs: Iterable[FuncInfo]) -> set[str]:
    """Names of the variables of a pipeline itself."""
    return {name for func in funcs for names in (func.args, *func.updates) for name in names}


def new_loops(directive: Directive) -> tuple[str, ...]:
    """Names of the loops that a directive makes, in their order."""
    made: list[str] = []
    for name, role in _fields(type(directive), _NEW_LOOPS):
        value: Any = getattr(directive, name)
        made += [value] if role is Role.NEW_LOOP else dict(value).values()
    return tuple(made)


def is_counted(name: str) -> bool:
    """True if a loop has a name such as Halide gives to a ``Var()`` or ``RVar()`` without one."""
    return re.fullmatch(r"[rv]\d+", name) is not None


@cache
def _fields(kind: type[Directive], roles: frozenset[Role]) -> tuple[tuple[str, Role], ...]:
    """The fields of a kind of directive that have one of these roles; many a schedule is renamed."""
    return tuple((name, role) for name, role in form_of(kind).fields if role in roles)


def _func_name(func: str, name: str, taken: set[str]) -> str:
    if not re.fullmatch(re.escape(func) + r"_intm(_\d+)?", name):
        return name
    candidates = (f"{func}_intm{number or ''}" for number in count())
    return next(candidate for candidate in candidates if candidate not in taken)


def names_of(directive: Directive, roles: frozenset[Role] = LOOP_ROLES) -> tuple[str, ...]:
    """The names in some roles that a directive has, those of loops and dimensions of its own stage unless told."""
    found: list[str] = []
    for name, _ in _fields(type(directive), roles):
        value: Any = getattr(directive, name)
        found += [value] if isinstance(value, str) else value
    return tuple(found)


def renamed(
    directive: Directive, *, loops: Mapping[str, str], levels: Mapping[str, str], funcs: Mapping[str, str]
) -> Directive:
    """A directive with other names of its own loops and dimensions, of the loops of its consumer, and of Funcs."""
    names = {Role.LEVEL: levels, Role.CONSUMER: funcs, Role.NEW_FUNC: funcs}
    changes: dict[str, Any] = {
        name: new
        for name, role in _fields(type(directive), _NAMES)
        if (new := _replaced(old := getattr(directive, name), names.get(role, loops))) != old
    }
    if (func := _replaced(directive.stage.func, funcs)) != directive.stage.func:
        changes["stage"] = Stage(func, directive.stage.update)
    return replace(directive, **changes) if changes else directive  # checking a new one takes its time


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, tuple):
        return tuple(_replaced(item, names) for item in value)  # pyright: ignore[reportUnknownVariableType]
    return names.get(value, value)
