"""How long and how often to measure, and what a candidate may use."""

from __future__ import annotations

import os
from dataclasses import dataclass

from hltune.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """Of a machine.

    Attributes:
        threads: size of Halide's thread pool.
        rounds: how many times the schedules take turns.
        turn_s: time that one schedule is repeated for in one turn.
        sample_s: calls are timed in batches that take at least this long, so that the clock's resolution is nothing.
        hopeless_ratio: a schedule this many times slower than the best leaves after a turn that held a single run.
        compile_timeout_s: limit on building, lowering and compiling one schedule.
        run_timeout_s: limit on one run.
        memory_bytes: limit on what the measuring process allocates.
    """

    threads: int
    rounds: int = 5
    turn_s: float = 0.1
    sample_s: float = 0.002
    hopeless_ratio: float = 5.0
    compile_timeout_s: float = 60.0
    run_timeout_s: float = 20.0
    memory_bytes: int

    def __post_init__(self) -> None:
        for name in ("threads", "rounds", "turn_s", "compile_timeout_s", "run_timeout_s", "memory_bytes"):
            value = getattr(self, name)
            if not value > 0:
                raise InputError("option out of range", where=name, expected="more than 0", found=str(value))


def physical_memory_bytes() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
