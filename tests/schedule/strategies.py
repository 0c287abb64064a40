"""Arbitrary directives, and arbitrary schedules that fit a pipeline."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hltune.schedule.loops import LoopNests
from hltune.schedule.text import directive_text
from hltune.values.directives import (
    OUTERMOST,
    ComputeAt,
    Directive,
    Fuse,
    HoistStorage,
    Rfactor,
    Schedule,
    Split,
    StoreAt,
    kinds,
)
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import ENUMERATIONS, Role, Stage, form_of

FUNCS = (
    FuncInfo(name="blur", args=("x", "y", "c")),
    FuncInfo(
        name="hist", args=("x", "_0"), updates=(("r_x", "r_y"), ("r4_x",), ()), update_args=((), ("x",), ("x", "_0"))
    ),
    FuncInfo(name="odd-name", args=("1st", "class")),
    FuncInfo(name="scalar", args=(), updates=(("r_x", "r_y"),), update_args=((),)),
    FuncInfo(name="output", args=("x", "y")),
)

INSIDE = (ComputeAt, StoreAt, HoistStorage)
names = st.text(min_size=1, max_size=6)
counts = st.integers(1, 2**31 - 1)
stages = st.builds(Stage, names, st.none() | st.integers(0, 9))

_BY_ROLE: dict[Role, st.SearchStrategy[Any]] = {
    Role.STAGE: stages,
    Role.FUNC: st.builds(Stage, names),
    Role.UPDATE: st.builds(Stage, names, st.integers(0, 9)),
    Role.LOOPS: st.lists(names, min_size=1, max_size=4, unique=True).map(tuple),
    Role.DIMS: st.lists(names, min_size=2, max_size=4, unique=True).map(tuple),
    Role.PRESERVED: st.lists(st.tuples(names, names), min_size=1, max_size=3, unique_by=lambda pair: pair[0]).map(
        tuple
    ),
    Role.COUNT: counts,
    Role.COORDINATE: st.integers(-(2**31), 2**31 - 1),
    **{role: st.sampled_from(each.elements) for role, each in ENUMERATIONS.items()},
}

any_directive: st.SearchStrategy[Directive] = st.one_of(
    st.builds(kind, *(_BY_ROLE.get(role, names) for _, role in form_of(kind).fields)) for kind in kinds().values()
)
any_schedule = st.builds(Schedule, st.lists(any_directive, max_size=6).map(tuple))


@st.composite
def fitting_schedules(draw: st.DrawFn) -> Schedule:
    """A schedule that fits `FUNCS`, as far as the names in it go."""
    nests = LoopNests(FUNCS)
    directives: list[Directive] = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from([kind for kind in kinds().values() if kind not in INSIDE]))
        stage = draw(st.sampled_from(sorted(nests.loops, key=str)))
        directive = _fitting(draw, nests, stage, kind, f"n{number}")
        if directive is not None:
            nests.advance(directive)
            directives.append(directive)
    for kind in draw(st.lists(st.sampled_from(INSIDE), max_size=3)):
        consumer = draw(st.sampled_from(sorted(nests.loops, key=str)))
        var = draw(st.sampled_from([OUTERMOST, *(loop.name for loop in nests.loops[consumer])]))
        directives.append(kind(Stage(draw(st.sampled_from(sorted(nests.args)))), consumer.func, var))
    return Schedule(tuple(directives))


def _fitting(draw: st.DrawFn, nests: LoopNests, stage: Stage, kind: type[Directive], new: str) -> Directive | None:
    loops = [loop.name for loop in nests.loops[stage]]
    rvars = [loop.name for loop in nests.loops[stage] if loop.rvar]
    args = list(nests.args[stage.func])
    form = form_of(kind)
    roles = {role for _, role in form.fields}
    on_func, dims = Role.FUNC in roles, roles & {Role.DIM, Role.DIMS}
    if (
        (on_func and stage.update is not None)
        or (roles & {Role.LOOP, Role.LOOPS} and not loops)
        or (dims and len(args) < 2)
        or (kind is Rfactor and not rvars)
        or (kind is Fuse and (len(loops) < 2 or len(rvars) not in (0, len(loops))))
    ):
        return None
    if kind is Split:
        old = draw(st.sampled_from(loops))
        return Split(
            stage,
            old,
            draw(st.sampled_from([old, new + "o"])),
            new,
            draw(st.integers(1, 64)),
            draw(_BY_ROLE[Role.TAIL]),
        )
    if kind is Rfactor:
        kept = draw(st.lists(st.sampled_from(rvars), min_size=1, unique=True))
        return Rfactor(stage, tuple((name, f"{new}{i}") for i, name in enumerate(kept)), "made" + new)
    if kind is Fuse:
        inner, outer = draw(st.permutations(loops))[:2]
        return kind(stage, inner, outer, draw(st.sampled_from([inner, outer, new])))
    values: dict[Role, st.SearchStrategy[Any]] = _BY_ROLE | {
        Role.LOOP: st.sampled_from(loops or [""]),
        Role.LOOPS: st.lists(st.sampled_from(loops or [""]), min_size=1, unique=True).map(tuple),
        Role.DIM: st.sampled_from(args or [""]),
        Role.DIMS: st.permutations(args).map(tuple),
    }
    return kind(stage, *(draw(values[role]) for _, role in form.arguments))


def to_text(schedule: Schedule) -> str:
    """A schedule, one directive per line."""
    return "".join(f"{directive_text(directive)};\n" for directive in schedule.directives)
