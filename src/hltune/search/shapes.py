"""Loops and memory of one Func for another: of what belongs together, vectors should go along the same dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hltune.search.view import Directives, View
from hltune.values.directives import Directive, Fuse, Reorder, ReorderStorage, Split, Unroll, Vectorize
from hltune.values.roles import Stage


def like(view: View, donor: str, func: str) -> Directives:
    """The vectors of a Func for another one, what it unrolls, the order of its loops, and in memory.

    Only as far as both have the variables, and without tiles; nothing if no vectors come of it.
    """
    stage, args = Stage(func), view.nests.args[func]
    own = [each for each in view.directives if each.stage == Stage(donor)]
    roots = roots_of(view, Stage(donor))
    wanted = {each.var for each in own if isinstance(each, Vectorize | Unroll)}
    splits = [each for each in own if isinstance(each, Split) and each.inner in wanted and roots[each.inner] in args]
    known = {*args, *(each.inner for each in splits)}
    found: Directives = []
    for each in own:
        match each:
            case Split() if each in splits:
                var = roots[each.inner]
                found.append(replace(each, stage=stage, old=var, outer=var))
            case Vectorize() | Unroll() if each.var in known:
                found.append(replace(each, stage=stage))
            case Reorder() | ReorderStorage():
                names = dict.fromkeys(var if var in known else roots.get(var, var) for var in each.vars)
                if len(shared := tuple(var for var in names if var in known)) > 1:
                    found.append(replace(each, stage=stage, vars=shared))
            case _:
                pass
    return found if any(isinstance(each, Vectorize) for each in found) else []


def outermost(args: Sequence[str], shape: Sequence[Directive]) -> str:
    """The last of the variables that is a loop as it is, or else one that is not vectorised or unrolled as a whole."""
    whole = {each.var for each in shape if isinstance(each, Vectorize | Unroll)}
    split = {each.old for each in shape if isinstance(each, Split)}
    loops = [each for each in args if each not in whole]
    return next(iter(reversed([each for each in loops if each not in split] or loops or args)))


def roots_of(view: View, stage: Stage) -> dict[str, str]:
    """The variable of the algorithm that each loop of a stage comes from."""
    roots = {each: each for each in view.nests.args[stage.func]}
    for each in view.directives:
        if each.stage != stage:
            continue
        match each:
            case Split():
                root = roots.get(each.old, each.old)
                roots |= {each.outer: root, each.inner: root}
            case Fuse():
                roots[each.fused] = roots.get(each.inner, each.inner)
            case _:
                pass
    return roots
