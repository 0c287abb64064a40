"""Whose buffers and loops a lowered program is about, as schedules say it.

Halide writes ``blur$1`` where schedules write ``blur_1``. What an rfactor makes it calls ``f_intm``, whatever the
schedule calls it, and counts up from one program of a process to the next: ``f_intm$1``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from hltune.lowered.access import Access
from hltune.lowered.sites import Site, Walked
from hltune.pipeline.serialized import plain_name
from hltune.values.roles import Stage

_LOOP = re.compile(r"(?P<func>[^.]+)\.s(?P<stage>\d+)\.(?:fused\.)?(?:(?P<made_of>[^.]+)\.(?:.*\.)?)?(?P<var>[^.]+)")
"""Halide's names of loops, such as ``blur.s0.y.yi``, by compute_with ``blur.s0.fused.y``; stage 0 is the pure one."""
_REWRITTEN = re.compile(r"(?:\.\$n)*(?:\.rebased)?$")
"""What it adds to the name of a loop that a window slides along, and of one that it lets begin at 0."""


def as_scheduled(walked: Walked, funcs: Mapping[str, str]) -> Walked:
    """What a program does, its buffers and loops named after Funcs as the schedule calls these.

    Args:
        funcs: see `hltune.schedule.apply.Scheduled.called_otherwise`.
    """
    if not funcs:
        return walked
    return replace(
        walked,
        sites=tuple(_site(each, funcs) for each in walked.sites),
        allocations=tuple(replace(each, buffer=_renamed(each.buffer, funcs)) for each in walked.allocations),
    )


def func_of(buffer: str) -> str:
    """The Func whose values a buffer holds, as `FuncInfo` calls it; an element of a Tuple has a buffer of its own."""
    return plain_name(buffer.partition(".")[0])


def loop_of(name: str) -> tuple[Stage, str]:
    """Whose loop it is, and its name in the schedule, by the name that Halide gives it."""
    match = _parts(name)
    return (Stage(""), name) if match is None else (_stage(match), plain_name(match["var"]))


def dimension_of(name: str) -> str:
    """The variable of the algorithm that a loop was made of; of a fused one, the inner one."""
    match = _parts(name)
    return name if match is None else plain_name(match["made_of"] or match["var"])


def _site(site: Site, funcs: Mapping[str, str]) -> Site:
    return replace(
        site,
        store=_access(site.store, funcs),
        loads=tuple(_access(each, funcs) for each in site.loads),
        loops=tuple(replace(each, name=_renamed(each.name, funcs)) for each in site.loops),
    )


def _access(access: Access, funcs: Mapping[str, str]) -> Access:
    return replace(access, buffer=_renamed(access.buffer, funcs))


def _renamed(name: str, funcs: Mapping[str, str]) -> str:
    """The name of a buffer or a loop, which begins with that of a Func."""
    func, dot, rest = name.partition(".")
    return f"{funcs.get(func, func)}{dot}{rest}"


def _parts(name: str) -> re.Match[str] | None:
    return _LOOP.fullmatch(_REWRITTEN.sub("", name, count=1))


def _stage(match: re.Match[str]) -> Stage:
    number = int(match["stage"])
    return Stage(plain_name(match["func"]), number - 1 if number else None)
