"""What is wrong with a schedule, as far as its lowered program tells, and which changes address it.

Each kind of fault is a function from a `Case` to `Fault`s, and a line of the table `KINDS`. How much of the time a
fault is about decides whether it is said; whether a change helps, only lowering or measuring it can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from hltune.lowered import operations
from hltune.lowered.account import Body
from hltune.lowered.features import idle_share
from hltune.search import heap_faults, remedies
from hltune.search.case import Case
from hltune.search.fault import Fault, Remedy
from hltune.values.directives import ComputeRoot, Schedule
from hltune.values.roles import Stage

_RECOMPUTED = 1.25
_ROUNDED = 2.0
"""Points computed for each that is needed."""
_REPEATS = 2.0
"""How often each point of an inlined Func is computed."""
_SCATTERED = 0.3
"""Share of a body's time that goes into lanes accessed one by one."""
_LANE_BY_LANE = "loads or stores its vectors lane by lane"
_WALKING, _CHAINED = 0.3, 0.3
"""Share of a stage's time that goes into finding pages, and into waiting for the sum before."""
_SIDE_BY_SIDE, _TOGETHER = (4, 8), (16, 64)
"""Sums that do not wait for each other, and elements of a line of the cache, or a few."""
_IDLE = 0.2
"""Share of the cores' time that waits."""


def faults(case: Case) -> list[Fault]:
    """All that are found, those that are about most of the time first."""
    found = [fault for kind in KINDS.values() for fault in _that_matter(case, [*kind(case)])]
    return sorted(found, key=lambda each: -each.seconds)


def _that_matter(case: Case, alike: Sequence[Fault]) -> Iterator[Fault]:
    """Faults of one kind, those of many stages that take little time each as one of the worst of them."""
    yield from (each for each in alike if case.matters(each.seconds))
    small = [each for each in alike if not case.matters(each.seconds) and not each.price]
    together_s = sum(each.seconds for each in small)
    if len(small) > 1 and case.matters(together_s) and small[0].kind != "memory":  # where two Funcs share each second
        worst = max(small, key=lambda each: each.seconds)
        yield replace(worst, seconds=together_s, others=len(small) - 1)


def _scalar(case: Case) -> Iterator[Fault]:
    for stage, bodies in case.stages.items():
        plain = [each for each in bodies if not each.vector]
        seconds = sum(each.seconds for each in plain)
        if plain and seconds >= 0.5 * sum(each.seconds for each in bodies):
            why = ": vectorise it"
            if _only_scatters(case, plain):
                why = ", for it scatters: data decides where it stores, and vectors store so lane by lane as well"
            yield Fault(
                kind="scalar",
                stage=stage,
                seconds=seconds,
                text=f"computes one element at a time{why}",
                remedy=partial(remedies.vectorised, case.patient, stage, plain[0].element_bytes),
            )


def _only_scatters(case: Case, bodies: Sequence[Body]) -> bool:
    """Data decides where these store, in each of their loops: no loop goes along a dimension."""
    loops = case.patient.view.nests.loops.get(bodies[0].stage, ())
    return all(each.scatters for each in bodies) and all(each.rvar for each in loops)


def _recomputed(case: Case) -> Iterator[Fault]:
    for stage, bodies, root in _beside_root(case):
        needed, points = (sum(each.features["points"] for each in some) for some in (root, bodies))
        if stage.func in case.patient.view.outputs or not needed or points < _RECOMPUTED * needed:
            continue
        place = case.patient.place(stage.func)
        if isinstance(place, ComputeRoot):  # loops that are rounded up
            continue
        if place is None:  # an update that no directive places is computed in the innermost loop of its consumer
            remedy = partial(remedies.computed, case.patient, stage.func, bodies[0].element_bytes)
        else:
            remedy = partial(remedies.further_out, case.patient, stage.func)
        yield Fault(
            kind="recomputed",
            stage=stage,
            seconds=sum(each.seconds for each in bodies) * (1.0 - needed / points),
            text=f"computes each point {points / needed:.1f} times: compute it further out, or let it slide",
            remedy=remedy,
        )


def _rounded(case: Case) -> Iterator[Fault]:
    for stage, bodies, times in _rounded_up(case):
        yield Fault(
            kind="rounded",
            stage=stage,
            seconds=sum(each.seconds for each in bodies) * (1.0 - 1.0 / times),
            text=f"computes {times:.1f} elements for each that is needed, for its vectors, or splits, are"
            " wider than what they go along: vectorise by fewer lanes, or along a longer dimension",
            remedy=partial(remedies.revectorised, case.patient, stage, bodies[0].element_bytes),
        )


def _rounded_up(case: Case) -> Iterator[tuple[Stage, list[Body], float]]:
    """Stages that are computed once, in full, and how many points of each for one that is needed.

    More than one are those of loops that are rounded up.
    """
    for stage, bodies, root in _beside_root(case):
        needed, points = (sum(each.features["points"] for each in some) for some in (root, bodies))
        once = stage.func in case.patient.view.outputs or isinstance(case.patient.place(stage.func), ComputeRoot)
        if once and needed and points >= _ROUNDED * needed and any(each.vector for each in bodies):
            yield stage, bodies, points / needed


def _beside_root(case: Case) -> Iterator[tuple[Stage, list[Body], list[Body]]]:
    """The bodies of each stage, and those of the program that computes every Func once.

    Of what is unrolled and vectorised as a whole, no loop is left that tells stages apart: such a Func is one.
    """
    for func in dict.fromkeys(stage.func for stage in case.stages):
        bodies, root = case.account.of(func), case.root.of(func)
        stages = dict.fromkeys(each.stage for each in bodies)
        if stages.keys() != {each.stage for each in root}:
            yield Stage(func), bodies, root
            continue
        for stage in stages:
            yield stage, case.stages[stage], [each for each in root if each.stage == stage]


def _inlined(case: Case) -> Iterator[Fault]:
    for func in case.spec.funcs:
        bodies, repeats = case.root.of(func.name), case.repeats[func.name]
        if func.name in case.funcs or repeats < _REPEATS or not any(map(_computes, bodies)):
            continue
        yield Fault(
            kind="inlined",
            stage=Stage(func.name),
            seconds=case.computing[func.name] * (1.0 - 1.0 / repeats),
            text=f"is inlined where each of its values is needed {repeats:.0f} times: compute it once",
            remedy=partial(remedies.computed, case.patient, func.name, bodies[0].element_bytes),
            price=True,
        )


def _computes(body: Body) -> bool:
    """It does more than to copy: what finds an address is not counted, unless data decides it."""
    return any(body.features[name] for name in operations.NAMES)


def _scattered(case: Case) -> Iterator[Fault]:
    rounded = {stage for stage, _, _ in _rounded_up(case)}  # most of whose lanes are of no use, wherever they lie
    for stage, bodies in case.stages.items():
        if stage in rounded:
            continue
        slow = [each for each in bodies if each.vector and each.terms["scattered"] >= _SCATTERED * each.seconds]
        if not slow:
            continue
        told = _unclamped if all(each.clamped for each in slow) else _dense
        if all(each.by_data for each in slow):
            told = _by_data
        text, remedy = told(case, stage, slow)
        yield Fault(
            kind="scattered",
            stage=stage,
            seconds=sum(each.terms["scattered"] for each in slow),
            text=text,
            remedy=remedy,
        )


def _dense(case: Case, stage: Stage, slow: Sequence[Body]) -> tuple[str, Remedy]:
    tables = _tables(slow)
    but = f", though {tables} will be loaded so in any case, for data decides where" if tables else ""
    return f"{_LANE_BY_LANE}: vectorise along what is dense in memory{but}", partial(_along_memory, case, stage, slow)


def _along_memory(case: Case, stage: Stage, slow: Sequence[Body]) -> Iterator[Schedule]:
    """Vectors of another dimension, or another one innermost in memory."""
    yield from remedies.revectorised(case.patient, stage, slow[0].element_bytes)
    for func in sorted(case.funcs & {stage.func}.union(*(each.reads for each in slow))):
        yield from remedies.stored_otherwise(case.patient, func)


def _tables(slow: Sequence[Body]) -> str:
    """What is loaded from where data decides."""
    return " and ".join(sorted({func for each in slow for func in each.gathered}))


def _by_data(case: Case, stage: Stage, slow: Sequence[Body]) -> tuple[str, Remedy]:
    """No order of loops, or in memory, brings lanes side by side."""
    remedy = partial(remedies.revectorised, case.patient, stage, slow[0].element_bytes)
    if tables := _tables(slow):
        text = f"gathers from {tables}: data decides where each lane loads"
        return f"{text}. A smaller table, or one of narrower elements, may help", remedy
    return "scatters its vectors lane by lane: data decides where each lane stores", remedy


def _unclamped(case: Case, stage: Stage, slow: Sequence[Body]) -> tuple[str, Remedy]:
    """Lanes are side by side but for the ends of loops."""
    text = ", for each lane's index is clamped: leave that to the ends of the loops, or to a buffer with a border"
    return f"{_LANE_BY_LANE}{text}", partial(_with_ends_apart, case, stage, slow)


def _with_ends_apart(case: Case, stage: Stage, slow: Sequence[Body]) -> Iterator[Schedule]:
    """The ends of loops get code of their own, or what is loaded there a Func of its own."""
    around = {stage, *(level.stage for each in slow for level in each.levels)}
    yield from remedies.partitioned(case.patient, around)
    for func in case.spec.funcs:
        bodies = case.root.of(func.name)
        inlined = func.name not in case.funcs and stage.func in case.patient.placed_consumers(func.name)
        if inlined and bodies and not any(map(_computes, bodies)):
            yield from remedies.computed(case.patient, func.name, bodies[0].element_bytes)


def _pages(case: Case) -> Iterator[Fault]:
    if case.counted:
        return iter(())
    text = (
        "goes from page to page of memory, as down a column, and comes back to each for the next element: "
        "take several from each while there"
    )
    return _waiting(case, "pages", "pages", _WALKING, text, _TOGETHER, unrolled=False)


def _chained(case: Case) -> Iterator[Fault]:
    text = "combines step by step, and each step waits for the one before: keep several results side by side, unrolled"
    return _waiting(case, "chained", "chains", _CHAINED, text, _SIDE_BY_SIDE, unrolled=True)


def _waiting(
    case: Case, kind: str, term: str, share: float, text: str, factors: Sequence[int], *, unrolled: bool
) -> Iterator[Fault]:
    """Of stages in which a term of T0 has so large a share, which a part of an outer loop brought inside may lower.

    Of all bodies of a stage together: what the edges of an image spend, whose loops are others, says little alone.
    """
    for stage, bodies in case.stages.items():
        seconds = sum(each.terms[term] for each in bodies)
        if seconds and seconds >= share * sum(each.seconds for each in bodies):
            yield Fault(
                kind=kind,
                stage=stage,
                seconds=seconds,
                text=text,
                remedy=partial(remedies.brought_inside, case.patient, stage, factors, unrolled=unrolled),
            )


def _idle(case: Case) -> Iterator[Fault]:
    for stage, bodies in case.stages.items():
        body = min(bodies, key=_tasks)
        tasks = _tasks(body)
        idle = idle_share(tasks, case.cores)
        if case.cores == 1 or idle < _IDLE:
            continue
        text = "runs on one thread" if tasks <= 1.0 else f"has {tasks:.0f} tasks for {case.cores} threads"
        yield Fault(
            kind="idle",
            stage=stage,
            seconds=sum(each.seconds for each in bodies) * idle,
            text=f"{text}{_in_more_parts(case, bodies)}",
            remedy=partial(remedies.parallel, case.patient, _outermost(body)),
        )


def _in_more_parts(case: Case, bodies: Sequence[Body]) -> str:
    """How a stage gets more tasks: threads that scatter would store to the same places at once."""
    stage = bodies[0].stage
    if not _only_scatters(case, bodies) or not (loops := case.patient.view.nests.loops.get(stage, ())):
        return ": parallelise it in more parts"
    over = loops[-1].name
    return f", and it scatters: rfactor it over {over} for the threads, or atomic() and parallel({over})"


def _tasks(body: Body) -> float:
    return body.features["tasks"] * body.features["inner_parallel"]


def _outermost(body: Body) -> Stage:
    """The stage with the outermost of the loops around a body."""
    return body.levels[0].stage if body.levels else body.stage


def _launches(case: Case) -> Iterator[Fault]:
    for stage, bodies in case.stages.items():
        body = max(bodies, key=_entries)
        if (entries := _entries(body)) <= 1.0:
            continue
        yield Fault(
            kind="launches",
            stage=stage,
            seconds=case.account.terms["launches"] * min(1.0, entries / max(1.0, case.account.launches)),
            text=f"starts its threads {entries:,.0f} times: parallelise a loop further out",
            remedy=partial(remedies.fewer_launches, case.patient, stage, _outermost(body)),
        )


def _entries(body: Body) -> float:
    """How often the loops of a body's own stage are given to the threads."""
    parallel = [level for level in body.levels if level.kind == "parallel" and level.stage == body.stage]
    return max((level.entries for level in parallel), default=0.0)


KINDS: dict[str, Callable[[Case], Iterator[Fault]]] = {
    "scalar": _scalar,
    "recomputed": _recomputed,
    "rounded": _rounded,
    "inlined": _inlined,
    "scattered": _scattered,
    "pages": _pages,
    "chained": _chained,
    "idle": _idle,
    "memory": heap_faults.memory,
    "faults": heap_faults.page_faults,
    "allocations": heap_faults.allocations,
    "launches": _launches,
}
"""All kinds of faults, by name."""
