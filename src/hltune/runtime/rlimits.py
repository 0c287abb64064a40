"""Limits of the system on one process; whatever others have set before stays the upper bound."""

from __future__ import annotations

import math
import resource


def limit(which: int, soft: int, hard: int | None = None) -> None:
    """Lowers a limit of this process: who may not raise it, as in a batch system, keeps the one that it has.

    Args:
        which: one of ``resource.RLIMIT_...``.
        hard: the limit on later changes; None for that of before.
    """
    _, given = resource.getrlimit(which)
    resource.setrlimit(which, (_within(soft, given), given if hard is None else _within(hard, given)))


def given_bytes() -> float:
    """Bytes that a process may allocate at most, as a shell or a batch system has it; infinite without a limit."""
    limits = (resource.getrlimit(resource.RLIMIT_DATA)[1], resource.getrlimit(resource.RLIMIT_AS)[0])
    return min((each for each in limits if each != resource.RLIM_INFINITY), default=math.inf)


def _within(wanted: int, given: int) -> int:
    return wanted if given == resource.RLIM_INFINITY else min(wanted, given)
