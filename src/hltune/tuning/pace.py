"""How long the parts of tuning take, so that rounds fit into the time that is left."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hltune.tuning.options import TuneOptions
from hltune.values.cost import Cost, Measurement

_LEAST_PROBING_S = 2.0
_SHORTEST_ROUND = 0.15
_FINAL_TURNS_S = 0.6
"""Timing of one schedule in the final comparison, at least."""
_LARGEST_FINAL = 1000
_MOST_NODES = 16
"""Computers for which a round becomes larger; more of them share as many candidates. The head chooses each among many,
and the sooner a round ends, the sooner the next one is chosen by what it taught."""
SPARE = 1.5
"""So many times as many candidates as a round has time for, for how long one takes is not known well."""
_TOGETHER_S = 0.02
"""What comes so soon after another one was measured with it."""
_ENOUGH_OF_ROUNDS = 8
"""Candidates of a round that tell, after its first one, how many come in a minute. Known schedules, which are measured
before, do not: of sixteen applications, candidates of rounds took between 0.6 and 2.9 times as long."""
_ENOUGH_PER_LANE = 2
"""The same for each of many lanes, which all begin at once, so that what they compile comes in waves."""
_NEWEST = 100
"""Bursts of candidates that tell how long one takes, and candidates that tell how long a call does."""
_FINALIST_QUANTILE = 0.75
_LEAST_RECALLED = 4
"""Measurements of earlier runs that tell how long one takes."""
_PAUSE = 20.0
"""What takes so many times as long as others lies between two runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a round may still use: time, by the monotonic clock, and measurements; None for any number."""

    end_s: float = math.inf
    samples: int | None = None


@dataclass(slots=True)
class _Burst:
    """Candidates that came together, when their last turns were taken: each took its share of the time before."""

    seconds: float = 0.0
    count: int = 0
    works: int = 0

    def add(self, seconds: float, *, works: bool) -> None:
        self.seconds += seconds
        self.count += 1
        self.works += works


class Pace:
    """How long the parts of tuning take, as far as was seen.

    Args:
        nodes: how many computers measure side by side at present.
        turns_s: how long all turns of a schedule take, whose calls take so many seconds.
    """

    def __init__(
        self,
        options: TuneOptions,
        nodes: Callable[[], int] = lambda: 1,
        turns_s: Callable[[float], float] = lambda _: _FINAL_TURNS_S,
    ) -> None:
        self._options = options
        self._nodes = nodes
        self._turns_s = turns_s
        self._call_s = 0.0
        self._calls_s: deque[float] = deque(maxlen=_NEWEST)
        self._last_round_s: float | None = None
        self._next_s: float | None = None
        self._found: tuple[float, int] | None = None
        self._candidate_s = self._finalist_s = 1.0
        self._bursts: deque[_Burst] = deque(maxlen=_NEWEST)

    def seen(
        self, measurements: Iterable[tuple[str, Measurement]], *, at_once: int | None = None
    ) -> Iterator[tuple[str, Measurement]]:
        """Passes on what is being measured, and learns from when it comes.

        Args:
            at_once: how many known schedules are measured; a round is faster than fewer of them than there are lanes.
                None for candidates of a round.
        """
        lanes = self._lanes
        busy = min(at_once or lanes, lanes) / lanes
        began_s = last_s = first_s = time.monotonic()
        count = 0
        for count, (key, measurement) in enumerate(measurements, start=1):
            now_s = time.monotonic()
            taken_s = (now_s - last_s) * busy
            first_s = now_s if count == 1 else first_s
            if count == 1 or taken_s >= _TOGETHER_S:
                self._bursts.append(_Burst())
            self._bursts[-1].add(taken_s, works=isinstance(measurement, Cost))
            if at_once is None and count > max(_ENOUGH_OF_ROUNDS, _ENOUGH_PER_LANE * lanes):
                self._next_s = (now_s - first_s) / (count - 1)
            if isinstance(measurement, Cost):
                self._calls_s.append(measurement.value)
            last_s = now_s
            yield key, measurement
        if at_once is None and count and self._next_s is None:  # a short round, with the time that it took to begin
            self._next_s = (last_s - began_s) / count
        if self._bursts:
            times_s = [each.seconds / each.count for each in self._bursts for _ in range(each.count)]
            working_s = [each.seconds / each.works for each in self._bursts for _ in range(each.works)]
            self._candidate_s = float(np.median(times_s))  # for one says little
            # Most of those that fail do so at once; and what takes far longer than others is seldom one of the best.
            self._finalist_s = float(np.quantile(working_s or times_s, _FINALIST_QUANTILE))
        if self._calls_s:
            self._call_s = float(np.median(self._calls_s))

    def recall(self, taken: Sequence[tuple[float, float]], in_rounds: Sequence[tuple[int, float]] = ()) -> None:
        """Learns from earlier runs, as long as nothing is measured in this one.

        Args:
            taken: when each of their measurements was taken, in seconds and in their order, and its cost.
            in_rounds: the number of its round and the same time of each that was a candidate, failures as well.
        """
        steps = pairwise(in_rounds[-_NEWEST:])
        in_one_s = [later_s - former_s for (former, former_s), (number, later_s) in steps if former == number]
        if len(in_one_s) >= _ENOUGH_OF_ROUNDS:
            self._next_s = float(np.mean(in_one_s))
        if len(taken) < _LEAST_RECALLED:
            return
        times_s, costs = np.array(taken[-_NEWEST:]).T
        steps_s = np.diff(times_s)
        bursts = np.cumsum(steps_s >= _TOGETHER_S)
        steps_s = (np.bincount(bursts, steps_s) / np.maximum(1, np.bincount(bursts)))[bursts]
        self._candidate_s = max(_TOGETHER_S, float(np.median(steps_s)))
        steps_s = steps_s[steps_s <= _PAUSE * self._candidate_s]
        self._finalist_s = max(_TOGETHER_S, float(np.quantile(steps_s, _FINALIST_QUANTILE)))
        self._call_s = float(np.median(costs))

    def saw_search(self, seconds: float, candidates: int) -> None:
        """Learns from how long it took to find so many candidates for a round."""
        if candidates:
            self._found = seconds, candidates

    def saw_round(self, seconds: float) -> None:
        """Learns from how long a round took."""
        self._last_round_s = seconds

    @property
    def known(self) -> bool:
        """Candidates of rounds were measured, in this run or in an earlier one, and tell how long others take."""
        return self._next_s is not None

    @property
    def candidate_s(self) -> float:
        """How long it takes to measure one more, roughly."""
        return self._candidate_s

    @property
    def next_candidate_s(self) -> float:
        """The same of a candidate of a round, searches not counted; that of known schedules as long as nobody knows."""
        return self._candidate_s if self._next_s is None else self._next_s

    @property
    def samples_per_minute(self) -> float:
        """Measurements of a round like the last one, or of a full one, by all of its time."""
        candidate_s = self.next_candidate_s
        full_s = self._measuring_s(candidate_s)
        searching_s, candidates = self._found or (self._probing_s(full_s), self.full_batch)
        measuring_s = min(full_s, candidates * candidate_s)
        return 60 * measuring_s / candidate_s / (measuring_s + searching_s)

    @property
    def shortest_round_s(self) -> float:
        """With less time than this, another round is not worth its searches."""
        return _SHORTEST_ROUND * self._round_s

    @property
    def probing_s(self) -> float:
        """How long probes may take in a round."""
        return self._probing_s(self.measuring_s)

    def _probing_s(self, measuring_s: float) -> float:
        share = self._options.search_share
        return max(_LEAST_PROBING_S, share / (1 - share) * measuring_s)

    def search_s(self, limits: Limits) -> float:
        """How long the beam searches of a round may take, and no longer its probes."""
        return self._options.search_share * max(0.0, min(self._options.round_s, limits.end_s - time.monotonic()))

    def finals_s(self, references: int, *, side_by_side: bool) -> float:
        """How long the final comparison will take, roughly: if it times, it compiles in one process."""
        return self._final_s(side_by_side=side_by_side) * (self._options.finalists + references)

    def finalists(self, seconds: float, *, side_by_side: bool) -> int:
        """How many schedules can be compared in this time: two at least, or none at all."""
        most = seconds / self._final_s(side_by_side=side_by_side)
        if most < 1:
            return 0
        return _LARGEST_FINAL if most > _LARGEST_FINAL else max(2, int(most))

    def again_s(self, schedules: int) -> float:
        """How long measuring so many side by side once more takes, roughly."""
        return schedules * self._final_s(side_by_side=False)

    def _final_s(self, *, side_by_side: bool) -> float:
        if side_by_side:
            return self._finalist_s * self._nodes()
        return self._finalist_s * self._lanes + max(_FINAL_TURNS_S, self._turns_s(self._call_s))

    @property
    def full_batch(self) -> int:
        """Candidates of a round that has all its time: so many for each computer that measures."""
        return self._options.batch * min(self._nodes(), _MOST_NODES)

    def batch(self, limits: Limits) -> int:
        """Candidates of a round: hardly more than can be measured in it, and fewer in the last one."""
        share = (limits.end_s - time.monotonic()) / self._round_s
        most = min(self.full_batch, SPARE * self._options.round_s / self._candidate_s)
        batch = max(self._options.beams, round(most * min(1.0, share)))
        return batch if limits.samples is None else min(batch, limits.samples)

    @property
    def measuring_s(self) -> float:
        """How long a round measures, roughly."""
        return self._measuring_s(self._candidate_s)

    def _measuring_s(self, candidate_s: float) -> float:
        return min(self._options.round_s, self.full_batch * candidate_s)

    @property
    def _lanes(self) -> int:
        """Processes that compile what is measured, of all computers."""
        return (self._options.lanes or self._options.workers) * self._nodes()

    @property
    def _round_s(self) -> float:
        """How long a full round takes, roughly."""
        return self._last_round_s or self.measuring_s / (1 - self._options.search_share)
