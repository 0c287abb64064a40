"""Which change is predicted to help most against each fault of a schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hltune.lowered.account import Account
from hltune.search.case import Case
from hltune.search.fault import Fault
from hltune.search.faults import faults
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure

_HELPS = 1.03
"""How many times as fast a change has to be predicted to be, to be advised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A fault, and what came of the changes that address it.

    Attributes:
        change: the one that is predicted to help most; None if none is predicted to help.
        seconds: T0 of the changed schedule.
        untried: changes whose programs nobody had the time to read.
        measured: what it costs, side by side with the schedule; None if it was not measured.
    """

    fault: Fault
    change: Schedule | None = None
    seconds: float | None = None
    untried: int = 0
    measured: Measurement | None = None


def advise(case: Case, read: Callable[[Mapping[str, Schedule]], Mapping[str, Account | Failure]]) -> tuple[Advice, ...]:
    """What is wrong with a schedule, what can be changed to most advantage first.

    Args:
        read: reads the programs of schedules, those of them that it has the time for, by their keys.
    """
    found = faults(case)
    changes = {f"{number}.{at}": each for number, fault in enumerate(found) for at, each in enumerate(fault.changes)}
    known = read(changes)
    seconds = {key: each.seconds for key, each in known.items() if isinstance(each, Account) and case.is_told(each)}
    advice: list[Advice] = []
    for number, fault in enumerate(found):
        keys = [f"{number}.{at}" for at in range(len(fault.changes))]
        untried = sum(key not in known for key in keys)
        best = min((key for key in keys if key in seconds), key=seconds.__getitem__, default=None)
        if best is not None and seconds[best] * _HELPS <= case.account.seconds:
            advice.append(Advice(fault=fault, change=changes[best], seconds=seconds[best], untried=untried))
        elif not fault.price or untried:
            advice.append(Advice(fault=fault, untried=untried))
    return tuple(sorted(advice, key=lambda each: (each.change is None, each.seconds or 0.0)))
