"""What a schedule may use in the emulator, and what counts."""

import math
from dataclasses import dataclass
from typing import ClassVar

from hltune.machine.hexagon.target import HEXAGON
from hltune.machine.options import MeasureOptions
from hltune.values.errors import InputError, out_of_range


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheModel:
    """A cache that QEMU simulates beside the processor: set-associative, the least recently used line goes.

    Attributes:
        miss_weight: packets that a missed line counts as.
        ways: lines in a set.
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
    """Options that only the emulated machine has.

    Attributes:
        heap_limit_bytes: what a schedule may allocate at a time.
        cache: adds missed lines to the packets.
    """

    machine: ClassVar[str] = HEXAGON

    heap_limit_bytes: int = 2**28
    cache: CacheModel | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """See `MachineOptions`."""
        default = EmulatorOptions()
        given = {
            "--heap-limit": self.heap_limit_bytes != default.heap_limit_bytes,
            "--objective": self.cache is not None,
        }
        return tuple(flag for flag, changed in given.items() if changed)

    def __post_init__(self) -> None:
        if not 0 < self.heap_limit_bytes < 2**31:
            raise out_of_range("--heap-limit", "more than 0 and less than 2G", self.heap_limit_bytes)


def emulator_options(options: MeasureOptions) -> EmulatorOptions:
    """The emulator's part of the options."""
    own = options.machine_options
    return own if isinstance(own, EmulatorOptions) else EmulatorOptions()
