"""Whether more tuning is worth it, in a sentence: for the summary of `tune`, its JSON, and the page of `report`."""

from __future__ import annotations

import math

from hltune.tuning.options import Budget
from hltune.tuning.outlook import Outlook

_CLEAR_GAIN, _NOISE = 0.05, ", unless that is noise"
"""What takes less off the least cost may come from two lucky moments."""


def outlook_text(outlook: Outlook, budget: Budget | None = None, *, own: int = 0) -> str:
    """What further rounds are likely to bring.

    Args:
        budget: of the run that has just ended; None if none has.
        own: how many of the rounds were those of this run.
    """
    if (least := outlook.least_rounds) is not None:
        more = _more(least - outlook.rounds, own, budget)
        if outlook.late_gain is None:
            return f"too few rounds ({outlook.rounds}) to tell; {more}"
        return f"{_gain(outlook)}, which are too few to call it done; {more}"
    if outlook.exhausted:
        return f"done, searches and changes find nothing new after {outlook.rounds} rounds"
    if outlook.hopeless:
        return f"nothing works after {outlook.rounds} rounds"
    if outlook.late_gain is None:
        return f"nothing worked in the first half of {outlook.rounds} rounds: more --minutes are likely to help"
    if outlook.done:
        return f"{_gain(outlook)}: done, as far as that tells"
    likely = outlook.late_gain >= _CLEAR_GAIN
    return f"{_gain(outlook)}: more --minutes {'are likely to' if likely else 'may'} help{'' if likely else _NOISE}"


def _gain(outlook: Outlook) -> str:
    return f"{outlook.late_gain or 0:.1%} off the least cost came in the last half of {outlook.rounds} rounds"


def _more(missing: int, own: int, budget: Budget | None) -> str:
    """The flag with which another run makes the rounds that are missing: that of the limit which ended this one."""
    if budget is None:
        return "another run goes on from here"
    brings = "in another run, which goes on from here, makes up for that"
    if budget.rounds is not None and own >= budget.rounds:
        return f"--rounds {missing} {brings}"
    if budget.samples is not None:
        return "give more --samples" if budget.minutes is None else "give more --samples and --minutes"
    if budget.minutes is None or own == 0:
        return "give more --minutes"
    # A run does not spend all of its minutes on rounds, however few these are.
    return f"--minutes {math.ceil(budget.minutes * max(missing / own, 0.5))} {brings}"
