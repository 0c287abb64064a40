"""How much faster one schedule is than another, for people and for scripts."""

from __future__ import annotations

from hltune.machine.speedup import Speedup
from hltune.report.layout import Document

_WIDE = 1.3
"""How many times its lower end the upper end of an interval is where no number in between is worth saying."""
UNSURE = "in too few turns to be sure"


def speedup_fields(found: Speedup | None, other: str = "") -> Document:
    """What documents say of it; the interval and the tie are None where it is not sure.

    Args:
        other: see `speedup_text`.
    """
    sure = found if found is not None and found.sure else None
    return {
        "measured_speedup": found and found.value,
        "measured_interval": sure and sure.interval and [*sure.interval],
        "tie": known_tie(found),
        "measured_text": None if found is None else speedup_text(found, other),
    }


def known_tie(found: Speedup | None) -> bool | None:
    """Whether neither is surely faster; None if the turns are too few to tell, or nothing was compared."""
    return found.tie if found is not None and found.sure else None


def ratio_document(found: Speedup | None) -> Document | None:
    """A ratio of costs with its interval, whose ends are None after too few turns for one."""
    if found is None:
        return None
    low, high = found.interval or (None, None)
    return {"value": found.value, "low": low, "high": high, "turns": found.turns, "pruned": found.pruned}


def speedup_text(found: Speedup, other: str = "") -> str:
    """The same for people, such as ``1.10 times as fast as expert (95% interval 1.05 to 1.16)``, or how unsure it is.

    Args:
        other: what it is faster than; empty where that is clear.
    """
    low, high = found.interval or (1.0, 1.0)
    unsure = "" if found.sure else f", {UNSURE}"
    if found.tie:
        return f"a tie{other and f' with {other}'}{interval(low, high)}{unsure}"
    than, value, how = other and f" as {other}", found.value, "fast"
    if value < 1:
        value, low, high, how = 1 / value, 1 / high, 1 / low, "slow"
    if high > _WIDE * low:
        least = "up to" if low < 1.005 else f"{low:.2f} to"
        return f"{least} {high:.2f} times as {how}{than} (95% interval: too noisy to say more){unsure}"
    return f"{ratio_text(value)} times as {how}{than}{interval(low, high)}{unsure}"


def ratio_text(ratio: float) -> str:
    """A ratio that is no tie, such as ``1.15``; of what is counted, it may be hardly any difference."""
    return f"{ratio:.2f}" if ratio >= 1.005 else "less than 1.01"


def interval(low: float, high: float) -> str:
    """A 95% confidence interval in brackets, after the number; nothing of what is exact."""
    return f" (95% interval {low:.2f} to {high:.2f})" if low < high else ""
