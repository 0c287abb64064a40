"""How much faster one schedule is than another, and how sure that is."""

from dataclasses import dataclass

import numpy as np

from hltune.values.cost import Cost, lower_decile

_RESAMPLES = 2000
_LEAST_TURNS = 3
_SURE_TURNS = 5
"""No bootstrap makes an interval of 95% of fewer: of three, it has 75%."""
_LEAST_DIFFERENCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """The ratio of two costs that were measured in turns.

    Attributes:
        value: median over the turns.
        low: lower end of the 95% confidence interval.
        high: upper end; of what is counted and not timed, all three are the same.
        turns: that both had; None of what is counted.
        pruned: one of them was so much slower that it had no further turns.
    """

    value: float
    low: float
    high: float
    turns: int | None = None
    pruned: bool = False

    @property
    def tie(self) -> bool:
        """Who is faster is not sure: they differ by less than the noise, or by less than 1%."""
        return self.low <= 1 <= self.high or abs(self.value - 1) < _LEAST_DIFFERENCE

    @property
    def interval(self) -> tuple[float, float] | None:
        """The confidence interval; None after too few turns for one."""
        return (self.low, self.high) if self.turns is None or self.turns >= _SURE_TURNS else None

    @property
    def sure(self) -> bool:
        """Who is faster, or that neither is, can be said."""
        return self.interval is not None or self.pruned


def speedup(slower: Cost, faster: Cost) -> Speedup | None:
    """Compares them turn by turn, so that what disturbs a whole turn disturbs both.

    The interval is a bootstrap over the turns. None with fewer than three common turns: they say nothing.
    """
    if slower.counters is not None and faster.counters is not None:
        exact = slower.value / faster.value
        return Speedup(value=exact, low=exact, high=exact)
    turns = min(len(slower.turns), len(faster.turns))
    if turns < _LEAST_TURNS:
        return None
    pairs = zip(slower.turns[:turns], faster.turns[:turns], strict=True)
    ratios = np.array([lower_decile(a) / lower_decile(b) for a, b in pairs])
    drawn = np.random.default_rng(0).integers(turns, size=(_RESAMPLES, turns))
    low, high = np.percentile(np.median(ratios[drawn], axis=1), [2.5, 97.5])
    return Speedup(
        value=float(np.median(ratios)), low=float(low), high=float(high), turns=turns, pruned=_pruned(slower, faster)
    )


def compared(slower: Cost, faster: Cost) -> Speedup:
    """As `speedup`; of what was not measured in turns, the ratio of the costs, for want of an interval."""
    plain = slower.value / faster.value
    turns = min(len(slower.turns), len(faster.turns))
    return speedup(slower, faster) or Speedup(
        value=plain, low=plain, high=plain, turns=turns, pruned=_pruned(slower, faster)
    )


def _pruned(*costs: Cost) -> bool:
    return any(each.pruned for each in costs)


def ratio(slower: Cost, faster: Cost) -> float:
    """The same number for all who show it."""
    return compared(slower, faster).value
