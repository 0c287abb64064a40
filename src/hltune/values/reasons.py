"""Why schedules failed: alike failures counted as one reason."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hltune.values.errors import Failure
from hltune.values.limits import limit_flag, timeout_flag, with_flag

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
        schedule_hash: of the newest schedule that failed so, and does so to this day if there is one; None if nobody
            knows.
        otherwise_since: something else has come of that schedule since.
    """

    stage: str
    message: str
    count: int
    example: str
    schedule_hash: str | None = None
    otherwise_since: bool = False

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


Failed = tuple[str, str, int, str | None, bool]
"""A stage, a message, how often it came, the hash of a schedule that failed so, and `Reason.otherwise_since`."""


def reasons(failures: Iterable[Failure]) -> tuple[Reason, ...]:
    """The reasons of failures, the commonest first; of the failures themselves the newest is the last one."""
    return counted((each.stage, each.message, 1, None, False) for each in reversed([*failures]))


def limits_to_raise(failures: Iterable[Failure]) -> str | None:
    """For people: the flags of limits that were reached, or for the sake of which something was skipped."""
    late = (each.flag or (timeout_flag(each.stage) if each.kind == "timeout" else None) for each in failures)
    flags = sorted({flag for flag in late if flag is not None})
    return f"raise the limit that was reached: {' or '.join(flags)}" if flags else None


def counted(rows: Iterable[Failed]) -> tuple[Reason, ...]:
    """The same of what was counted by messages, the newest first."""
    groups: dict[tuple[str, str], list[Failed]] = {}
    for row in rows:
        stage, message, *_ = row
        groups.setdefault((stage, with_flag(_general(message), limit_flag(stage, message))), []).append(row)
    found = (_reason(message, group) for (_, message), group in groups.items())
    return tuple(sorted(found, key=lambda each: (-each.count, each.stage, each.message)))


def _reason(message: str, rows: Sequence[Failed]) -> Reason:
    stage, example, *_ = rows[0]
    *_, schedule_hash, otherwise_since = min(rows, key=lambda row: (row[3] is None, row[4]))
    return Reason(
        stage=stage,
        message=message,
        count=sum(count for _, _, count, *_ in rows),
        example=example,
        schedule_hash=schedule_hash,
        otherwise_since=otherwise_since,
    )


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
