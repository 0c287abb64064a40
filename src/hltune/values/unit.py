"""What costs are shown in.

Inside, all costs are in seconds. A machine that counts instead has a nominal rate: the cost model predicts
milliseconds, and with a billion packets per second its predictions, and the weights it starts from, are of the right
size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of cost.

    Attributes:
        name: in JSON documents.
        label: for people.
        heading: of a column.
        per_second: how many of them are a second.
        digits: decimals that people see.
    """

    name: str
    label: str
    heading: str
    per_second: float
    digits: int

    def from_seconds(self, seconds: float) -> float:
        """A cost in this unit, as scripts see it."""
        value = round(seconds * self.per_second, self.digits + 3 if self.digits else 0)
        return value if self.digits else int(value)

    def text(self, seconds: float | None) -> str:
        """The number alone, as people see it."""
        return "-" if seconds is None else f"{seconds * self.per_second:,.{self.digits}f}"


MILLISECONDS = Unit(name="ms", label="ms", heading="time/ms", per_second=1e3, digits=3)
PACKETS_PER_S = 1e9
PACKETS = Unit(
    name="packets",
    label="packets issued (QEMU)",
    heading="packets issued\n(QEMU)",
    per_second=PACKETS_PER_S,
    digits=0,
)


MISSES = "missed lines"
"""In the name of a processor whose cost they are part of."""
PACKETS_AND_MISSES = replace(
    PACKETS,
    name="packets+misses",
    label="packets issued and weighted misses (QEMU)",
    heading="packets\n+misses",
)


def packets_and_misses(counted: str) -> Unit:
    """The unit of a cost with such weight and cache, in words."""
    return replace(PACKETS_AND_MISSES, label=f"= {counted}, QEMU")


def unit_of(target: str, cpu: str) -> Unit:
    """Of what was measured on a machine with this full target string and processor."""
    if not target.startswith("hexagon"):
        return MILLISECONDS
    return PACKETS_AND_MISSES if MISSES in cpu else PACKETS
