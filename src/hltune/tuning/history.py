"""What was measured of one pipeline on one machine: the part of the store that a tuner works with."""

import contextlib
import math
import statistics
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence

from hltune.cost_model.dataset import Dataset
from hltune.lowered.features import VERSION, decoded
from hltune.machine.protocol import Session
from hltune.samples.results import Ranked
from hltune.samples.writer import Store
from hltune.search.gains import Gain
from hltune.search.mutation import Parent
from hltune.tuning.operators import WIN, Try
from hltune.values.candidate import Candidate
from hltune.values.cost import REPEATED, Cost, Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.program_features import ProgramFeatures
from hltune.values.provenance import Mutated, Searched
from hltune.values.sample import Sample
from hltune.values.schedule_codec import schedule_hash
from hltune.values.unit import Unit

_NEWEST = 2000
"""Most samples that a model learns from."""
_BEST_CHANGED = 100
"""Schedules whose changes may be made to the best one as well."""
_LEAST_COMPARED = 3
"""Schedules that tell whether the moment of a comparison was fast or slow."""


class History:
    """Knows every schedule ever measured of a pipeline that the store knows; what it keeps survives all."""

    def __init__(
        self,
        spec: PipelineSpec,
        machine: MachineId,
        store: Store,
        *,
        limits: Mapping[str, float] | None = None,
        allowed: Callable[[Schedule], bool] | None = None,
        wrong: Mapping[str, Failure] | None = None,
    ) -> None:
        """What was measured so far.

        Args:
            limits: of this run, in seconds by flag: what has only failed for want of time, by a lower one, is unknown.
            allowed: which schedules this run may end with, and so compares others with; None for all.
            wrong: what is known to be wrong under other conditions, by its hash: it has failed here as well.
        """
        self._key = (spec.content_hash, machine.key)
        self._machine = machine
        self._store = store
        named = store.named(*self._key)
        self._gone = {key for key, each in named.items() if not spec.has_base(each.base)}
        self._failures = store.last_failures(*self._key)
        here, elsewhere = store.refuted(*self._key), wrong or {}
        self._refuted = {**elsewhere, **here}
        self._wrong_elsewhere = elsewhere.keys() - here.keys()
        slow = {key for key, each in self._failures.items() if each.below(limits or {})}
        unknown = self._gone | (slow - self._refuted.keys())
        self._costs = {key: cost for key, cost in store.costs(*self._key).items() if key not in unknown}
        self._costs |= dict.fromkeys(self._wrong_elsewhere & self._costs.keys())
        self._allowed = allowed
        self._outside = set[str]()  # what is known not to be allowed
        self._judged = set[str]()  # looked at: to decode a schedule takes its time, and there may be a hundred thousand
        repairs = store.repairs(*self._key)
        self._repairs = {key: repair for key, repair in repairs.items() if repair in self._costs}
        self.last_round = store.last_round(*self._key)
        self._measured: dict[str, dict[int, float]] = {}  # in this run: costs by the numbers of their samples

    def __contains__(self, key: str) -> bool:
        return key in self._costs or key in self._repairs or key in self._wrong_elsewhere

    def __len__(self) -> int:
        return len(self._costs)

    @property
    def unit(self) -> Unit:
        """What people see costs in."""
        return self._machine.unit

    def cost(self, key: str) -> float | None:
        """Cost of the schedule with this hash, or of what it was repaired to; None if not known, failed or wrong."""
        return self._costs.get(self._repairs.get(key, key))

    def cost_of(self, candidate: Candidate) -> float | None:
        """Cost of a candidate's schedule, which is infinite if it failed; None if it was not measured."""
        key = schedule_hash(candidate.schedule)
        failed = key in self and self.cost(key) is None
        return math.inf if failed else self.cost(key)

    def is_repaired(self, candidate: Candidate) -> bool:
        """Another schedule was measured in its place, which stays inside of its images."""
        return schedule_hash(candidate.schedule) in self._repairs

    def least_searched(self) -> float | None:
        """Cost of the fastest schedule that a search has found; None if none was measured, or worked."""
        ranked = self._store.best(*self._key, len(self), without=self._wrong_elsewhere) if len(self) else ()
        return next((each.cost for each in ranked if isinstance(each.provenance, Searched)), None)

    @property
    def best_cost(self) -> float | None:
        """Cost of the fastest schedule that is allowed."""
        best = self._best_so_far()
        if best is not None and self._allowed is not None and best[1] not in self._judged:
            self.ranked(1, distinct=False)
            best = self._best_so_far()
        return None if best is None else best[0]

    def _best_so_far(self) -> tuple[float, str] | None:
        """Cost and hash of the fastest schedule that is not known to be outside of what is allowed."""
        costs = self._costs.items()
        return min(((cost, key) for key, cost in costs if cost is not None and key not in self._outside), default=None)

    def best(self, count: int) -> list[Parent]:
        """The fastest schedules that are allowed, best first; of those that cost exactly the same, one."""
        return _parents(self.ranked(count, distinct=True))

    def working(self) -> dict[str, float]:
        """Costs of all that did not fail, whatever is allowed, by the hash of the schedule, best first."""
        costs = ((cost, key) for key, cost in self._costs.items() if cost is not None and key not in self._gone)
        return {key: cost for cost, key in sorted(costs)}

    def failed(self) -> tuple[str, ...]:
        """Hashes of what only failed, and not because Halide refuses it."""
        return tuple(key for key in self._store.failed_hashes(*self._key) if key in self._costs)

    def schedules(self, keys: Collection[str], /) -> dict[str, Schedule]:
        """Schedules of the store with these hashes."""
        return self._store.schedules(*self._key, keys)

    def failures(self) -> dict[str, Failure]:
        """Why what has never worked failed, the last time, by the hash of the schedule."""
        return {key: each for key, each in self._failures.items() if key in self._costs}

    def failure(self, candidate: Candidate) -> Failure | None:
        """Why a candidate's schedule failed, the last time; None if it has ever worked, or was not measured."""
        key = schedule_hash(candidate.schedule)
        return self._failures.get(key) if key in self else None

    def refuted(self, candidate: Candidate) -> Failure | None:
        """How outputs of a candidate, or of what it was repaired to, were wrong, if ever; None if they never were.

        A race may be right most of the time, so that no later measurement makes up for it.
        """
        key = schedule_hash(candidate.schedule)
        failure = self._refuted.get(self._repairs.get(key, key))
        return failure and failure.earlier

    def ranked(self, count: int, *, distinct: bool) -> tuple[Ranked, ...]:
        """`Reader.best` of what is allowed, without what the author has written otherwise since then."""
        asked = count
        while True:
            without = self._gone | self._wrong_elsewhere | self._outside
            found = self._store.best(*self._key, asked, distinct=distinct, without=without)
            if self._all_allowed(found):
                return found[:count]
            asked = max(count, len(self._outside))  # else it would take ever so many queries where most are outside

    def _all_allowed(self, ranked: Iterable[Ranked]) -> bool:
        """Looks at each; False if that was the first time of one that is not allowed."""
        if self._allowed is None:
            return True
        new = {key: each.schedule for each in ranked if (key := each.schedule_hash) not in self._judged}
        outside = [key for key, each in new.items() if each is not None and not self._allowed(each)]
        self._judged.update(new)
        self._outside.update(outside)
        return not outside

    def taken(self) -> tuple[tuple[float, float], ...]:
        """See `Reader.history`."""
        return self._store.history(*self._key)

    def taken_in_rounds(self) -> tuple[tuple[int, float], ...]:
        """See `Reader.round_times`."""
        return self._store.round_times(*self._key)

    def program_hashes(self) -> dict[str, str]:
        """Hashes of the lowered programs of what was measured, by the hash of the schedule."""
        return self._store.program_hashes(*self._key, VERSION)

    def programs(self, keys: Collection[str], /) -> dict[str, ProgramFeatures]:
        """Features of the lowered programs of these schedules, as far as they were kept."""
        return decoded(self._store.programs(*self._key, VERSION, keys))

    def keep_programs(self, programs: Mapping[str, ProgramFeatures]) -> None:
        """Keeps features of lowered programs by the hashes of their schedules; those without samples are left out."""
        known = {key: each for key, each in programs.items() if key in self._costs}
        self._store.add_programs(self._key[0], self._machine, VERSION, known)

    def measure(
        self,
        session: Session,
        candidates: Mapping[str, Candidate],
        *,
        best: float | None,
        end_s: float = math.inf,
        round_number: int = 0,
        until_one_works: bool = False,
    ) -> Generator[tuple[str, Measurement]]:
        """Measures candidates until `end_s` of the monotonic clock, and yields each when it is on the disk.

        What costs much more than `best` is measured less exactly. If asked for, the clock does not count as long as
        nothing works.
        """

        def in_time() -> Iterator[tuple[str, Schedule]]:
            for key, candidate in candidates.items():
                if time.monotonic() >= end_s and not (until_one_works and self.best_cost is None):
                    return
                yield key, candidate.schedule

        with contextlib.closing(session.measure_each(in_time(), best=best)) as measurements:
            for key, measurement in measurements:
                self._keep(candidates[key], measurement, round_number)
                yield key, measurement

    def repeats(
        self, session: Session, candidate: Candidate, *, beside: Sequence[Candidate] = (), round_number: int
    ) -> bool:
        """Measures again what was measured in this run; False if it takes much longer than it seemed to, or fails.

        Then the former measurements go, as far as they are: on a shared computer, some moments are faster than all
        others. Others, measured side by side, keep the least of what they have cost: they may have been measured in a
        slow moment.
        """
        key = schedule_hash(candidate.schedule)
        least = min(self._measured[key].values())
        others = {schedule_hash(each.schedule): each for each in beside}
        measured = session.measure({key: candidate.schedule, **{name: each.schedule for name, each in others.items()}})
        for name, each in others.items():
            self._keep(each, measured[name], round_number)
        again = measured[key]
        same = isinstance(again, Cost) and least >= REPEATED * again.value
        if not same:
            self._take_back(key, above=REPEATED * again.value if isinstance(again, Cost) else math.inf)
        self._keep(candidate, again, round_number)
        return same

    def _take_back(self, key: str, *, above: float) -> None:
        """Forgets what this run has measured of a schedule, unless it costs more than that."""
        for number in [number for number, cost in self._measured[key].items() if cost <= above]:
            self._store.retract(number)
            del self._measured[key][number]
        self._costs[key] = self._store.costs(*self._key).get(key)

    def correct(self, compared: Sequence[tuple[Candidate, Cost]]) -> None:
        """Forgets what schedules have cost in fast moments, where that is much less than in a comparison beside others.

        The last round of a run has no time to measure its best again. That all of them were faster or slower in the
        comparison says something of the moment, and of none of them.
        """
        keys = [schedule_hash(candidate.schedule) for candidate, _ in compared]
        stored = {key: self._costs.get(key) for key in keys}
        shares = [known / cost.value for key, (_, cost) in zip(keys, compared, strict=True) if (known := stored[key])]
        if len(shares) < _LEAST_COMPARED:
            return
        for key, (candidate, cost) in zip(keys, compared, strict=True):
            least = REPEATED * statistics.median(shares) * cost.value
            if (known := stored[key]) and known < least:
                self._store.retract_below(*self._key, key, least)
                self._measured.pop(key, None)
                self._costs[key] = self._store.costs(*self._key).get(key)
                self._keep(candidate, cost, round_number=0)

    def keep_finalist(self, candidate: Candidate, cost: Cost) -> None:
        """Keeps what a candidate costs that has only failed before, though not by wrong outputs."""
        failure = self.failure(candidate)
        if failure is not None and not failure.is_wrong:
            self._keep(candidate, cost, round_number=0)

    def refute(self, candidate: Candidate, failure: Failure) -> None:
        """Keeps that the outputs of a candidate have turned out wrong here, after all, unless that is known."""
        known = self.refuted(candidate)
        is_news = known != failure and schedule_hash(candidate.schedule) in self._wrong_elsewhere
        if known is None or is_news:
            self._keep(candidate, failure, round_number=0)

    def _keep(self, given: Candidate, measurement: Measurement, round_number: int) -> None:
        candidate = given.as_measured(measurement)
        sample = Sample(
            pipeline_hash=self._key[0],
            machine=self._machine,
            schedule=candidate.schedule,
            featurization=candidate.features,
            measurement=measurement,
            provenance=candidate.provenance,
            round=round_number,
            measured_at_s=time.time(),
        )
        number = self._store.add(sample)
        if candidate is not given:
            self._repairs[schedule_hash(given.schedule)] = sample.schedule_hash
        if isinstance(measurement, Failure) and measurement.is_wrong:
            self._refuted[sample.schedule_hash] = measurement
            self._wrong_elsewhere.discard(sample.schedule_hash)
        refuted = sample.schedule_hash in self._refuted
        known = None if refuted else self._costs.get(sample.schedule_hash)
        new = measurement.value if isinstance(measurement, Cost) and not refuted else None
        if isinstance(measurement, Failure) and known is None:
            self._failures[sample.schedule_hash] = measurement
        else:
            self._failures.pop(sample.schedule_hash, None)
        if new is not None:
            self._measured.setdefault(sample.schedule_hash, {})[number] = new
        if self._allowed is not None and not self._allowed(candidate.schedule):
            self._outside.add(sample.schedule_hash)
        self._judged.add(sample.schedule_hash)
        self._costs[sample.schedule_hash] = min((each for each in (known, new) if each is not None), default=None)

    def mutants(self) -> list[Try]:
        """All mutants that were measured, and whose parents were."""
        pairs = ((each, cost, self.cost(each.parent)) for each, cost in self._store.mutants(*self._key))
        return [
            Try(operators=each.changes, cost=cost, parent_cost=parent_cost)
            for each, cost, parent_cost in pairs
            if parent_cost is not None
        ]

    def gains(self) -> list[Gain]:
        """Changes that have made a schedule faster, of those that are among the best; the largest gains first."""
        found: dict[str, tuple[float, Schedule, str]] = {}
        for each in self.ranked(_BEST_CHANGED, distinct=False):
            if not isinstance(each.provenance, Mutated) or each.schedule is None:
                continue
            before = self.cost(each.provenance.parent)
            if before is not None and each.cost < WIN * before:
                found[each.schedule_hash] = (each.cost / before, each.schedule, each.provenance.parent)
        parents = self.schedules({parent for _, _, parent in found.values()})
        by_gain = sorted(found.values(), key=lambda each: each[0])
        return [Gain(parents[parent], schedule) for _, schedule, parent in by_gain if parent in parents]

    def samples(self) -> Dataset | None:
        """What a model can learn from; None if there is nothing."""
        sets = self._store.training_data(*self._key, newest=_NEWEST)
        # More than one set only if the plugin saw other stages in earlier versions of itself.
        largest = max(sets, key=lambda data: len(data.costs), default=None)
        return None if largest is None else Dataset.stored(largest, cores=self._machine.threads)


def _parents(ranked: Iterable[Ranked]) -> list[Parent]:
    return [Parent(each.schedule, each.cost) for each in ranked if each.schedule is not None]
