"""Buffers that a lowered program allocates, and what of them a thread holds at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from hltune.runtime.malloc import KEPT

HEAP = ("Auto", "Heap")
"""Memory of what `malloc` gives."""
LARGEST_ON_STACK = 16 << 10
"""Bytes: what is no larger, and of a constant size, Halide does not take from the heap (``src/CodeGen_Posix.cpp``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A buffer: mean bytes, how often it is allocated, and where.

    Attributes:
        extents: of its dimensions in the order of the Func's variables, mean ones.
        constant: its size is known when it is compiled.
    """

    buffer: str
    bytes: float
    runs: float
    memory: str
    constant: bool
    extents: tuple[float, ...] = ()

    @property
    def beyond_stack(self) -> bool:
        """It is wanted on the stack and does not go there: Halide takes it from the heap, once for each thread's part.

        Features and T0 take it for free, as they take all that is wanted on the stack.
        """
        return self.memory == "Stack" and not (self.constant and self.bytes <= LARGEST_ON_STACK)


@dataclass(slots=True)
class Held:
    """What one thread holds of the heap in the same loops, from the first buffer that it takes to the last it returns.

    Attributes:
        runs: how often.
        peak: most bytes at a time.
        grown: bytes that malloc takes from the system for these: some beyond what it needs, whenever it needs more.
    """

    runs: float = 0.0
    peak: float = 0.0
    grown: float = KEPT
    _live: dict[str, float] = field(default_factory=dict[str, float])

    def take(self, buffer: str, size: float, runs: float) -> None:
        """A buffer is allocated."""
        if runs == 0.0:
            return
        self.runs = max(self.runs, runs) if self._live else runs
        self._live[buffer] = size
        self._grow(sum(self._live.values()))

    def enclose(self, most: float) -> None:
        """So much at most was held in a loop inside: behind all that is live, if anything is."""
        if self._live:
            self._grow(sum(self._live.values()) + most)

    def _grow(self, live: float) -> None:
        self.peak = max(self.peak, live)
        if live > self.grown:
            self.grown = live + KEPT

    def give_back(self, buffer: str) -> bool:
        """A buffer is freed; True if it was the last one."""
        return self._live.pop(buffer, None) is not None and not self._live
