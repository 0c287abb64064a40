"""How long and how often to measure, and what a candidate may use."""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

from hltune.runtime.halide_wheel import COMPILE_ENVIRONMENT
from hltune.values.errors import out_of_range
from hltune.values.machine_id import MachineId


class MachineOptions(Protocol):
    """Options that only one kind of machine has: a frozen dataclass in its folder.

    Attributes:
        machine: name of the kind.
    """

    machine: ClassVar[str]

    @property
    def flags(self) -> tuple[str, ...]:
        """The command line's flags for those that are not the defaults."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """How a machine measures.

    Attributes:
        threads: size of Halide's thread pool.
        turns: how many turns each schedule takes.
        long_turns: how many of them it takes whose calls take longer than `single_turn_s`; None for all.
        turn_s: time that one schedule is repeated for in one turn.
        short_turns: how many turns each has where there are many; those of one are apart in time, but for the last.
        short_turn_s: how long these are.
        single_turn_s: a schedule that takes longer, or far longer than the best, has a single one.
        sample_s: calls are timed in batches that take at least this long, so that the clock's resolution is nothing.
        prune_ratio: a schedule this many times slower than the best leaves after a turn that held a single run; where
            there are many, after two turns of a few runs, or after what `single_turn_s` makes its only one.
        abort_ratio: among many schedules, one that is this many times slower than the best fails, if it also takes
            longer than `least_run_timeout_s`.
        compile_ratio: among many schedules, one that takes this many times as long to compile and verify as is usual
            fails, if it also takes longer than `least_compile_timeout_s`.
        tolerance: by how much a float in an output may differ, relative to its value; None for what is measured, see
            `hltune.machine.tolerance`.
        integer_tolerance: by how much an integer in an output may differ; None for what is measured.
        compile_timeout_s: limit on building, lowering and compiling one schedule, without what it waits for a
            processor.
        verify_timeout_s: limit on comparing its outputs, which take as long whatever the schedule.
        machine_options: what only one kind of machine knows; None for its defaults.
        elsewhere: the computers that measure, as each of them identifies itself with all its cores, for all that its
            processor can do; None for this one.
    """

    threads: int
    turns: int = 6
    long_turns: int | None = None
    turn_s: float = 0.1
    short_turns: int = 3
    short_turn_s: float = 0.03
    single_turn_s: float = 0.25
    sample_s: float = 0.002
    prune_ratio: float = 5.0
    abort_ratio: float = 50.0
    least_run_timeout_s: float = 1.0
    compile_ratio: float = 3.0
    least_compile_timeout_s: float = 4.0
    tolerance: float | None = None
    integer_tolerance: int | None = None
    compile_timeout_s: float = 60.0
    run_timeout_s: float = 20.0
    verify_timeout_s: float = 60.0
    machine_options: MachineOptions | None = None
    elsewhere: MachineId | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What Halide reads when it first needs it, so that it has to be there when a process starts."""
        return {"HL_NUM_THREADS": str(self.threads), **COMPILE_ENVIRONMENT}

    def turns_of(self, call_s: float) -> int:
        """How many turns a schedule takes whose calls take so many seconds."""
        return min(self.turns, self.long_turns or self.turns) if call_s > self.single_turn_s else self.turns

    def turns_s(self, call_s: float) -> float:
        """How long all of these take, roughly: there are two calls more in each than those that fill it."""
        return self.turns_of(call_s) * (2 * call_s + (self.turn_s if call_s <= self.turn_s else 0.0))

    def __post_init__(self) -> None:
        positive = {
            "--threads": self.threads,
            "--rounds": self.turns,
            "--turn": self.turn_s,
            "--compile-timeout": self.compile_timeout_s,
            "--run-timeout": self.run_timeout_s,
        }
        for flag, value in positive.items():
            if not value > 0:
                raise out_of_range(flag, "more than 0", value)
        if self.tolerance is not None and not 0 <= self.tolerance < math.inf:
            raise out_of_range("--tolerance", "0 or more", self.tolerance)
        if self.integer_tolerance is not None and self.integer_tolerance < 0:
            raise out_of_range("--integer-tolerance", "0 or more", self.integer_tolerance)
