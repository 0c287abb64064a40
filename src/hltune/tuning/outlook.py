"""What tuning is likely to bring: as soon as it has begun, how many samples; then, whether more of it helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

_FEWEST_ROUNDS = 6
"""Before this, nobody can say what rounds bring."""
_ROUNDS_TO_STOP = 16
"""Before this, nobody can say that tuning is done: six of ten rounds brought nothing, and ten more brought 4%."""
_HOPELESS_ROUNDS = 12
"""As many without anything that works are enough."""
_LITTLE = 0.01
"""A gain that is not worth as many rounds again."""
_FEW = 64
"""Samples before which models have hardly learned anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What to expect of a pipeline, from how long its first candidates took, or those of earlier runs.

    Attributes:
        stages: definitions, pure and update ones, of all its Funcs.
        search_s: how long its beam search took; None if none ended.
        candidate_s: how long one more candidate takes, compiling included.
        samples_per_minute: of a round, searches included.
        minutes: what is left for its rounds; infinite if time is no limit.
        given: minutes of the whole run, for all pipelines.
        most: samples that it may take; infinite if their number is no limit.
        known: schedules that are known already, of all runs.
    """

    stages: int
    search_s: float | None
    candidate_s: float
    samples_per_minute: float
    minutes: float
    given: float
    most: float
    known: int = 0

    @property
    def samples(self) -> float:
        """How many samples there will be."""
        return min(self.most, self.samples_per_minute * self.minutes)

    @property
    def minutes_needed(self) -> int | None:
        """Minutes of the whole run with which there would be enough to learn from; None if there are."""
        enough = min(max(0, _FEW - self.known), self.most)
        if self.minutes <= 0 or self.samples >= enough:
            return None
        return math.ceil(self.given * enough / self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What rounds say about further ones.

    Attributes:
        rounds: how many there were.
        idle: rounds since the last one that found a faster schedule.
        late_gain: how much the last half of the rounds took off the least cost, as a share of it; None before there are
            enough rounds to tell, or if nothing worked early. As many rounds again will hardly bring more.
        hopeless: after many rounds, nothing works.
        exhausted: searches find nothing new, and what they find changed neither.
    """

    rounds: int
    idle: int
    late_gain: float | None
    hopeless: bool = False
    exhausted: bool = False

    @classmethod
    def of(cls, costs: Sequence[float | None]) -> Outlook:
        """From the least cost after each round, None as long as nothing works."""
        count, best = len(costs), lasting(costs)
        changed = [number for number in range(1, count) if best[number] < best[number - 1]]
        idle = count - 1 - changed[-1] if changed else max(0, count - 1)
        hopeless = count >= _HOPELESS_ROUNDS and costs[-1] is None
        return cls(rounds=count, idle=idle, late_gain=_late_gain(best), hopeless=hopeless)

    @property
    def least_rounds(self) -> int | None:
        """Rounds with which one could tell whether tuning is done; None if these are enough, or still bring much."""
        enough = _ROUNDS_TO_STOP if self._idles else _FEWEST_ROUNDS
        return enough if self.rounds < enough and not self.exhausted else None

    @property
    def done(self) -> bool:
        """More rounds would bring little."""
        return self.hopeless or self.exhausted or (self._idles and self.rounds >= _ROUNDS_TO_STOP)

    @property
    def _idles(self) -> bool:
        """The last half of the rounds brought little."""
        return self.late_gain is not None and self.late_gain < _LITTLE


def lasting(costs: Sequence[float | None]) -> list[float]:
    """The least costs without those that a later round has taken back: a lucky moment, or what has turned out wrong.

    Infinity as long as nothing works.
    """
    known = [math.inf if each is None else each for each in costs]
    return [*accumulate(reversed(known), max)][::-1]


def _late_gain(best: Sequence[float]) -> float | None:
    if len(best) < _FEWEST_ROUNDS:
        return None
    early, last = best[math.ceil(len(best) / 2) - 1], best[-1]
    return None if early == math.inf else 1 - last / early
