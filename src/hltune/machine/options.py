"""How long and how often to measure, and what a candidate may use."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hltune.values.errors import InputError

COMPILE_ENVIRONMENT = {"HL_PERMIT_FAILED_UNROLL": "1"}
"""Adams2019 asks for unrolling that Halide cannot always do; without this, such a schedule is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheModel:
    """A cache that QEMU simulates beside the processor: set-associative, the least recently used line goes.

    Attributes:
        miss_weight: packets that a missed line counts as.
        size_bytes: of the cache.
        ways: lines of a set.
        line_bytes: of a line.
    """

    miss_weight: float
    size_bytes: int
    ways: int
    line_bytes: int

    def __post_init__(self) -> None:
        way_bytes = self.ways * self.line_bytes
        possible = way_bytes > 0 and self.size_bytes > 0 and self.size_bytes % way_bytes == 0
        if not (0 < self.miss_weight < math.inf and possible):
            raise InputError(
                "no such cache",
                where="--objective, --cache",
                expected="a weight above 0, and a size that is a multiple of ways times line",
                found=str(self),
            )

    def __str__(self) -> str:
        cache = f"{self.size_bytes} bytes, {self.ways} ways, lines of {self.line_bytes} bytes"
        return f"packets + {self.miss_weight:g} * missed lines ({cache}, LRU)"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """Of an emulated machine.

    Attributes:
        heap_limit_bytes: that a schedule may allocate at a time.
        cache: adds missed lines to the packets.
    """

    heap_limit_bytes: int = 2**28
    cache: CacheModel | None = None

    def __post_init__(self) -> None:
        if not 0 < self.heap_limit_bytes < 2**31:
            raise InputError(
                "option out of range",
                where="--heap-limit",
                expected="more than 0 and less than 2G",
                found=str(self.heap_limit_bytes),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """Of a machine.

    Attributes:
        threads: size of Halide's thread pool.
        rounds: how many times the schedules take turns.
        turn_s: time that one schedule is repeated for in one turn.
        single_turn_s: the same where a schedule has one turn only, because there are many.
        sample_s: calls are timed in batches that take at least this long, so that the clock's resolution is nothing.
        prune_ratio: a schedule this many times slower than the best leaves after a turn that held a single run.
        abort_ratio: among many schedules, one that is this many times slower than the best fails, if it also takes
            longer than `least_run_timeout_s`.
        integer_tolerance: by how much an integer in an output may differ from the default schedule's; 0 unless floats
            are rounded on the way to it.
        float_slack: by how much more than usual a float may differ; see `hltune.machine.verify`.
        compile_timeout_s: limit on building, lowering and compiling one schedule.
        run_timeout_s: limit on one run.
        verify_timeout_s: limit on comparing its outputs, which take as long whatever the schedule.
        emulator: of an emulated machine.
    """

    threads: int
    rounds: int = 5
    turn_s: float = 0.1
    single_turn_s: float = 0.05
    sample_s: float = 0.002
    prune_ratio: float = 5.0
    abort_ratio: float = 50.0
    least_run_timeout_s: float = 1.0
    integer_tolerance: int = 0
    float_slack: float = 1.0
    compile_timeout_s: float = 60.0
    run_timeout_s: float = 20.0
    verify_timeout_s: float = 60.0
    emulator: EmulatorOptions = EmulatorOptions()

    @property
    def environment(self) -> dict[str, str]:
        """What Halide reads when it first needs it, so that it has to be there when a process starts."""
        return {"HL_NUM_THREADS": str(self.threads), **COMPILE_ENVIRONMENT}

    def __post_init__(self) -> None:
        for name in ("threads", "rounds", "turn_s", "compile_timeout_s", "run_timeout_s"):
            value = getattr(self, name)
            if not value > 0:
                raise InputError("option out of range", where=f"--{name}", expected="more than 0", found=str(value))
        if self.integer_tolerance < 0:
            raise InputError(
                "option out of range",
                where="--integer-tolerance",
                expected="0 or more",
                found=str(self.integer_tolerance),
            )
