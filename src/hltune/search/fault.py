"""Something that costs time in a schedule, and what may be done about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from hltune.values.directives import Schedule
from hltune.values.roles import Stage

Remedy = Callable[[], Iterator[Schedule]]
"""Makes schedules without a fault, perhaps."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that costs time.

    Attributes:
        kind: its name in `KINDS`.
        stage: whose.
        seconds: of T0, that it is about.
        text: what is wrong, to be read after the name of the stage.
        remedy: makes its `changes`.
        price: it may be worth it, and is one only if a change is predicted to help.
        others: how many other stages have a fault of this kind that the seconds are about as well.
    """

    kind: str
    stage: Stage
    seconds: float
    text: str
    remedy: Remedy = field(repr=False, compare=False)
    price: bool = False
    others: int = 0

    @cached_property
    def changes(self) -> tuple[Schedule, ...]:
        """Schedules without it, perhaps. They take time to make, and of many a fault nobody wants to know them."""
        return tuple(self.remedy())
