"""What running a schedule cost, or why it failed, or what it is predicted to cost."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.unit import Unit

REPEATED = 0.85
"""What costs less than this share of what is known is measured again, and has to cost about the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What an emulator counts beside the cost.

    Attributes:
        packets: issued packets, scalar and vector ones.
        hvx_instructions: instructions of the vector unit.
        instructions: instructions in all packets.
        allocations: allocations on the heap.
        peak_heap_bytes: most heap in use at a time.
        line_misses: missed lines of the cache model; None without one.
    """

    packets: int
    hvx_instructions: int
    instructions: int
    allocations: int
    peak_heap_bytes: int
    line_misses: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heap:
    """What one call takes from the heap of this computer, on one thread.

    Attributes:
        allocations: how many buffers.
        bytes: of all of them together.
        peak_bytes: most that is in use at a time.
        largest_mapped_bytes: of the largest one that malloc maps from the system in a fresh process, and keeps later;
            0 if there is none.
    """

    allocations: int
    bytes: int
    peak_bytes: int
    largest_mapped_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What running a candidate cost; its output was verified.

    Attributes:
        unit: what people see it in.
        turns: every repeat in seconds, turn by turn; between two turns the other schedules had theirs. What is counted
            and not timed has one turn of one repeat, see `Unit`.
        pruned: it was so much slower than the best that further repeats were not worth their time.
        counters: None where nothing is counted.
        heap: None where an emulator counts, or where nobody knows.
        repair: what was measured in place of the schedule, which leaves its images; None if it was measured itself.
    """

    unit: Unit
    turns: tuple[tuple[float, ...], ...]
    pruned: bool = False
    counters: Counters | None = None
    heap: Heap | None = None
    repair: Schedule | None = None

    def __post_init__(self) -> None:
        if not self.repeats or not all(0 < repeat < math.inf for repeat in self.repeats):
            raise InputError("not a cost: bad repeats", expected="positive, finite numbers", found=repr(self.turns))

    @property
    def repeats(self) -> tuple[float, ...]:
        """Every repeat, in the order of measurement."""
        return tuple(repeat for turn in self.turns for repeat in turn)

    @property
    def value(self) -> float:
        """What counts as its cost: nine repeats of ten took longer, see `lower_decile`."""
        return lower_decile(self.repeats)

    @property
    def counted(self) -> bool:
        """It is exact, and measuring it side by side with another one would say no more."""
        return self.unit.counted

    @property
    def spread(self) -> float | None:
        """How far the median repeat lies above the cost, as a share of it; None of a single repeat."""
        return statistics.median(self.repeats) / self.value - 1 if len(self.repeats) > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairedFailure(Failure):
    """Why what a schedule was repaired to failed.

    Attributes:
        repair: what was tried in place of the schedule, which leaves its images.
    """

    repair: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says that a schedule costs: seconds, and how many times more or less (one standard deviation)."""

    seconds: float
    factor: float


Measurement = Cost | Failure


def lower_decile(repeats: Sequence[float]) -> float:
    """What nine of ten repeats exceed, interpolated.

    Most of what disturbs a run adds time, so that the fast ones count. The very fastest does not: on a shared computer
    one call in a hundred can take two thirds of the time of all others, and then the luckiest schedule would win.
    """
    return statistics.quantiles(repeats, n=10, method="inclusive")[0] if len(repeats) > 1 else repeats[0]


def failed_repair(failure: Failure, repair: Schedule) -> RepairedFailure:
    """A failure that is this one's, and not that of the schedule that was repaired to it."""
    stage, kind, message, log = failure.stage, failure.kind, failure.message, failure.log
    return RepairedFailure(stage=stage, kind=kind, message=message, log=log, repair=repair)


def repair_of(measurement: Measurement | None) -> Schedule | None:
    """What was measured in place of the schedule that was found, which reads or writes beyond its images."""
    return measurement.repair if isinstance(measurement, Cost | RepairedFailure) else None


def is_repaired(measurement: Measurement | None) -> bool:
    """Another schedule was measured in place of the one that was found."""
    return repair_of(measurement) is not None


def count_repaired(measurements: Iterable[Measurement]) -> int:
    """How many schedules had to be repaired."""
    return sum(map(is_repaired, measurements))
