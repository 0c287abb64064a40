"""How much faster one schedule is than another, and how sure that is."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hltune.values.cost import Cost, lower_decile

_LEAST_TURNS = 3
_SURE_TURNS = 6
"""Of fewer turns, the median lies between the least and the greatest less often than in 95%: of five, in 94%."""
_UNCOVERED = 20
"""Of so many intervals, one may miss what it is for."""
_LEAST_DIFFERENCE = 0.01
_LEAST_UNSURE_DIFFERENCE = 0.05
"""After fewer turns than that, whoever leads in all of them by so much is faster: less may be chance."""


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
        """Who is faster is not sure: they differ by less than the noise, or by less than 1%; counts are the same."""
        return not (self.faster or self.slower)

    @property
    def faster(self) -> bool:
        """The second one takes less time, in so many turns or by so much that it is no chance."""
        return self._beyond(self.low, self.value)

    @property
    def slower(self) -> bool:
        """The second one takes longer, as surely."""
        return self._beyond(1 / self.high, 1 / self.value)

    def _beyond(self, least: float, value: float) -> bool:
        if self.turns is None:
            return value > 1.0
        margin = 1.0 if self.sure else 1.0 + _LEAST_UNSURE_DIFFERENCE
        return least > margin and value >= 1.0 + _LEAST_DIFFERENCE

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

    The interval is that of a median, between two of the ratios in order, as wide as the binomial distribution asks for,
    whatever that of the ratios. None with fewer than three common turns: they say nothing.
    """
    if slower.counted and faster.counted:
        exact = slower.value / faster.value
        return Speedup(value=exact, low=exact, high=exact)
    turns = min(len(slower.turns), len(faster.turns))
    if turns < _LEAST_TURNS:
        return None
    pairs = zip(slower.turns[:turns], faster.turns[:turns], strict=True)
    ratios = sorted(lower_decile(a) / lower_decile(b) for a, b in pairs)
    beyond = _beyond_interval(turns)
    return Speedup(
        value=statistics.median(ratios),
        low=ratios[beyond],
        high=ratios[-1 - beyond],
        turns=turns,
        pruned=_pruned(slower, faster),
    )


def _beyond_interval(turns: int) -> int:
    """How many ratios at either end may lie outside of the interval: more, and it would cover less than it says."""
    tail, beyond = 1, 0  # of the ways in which ratios can lie on either side of what they are of, so many leave it out
    while 2 * _UNCOVERED * (tail := tail + math.comb(turns, beyond + 1)) <= 2**turns:
        beyond += 1
    return beyond


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


def is_tie(one: Cost, other: Cost) -> bool:
    """Neither is surely faster; what is counted comes out the same every time."""
    found = None if one.counted else speedup(one, other)
    return found is not None and found.tie


def in_order(costs: Mapping[str, Cost], former: str | None = None) -> list[str]:
    """Names of what was measured side by side: the one that leads, then the others by their `ratio` to it.

    The least cost leads unless another one is surely faster turn by turn: a decile of all turns may be a lucky moment.
    So none of less than 1.00 comes after the first one, but for ties with it.

    Args:
        former: who has led before, and goes on to do so if nobody is surely faster: of equals, the known one.
    """
    if not costs:
        return []
    names = sorted(costs, key=lambda name: costs[name].value)
    first = _leader(costs, names)
    if former is not None and former in costs and _as_fast(costs[former], costs[first], costs.values()):
        first = former
    others = (name for name in names if name != first)
    return [first, *sorted(others, key=lambda name: ratio(costs[name], costs[first]))]


def _leader(costs: Mapping[str, Cost], names: Sequence[str]) -> str:
    """From the first name on to one that is surely faster, and so on; nobody leads twice, so this ends."""
    leader, *waiting = names
    while faster := [name for name in waiting if _surely_faster(costs[name], costs[leader])]:
        _, leader = min((ratio(costs[name], costs[leader]), name) for name in faster)
        waiting.remove(leader)
    return leader


def _surely_faster(one: Cost, other: Cost) -> bool:
    found = speedup(one, other)
    return found is not None and found.slower


def _as_fast(one: Cost, leader: Cost, all_costs: Iterable[Cost]) -> bool:
    """They can be compared, or cost the same, and nobody is surely faster."""
    comparable = one.value == leader.value or speedup(leader, one) is not None
    return comparable and not any(_surely_faster(each, one) for each in all_costs)
