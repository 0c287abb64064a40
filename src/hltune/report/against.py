"""How a schedule compares with another one: which is faster, and what only one of them says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hltune.commands.explain import Alone, Explained, Explanation, same_program, speedup_of, speedup_over
from hltune.report.documents import directives, failure
from hltune.report.edits import edits
from hltune.report.layout import CHANGED, Document
from hltune.report.speedups import UNSURE, speedup_fields
from hltune.schedule.text import directive_text
from hltune.values.cost import is_repaired
from hltune.values.errors import Failure

_SHOWN = 12
"""Directives that people see."""


def against(result: Explanation) -> Document | None:
    """The part of the document that is about two schedules; None if there is one.

    Of the same program nothing differs: its costs do by noise alone.
    """
    if len(result.schedules) != 2:
        return None
    one, other = result.schedules
    same = same_program(one, other)
    return {
        "name": one.name,
        "other": other.name,
        "same_program": same,
        **speedup_fields(None if same else speedup_over(one, other), other.name),
        "differences": [] if same else _differences(one, other),
        "alone": None if result.alone is None else [_alone(each, other) for each in result.alone],
        "not_alone": result.not_alone,
    }


def _alone(part: Alone, other: Explained) -> Document:
    """What a part of the difference brings to the other schedule."""
    changed = edits(other.schedule, part.schedule)
    return {
        "directives": [directive_text(each.directive) for each in changed if each.comes],
        "dropped": [directive_text(each.directive) for each in changed if not each.comes],
        **speedup_fields(speedup_of(part, other), other.name),
        "failure": failure(part.measured) if isinstance(part.measured, Failure) else None,
        "repaired": is_repaired(part.measured),
        "schedule": directives(part.schedule),
    }


def _differences(one: Explained, other: Explained) -> list[Document] | None:
    """What turns the other one into this one, stage by stage; None where directives do not say all of a schedule."""
    if one.schedule.base is not None or other.schedule.base is not None:
        return None
    return [
        {"schedule": one.name if each.comes else other.name, "directive": directive_text(each.directive)}
        for each in edits(other.schedule, one.schedule)
    ]


def headline(found: Document) -> str:
    """Which one is faster, and how sure that is, in a line; empty if they were not measured."""
    name, other = found["name"], found["other"]
    if found["same_program"]:
        return f"{name} and {other} are the same program"
    if found["measured_speedup"] is None:
        return ""
    return f"{name} is {_in_words(found['measured_text'])}"


def differing(found: Document) -> list[str]:
    """What only one of them says, under a heading, as long as people read on; empty if directives do not tell.

    Then what each part of it brings alone, if that was measured.
    """
    rows: Sequence[Document] = found["differences"] or ()
    return [*_listed(found, rows), *_parts(found)] if rows else []


def _parts(found: Document) -> Iterator[str]:
    alone: Sequence[Document] | None = found["alone"]
    if alone is not None and not alone:
        yield f"no part of it makes another program of {found['other']} alone"
    for number, each in enumerate(alone or ()):
        if number == 0:
            yield f"{found['other']} with one of these alone, measured side by side with {found['other']}"
        if each["failure"] is not None:
            said = f"fails: {each['failure']['message']}"
        elif each["measured_text"] is None:
            said = f"is not compared: {found['other']} failed beside it"
        else:
            said = f"is {_in_words(each['measured_text'])}"
        yield f"  {said}{f'; with it, the schedule {CHANGED}' if each['repaired'] else ''}"
        yield from (f"    - {text}" for text in each["dropped"])
        yield from (f"    + {text}" for text in each["directives"])
    if found["alone"] and found["not_alone"]:
        yield f"  parts that cannot be alone, or were not measured: {found['not_alone']}"


def _in_words(text: str) -> str:
    return f"in {text}" if text.startswith("a tie") else text


def _listed(found: Document, rows: Sequence[Document]) -> Iterator[str]:
    yield f"what only {found['name']} (+) or only {found['other']} (-) says"
    for row in rows[:_SHOWN]:
        yield f"  {'+' if row['schedule'] == found['name'] else '-'} {row['directive']}"
    if len(rows) > _SHOWN:
        yield f"  and {len(rows) - _SHOWN} more"


def caution(found: Document) -> list[str]:
    """What has to be said of times of single Funcs, where it is not sure that the whole differs."""
    if found["tie"] is None:
        return [f"{UNSURE}: what differs here may be noise"]
    return ["the whole is a tie: what differs here may be noise"] * found["tie"]
