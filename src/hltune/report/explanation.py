"""The JSON document of `hltune explain`, from which the terminal's text is made as well."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from operator import attrgetter
from typing import Any

from hltune.commands.explain import Explained, Explanation, measured_speedup, predicted_speedup
from hltune.lowered.account import Account, Body, Level
from hltune.lowered.estimate import OF_THE_WHOLE
from hltune.machine.bandwidth import bound_of
from hltune.report.against import against
from hltune.report.documents import cost, directives, failure, verification
from hltune.report.edits import edits
from hltune.report.layout import Document
from hltune.report.speedups import speedup_fields
from hltune.schedule.text import directive_text
from hltune.search.advice import Advice
from hltune.search.case import cache_of
from hltune.values.cost import Cost, Measurement, is_repaired
from hltune.values.errors import Failure
from hltune.values.profile import Part, Profile
from hltune.values.unit import Unit
from hltune.workspace.subject import Subject

VERSION = 8
_DISAGREE = 2.0
"""How many times as large one share is as the other, where measured and predicted are said to disagree."""
_WHOLE = "tasks, heap, page faults"
"""What T0 says of the whole program, in the table of its Funcs."""
_LEAST = 0.05
"""Shares that are smaller are noise."""


def explained(result: Explanation) -> Document:
    """Result of `hltune explain`."""
    schedules = [_explained(each, result) for each in result.schedules]
    if len(schedules) == 2 and all(each["loops"] for each in schedules):
        _mark_differences(*(each["loops"] for each in schedules))
    return {
        "version": VERSION,
        "pipeline": result.subject.spec.name,
        "target": result.subject.target.name,
        "machine": {"cpu": result.machine.cpu, "threads": result.machine.threads},
        "caches": list(result.caches),
        "against": against(result),
        "schedules": schedules,
        "also": list(result.also),
        "same_program": list(result.same_program),
        "others": [{"name": name, **_measurement(each, result.machine.unit)} for name, each in result.others.items()],
        "limit": result.machine.unit.from_seconds(bound_of(result.bandwidth_bound, result.subject.spec)),
        "verification": verification(result.verification),
    }


def _measurement(each: Measurement, unit: Unit) -> Document:
    measured = each if isinstance(each, Cost) else None
    failed = failure(each) if isinstance(each, Failure) else None
    return {**cost(measured, unit), "repaired": is_repaired(each), "failure": failed}


def _explained(each: Explained, result: Explanation) -> Document:
    measured = each.measured if isinstance(each.measured, Cost) else None
    account = each.account if isinstance(each.account, Account) else None
    profile = each.profile if isinstance(each.profile, Profile) else None
    unread = each.account if account is None else result.root
    return {
        "name": each.name,
        **cost(measured, result.machine.unit),
        "verified": measured is not None,
        "repaired": is_repaired(measured),
        "predicted_ms": account and 1e3 * account.seconds,
        "terms_ms": account and {name: 1e3 * seconds for name, seconds in account.terms.items()},
        "profile": profile and _profile(profile, measured, result.machine.unit),
        "failures": [failure(found) for found in (each.profile, each.beside, unread) if isinstance(found, Failure)],
        "funcs": _funcs(result, account, profile, measured),
        "together": [] if account is None else _together(account),
        "loops": [] if account is None else _loops(account),
        "not_looked_for": _not_looked_for(each, result),
        "advice": None if each.advice is None else [_advice(advice, each, profile) for advice in each.advice],
        "schedule": directives(each.schedule),
    }


def _not_looked_for(each: Explained, result: Explanation) -> str | None:
    """Why nobody looked for what limits a schedule; None if somebody did, or nobody was to look."""
    if each.advice is not None or each is not result.schedules[0]:
        return None
    reasons: list[str] = []
    if each.schedule.base is not None:
        reasons.append(f"directives cannot say {_unsaid(result.subject)}")
    if isinstance(each.account, Failure):
        reasons.append("its program could not be read")
    elif isinstance(result.root, Failure):
        reasons.append("the program of every Func at root, with which it is compared, could not be read")
    return ": ".join(("what limits it was not looked for", *filter(None, ["; ".join(reasons)])))


def _unsaid(subject: Subject) -> str:
    """What directives leave out of the author's schedule."""
    recovered = subject.recovered
    if recovered is None or not recovered.lost:
        return "all of this schedule" + (f" ({recovered.reason})" if recovered and recovered.reason else "")
    return f"all of this schedule, which has {', '.join(recovered.lost)}"


def _profile(profile: Profile, measured: Cost | None, unit: Unit) -> Document:
    return {
        "cost": unit.from_seconds(profile.seconds),
        "counted": profile.counted,
        "overhead": None if measured is None else profile.seconds / statistics.median(measured.repeats) - 1.0,
        "runs": profile.runs,
        "samples": profile.samples,
        "threads": profile.threads,
        "heap_peak_bytes": profile.heap_peak_bytes,
        "allocations": profile.allocations,
    }


def _funcs(
    result: Explanation, account: Account | None, profile: Profile | None, measured: Cost | None
) -> list[Document]:
    """Each Func that has loops, then what is no Func; by the time that they take."""
    bodies = {} if account is None else {body.stage.func: account.of(body.stage.func) for body in account.bodies}
    seen: dict[str, Document] = {}
    if profile is not None:
        unit = result.machine.unit
        seen = {part.name: _measured(part, profile, measured, unit) for part in profile.parts}
    said = {} if account is None else {name: _predicted(each, account) for name, each in bodies.items()}
    disagreeing = _disagreeing(seen, said)
    rows: list[Document] = []
    for name in dict.fromkeys((*bodies, *seen)):
        both = {"measured": seen.get(name), "predicted": said.get(name)}
        rows.append(
            {"name": name, **both, "disagree": name in disagreeing, **_work(name, bodies.get(name, ()), result)}
        )
    if account is not None and (whole := _whole(account))["share"] > 0:
        rows.append({"name": _WHOLE, "measured": None, "predicted": whole, "disagree": False})
    return sorted(rows, key=lambda row: -_share(row["measured"] if profile else row["predicted"]))


def _measured(part: Part, profile: Profile, measured: Cost | None, unit: Unit) -> Document:
    share = profile.share(part)
    return {
        "share": share,
        "cost": unit.from_seconds(share * (profile.seconds if measured is None else measured.value)),
        "threads": part.threads,
        "heap_peak_bytes": part.heap_peak_bytes,
        "allocations": part.allocations,
        "stack_bytes": part.stack_bytes,
    }


def _predicted(bodies: Sequence[Body], account: Account) -> Document:
    seconds = sum(each.seconds for each in bodies)
    terms = {name: 1e3 * sum(each.terms[name] for each in bodies) for name in bodies[0].terms}
    return {"share": seconds / account.seconds, "ms": 1e3 * seconds, "terms_ms": terms}


def _work(name: str, bodies: Sequence[Body], result: Explanation) -> Document:
    """What a Func computes, beside what is needed, and how: as the body does that takes most of its time."""
    if not bodies:
        return {}
    main = max(bodies, key=lambda each: each.seconds)
    points = sum(each.features["points"] for each in bodies)
    needed = sum(each.features["points"] for each in result.root.of(name)) if isinstance(result.root, Account) else 0.0
    vector = sum(each.seconds for each in bodies if each.vector)
    total = sum(each.seconds for each in bodies) or 1.0
    working = max(_working_bytes(each) for each in bodies)
    return {
        "points": points,
        "needed": needed or None,
        "recompute": points / needed if needed else None,
        "lanes": main.lanes,
        "vector_share": vector / total,
        "scattered_share": sum(each.terms["scattered"] for each in bodies) / total,
        "guarded_share": 1.0 - min(each.features["guarded"] for each in bodies),
        "tasks": main.features["tasks"],
        "working_set_bytes": working,
        "fits": (cache_of(working, result.caches) or "memory") if result.caches else None,
    }


def _working_bytes(body: Body) -> float:
    """What computing a Func once touches, wherever it is computed; of one at root, an iteration of its outer loop."""
    around = [level for level in body.levels if level.stage.func != body.stage.func]
    level = around[-1] if around else next(iter(body.levels), None)
    return body.run_bytes if level is None else level.touched


def _whole(account: Account) -> Document:
    """What T0 says of no Func: that tasks begin, and that buffers are taken from the heap, and their pages."""
    terms = {name: 1e3 * account.terms[name] for name in OF_THE_WHOLE}
    milliseconds = sum(terms.values())
    share = milliseconds / (1e3 * account.seconds) if account.seconds else 0.0
    return {"share": share, "ms": milliseconds, "terms_ms": terms}


def _disagreeing(measured: Mapping[str, Document], predicted: Mapping[str, Document]) -> set[str]:
    """Funcs whose shares of the time that all of these take differ too much: what is of no Func is told otherwise."""
    pairs = {name: (seen, predicted[name]) for name, seen in measured.items() if name in predicted}
    totals = [sum(each["share"] for each in some) or 1.0 for some in zip(*pairs.values(), strict=True)]
    found: set[str] = set()
    for name, pair in pairs.items():
        low, high = sorted(each["share"] / total for each, total in zip(pair, totals, strict=True))
        if high >= _LEAST and high > _DISAGREE * low:
            found.add(name)
    return found


def _share(found: Document | None) -> float:
    return 0.0 if found is None else found["share"]


def _together(account: Account) -> list[list[str]]:
    """Funcs that have loops in common though what these loops are of does not need the others: by compute_with."""
    loaded: dict[str, set[str]] = {}
    for body in account.bodies:
        loaded.setdefault(body.stage.func, set()).update(body.reads)
    found: dict[str, dict[str, None]] = {}
    for body in account.bodies:
        func = body.stage.func
        for other in {level.stage.func for level in body.levels} - {func}:
            if func not in _needed(other, loaded):
                found.setdefault(other, {other: None})[func] = None
    return [[*each] for each in found.values()]


def _needed(func: str, loaded: Mapping[str, Collection[str]]) -> set[str]:
    """What a Func reads, and what that reads in turn."""
    waiting, found = [func], set[str]()
    while waiting:
        new = {*loaded.get(waiting.pop(), ())} - found
        found |= new
        waiting += new
    return found


def _loops(account: Account) -> list[Document]:
    """The loop nest of the lowered program, a line for each loop and each body, with what is inside of it."""
    return [*_nest([(body.levels, body) for body in account.bodies], account, 0)]


def _nest(bodies: Sequence[tuple[Sequence[Level], Body]], account: Account, depth: int) -> Iterator[Document]:
    groups: list[tuple[Level | None, list[tuple[Sequence[Level], Body]]]] = []
    for levels, body in bodies:
        level = levels[0] if levels else None
        same = groups and level is not None and groups[-1][0] is not None and _is_same(groups[-1][0], level)
        if not same:
            groups.append((level, []))
        groups[-1][1].append((levels[1:], body))
    for level, inside in groups:
        share = sum(body.seconds for _, body in inside) / (account.seconds or 1.0)
        if level is None:
            yield from (_leaf(body, depth, share) for _, body in inside)
            continue
        yield {
            "depth": depth,
            "kind": level.kind,
            "func": level.stage.func,
            "loop": level.var,
            "dimension": level.dimension,
            "iterations": level.extent,
            "touched_bytes": sum(body.levels[depth].touched for _, body in inside),
            "share": share,
        }
        yield from _nest(inside, account, depth + 1)


def _mark_differences(one: list[Document], other: list[Document]) -> None:
    """Loops and stores that the other program does not have in this place become those that differ."""
    matcher = SequenceMatcher(None, [_loop_key(row) for row in one], [_loop_key(row) for row in other], autojunk=False)
    for rows in (one, other):
        for row in rows:
            row["differs"] = True
    for block in matcher.get_matching_blocks():
        for row in (*one[block.a : block.a + block.size], *other[block.b : block.b + block.size]):
            row["differs"] = False


def _loop_key(row: Document) -> tuple[Any, ...]:
    """Not the name: each schedule calls its loops as it likes. What they are made of is the algorithm's."""
    return tuple(row.get(name) for name in ("depth", "kind", "func", "dimension", "iterations", "lanes"))


def _is_same(one: Level, other: Level) -> bool:
    """The same loop, whatever different bodies touch in it."""
    what = attrgetter("stage", "var", "kind", "extent", "entries")
    return what(one) == what(other)


def _leaf(body: Body, depth: int, share: float) -> Document:
    return {
        "depth": depth,
        "kind": "store",
        "func": str(body.stage),
        "lanes": body.lanes,
        "touched_bytes": body.run_bytes,
        "share": share,
    }


def _advice(advice: Advice, each: Explained, profile: Profile | None) -> Document:
    fault = advice.fault
    account = each.account if isinstance(each.account, Account) else None
    share = fault.seconds / account.seconds if account else None
    measured = measured_speedup(each, advice)
    sure = measured if measured is not None and measured.sure else None
    changed = [] if advice.change is None else edits(each.schedule, advice.change)
    return {
        "kind": fault.kind,
        "stage": str(fault.stage),
        "text": fault.text,
        "share": share,
        "measured_share": None if fault.others else _measured_share(fault.stage.func, profile),
        "others": fault.others,
        "changes": len(fault.changes),
        "directives": [directive_text(edit.directive) for edit in changed if edit.comes],
        "dropped": [directive_text(edit.directive) for edit in changed if not edit.comes],
        "predicted_speedup": predicted_speedup(each, advice),
        "untried": advice.untried,
        **speedup_fields(measured),
        "helps": sure and sure.faster,
        "repaired": is_repaired(advice.measured),
        "left_out": each.beside is not None and advice.change is not None and advice.measured is None,
        "failure": failure(advice.measured) if isinstance(advice.measured, Failure) else None,
        "schedule": advice.change and directives(advice.change),
    }


def _measured_share(func: str, profile: Profile | None) -> float | None:
    if profile is None:
        return None
    return next((profile.share(part) for part in profile.parts if part.name == func), None)
