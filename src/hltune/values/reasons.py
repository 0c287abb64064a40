"""Why schedules failed: alike failures counted as one reason."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hltune.values.errors import Failure
from hltune.values.limits import limit_flag, with_flag

_LONGEST = 160
_NUMBER = re.compile(r"(?<![A-Za-z0-9_])-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?%?(?![A-Za-z0-9_])")
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_INVENTED = re.compile(r"(?<=[A-Za-z])\$[0-9]+")
_NAMED = re.compile(r"\b(dimension|function|Func|variable) (?!is\b|of\b)[^\s,;:]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Failures that differ in nothing but numbers.

    Attributes:
        stage: the step that failed.
        message: one line, with N for every number.
        example: the message of one of them.
    """

    stage: str
    message: str
    count: int
    example: str

    def __str__(self) -> str:
        return f"{self.count} in {self.stage}: {self.message}"


def reasons(failures: Iterable[Failure]) -> tuple[Reason, ...]:
    """The reasons of failures, the commonest first."""
    return counted((each.stage, each.message, 1) for each in failures)


def counted(rows: Iterable[tuple[str, str, int]]) -> tuple[Reason, ...]:
    """The same of stages, messages, and how often each came."""
    counts: dict[tuple[str, str], int] = {}
    examples: dict[tuple[str, str], str] = {}
    for stage, message, count in rows:
        key = stage, with_flag(_general(message), limit_flag(stage, message))
        counts[key] = counts.get(key, 0) + count
        examples.setdefault(key, message)
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    return tuple(Reason(stage=key[0], message=key[1], count=counts[key], example=examples[key]) for key in ordered)


def _general(message: str) -> str:
    """A message without what differs from one schedule to the next."""
    text = " ".join(message.split())
    for pattern, mark in ((_ADDRESS, "N"), (_INVENTED, ""), (_NAMED, r"\1 ..."), (_NUMBER, "N")):
        text = pattern.sub(mark, text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
