"""How a schedule compares with another one: which is faster, and what only one of them says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hltune.commands.explain import Explained, Explanation, same_program, speedup_over
from hltune.report.edits import edits
from hltune.report.layout import Document
from hltune.report.speedups import UNSURE, speedup_fields
from hltune.schedule.text import directive_text

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
    text: str = found["measured_text"]
    return f"{name} is {'in ' if text.startswith('a tie') else ''}{text}"


def differing(found: Document) -> list[str]:
    """What only one of them says, under a heading, as long as people read on; empty if directives do not tell."""
    rows: Sequence[Document] = found["differences"] or ()
    return list(_listed(found, rows)) if rows else []


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
