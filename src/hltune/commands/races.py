"""What fails in one measurement and not in the next: a schedule is not right because it was right once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from hltune.values.directives import Schedule
from hltune.values.errors import Failure

M = TypeVar("M")
LOOKS = 3
"""Measurements of each schedule."""
_KINDS = ("wrong output", "crash")
"""How races fail."""


class Looked(NamedTuple, Generic[M]):
    """What came of a schedule, and how others are to be measured; what people should know of it, or None."""

    outcome: M
    measure: Callable[[Schedule], M]
    note: str | None


def again_and_again(measure: Callable[[Schedule], M], schedule: Schedule, expected: object) -> Looked[M]:
    """Measures a schedule several times; if it fails as expected now and then only, so are others to be.

    Args:
        expected: what came of it before.
    """
    if not isinstance(expected, Failure) or expected.kind not in _KINDS:
        return Looked(measure(schedule), measure, None)
    kind = expected.kind

    def fails(found: M) -> bool:
        return isinstance(found, Failure) and found.kind == kind

    def until_it_fails(schedule: Schedule) -> M:
        found = measure(schedule)
        for _ in range(1, LOOKS):
            if isinstance(found, Failure) and (found.kind == kind or found.kind not in _KINDS):
                break  # so, or in a way that is no matter of chance
            found = measure(schedule)
        return found

    found = [measure(schedule) for _ in range(LOOKS)]
    failed = [each for each in found if fails(each)]
    if len(failed) in (0, LOOKS):
        return Looked(found[0], measure, None)
    how_often = f"it fails in {len(failed)} of {LOOKS} measurements, as races do"
    return Looked(failed[0], until_it_fails, f"{how_often}: each schedule is measured up to {LOOKS} times")
