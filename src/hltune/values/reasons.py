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
        message: one line, with N for every number: what they have in common, and no text for people.
        example: the message of the newest of them.
        schedule_hash: of the schedule that failed so last; None if nobody knows.
    """

    stage: str
    message: str
    count: int
    example: str
    schedule_hash: str | None = None

    @property
    def text(self) -> str:
        """The newest message as people see it: one line, with the flag of the limit that was reached."""
        return with_flag(_line(self.example), limit_flag(self.stage, self.example))

    @property
    def heading(self) -> str:
        """What people see before it."""
        return f"{self.count} in {self.stage}{', the newest' if self.count > 1 else ''}"

    def __str__(self) -> str:
        return f"{self.heading}: {_short(self.text)}"


def reasons(failures: Iterable[Failure]) -> tuple[Reason, ...]:
    """The reasons of failures, the commonest first; of the failures themselves the newest is the last one."""
    return counted((each.stage, each.message, 1, None) for each in reversed([*failures]))


def counted(rows: Iterable[tuple[str, str, int, str | None]]) -> tuple[Reason, ...]:
    """The same of stages, messages, how often each came, and the hash of a schedule that failed so, newest first."""
    counts: dict[tuple[str, str], int] = {}
    examples: dict[tuple[str, str], tuple[str, str | None]] = {}
    for stage, message, count, schedule_hash in rows:
        key = stage, with_flag(_general(message), limit_flag(stage, message))
        counts[key] = counts.get(key, 0) + count
        examples.setdefault(key, (message, schedule_hash))
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    return tuple(_reason(*key, counts[key], *examples[key]) for key in ordered)


def _reason(stage: str, message: str, count: int, example: str, schedule_hash: str | None) -> Reason:
    return Reason(stage=stage, message=message, count=count, example=example, schedule_hash=schedule_hash)


def _general(message: str) -> str:
    """A message without what differs from one schedule to the next."""
    text = _line(message)
    for pattern, mark in ((_ADDRESS, "N"), (_INVENTED, ""), (_NAMED, r"\1 ..."), (_NUMBER, "N")):
        text = pattern.sub(mark, text)
    return _short(text)


def _line(message: str) -> str:
    return " ".join(message.split())


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
