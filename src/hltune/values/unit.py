"""What people see costs and sizes in.

Inside, all costs are in seconds. A machine that counts instead has a nominal rate: the cost model predicts
milliseconds, and with a billion packets per second its predictions, and the weights it starts from, are of the right
size.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of cost.

    Attributes:
        name: what JSON documents call it.
        label: what people read after a number.
        heading: the heading of a column.
        per_second: how many of them are a second.
        digits: decimals that people see, and more of less than 0.1, where these would hide the first three digits; none
            of what is counted.
    """

    name: str
    label: str
    heading: str
    per_second: float
    digits: int

    @property
    def counted(self) -> bool:
        """A machine counts them: the same schedule costs exactly the same every time, whatever goes on beside it."""
        return not self.digits

    def from_seconds(self, seconds: float | None) -> float | None:
        """A cost in this unit, as scripts see it; None for None."""
        if seconds is None:
            return None
        value = seconds * self.per_second
        if self.counted:
            return round(value)
        return float(f"{value:.6g}") if 0.0 < value < 0.1 else round(value, self.digits + 3)

    def text(self, seconds: float | None) -> str:
        """The number alone, as people see it."""
        if seconds is None:
            return "-"
        value, digits = seconds * self.per_second, self.digits
        if digits and 0.0 < value < 0.1:
            digits = max(digits, 2 - math.floor(math.log10(value)))
        return f"{value:,.{digits}f}"


_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


def size(value: float) -> str:
    """Bytes, as people say them."""
    for unit in _SIZES:
        if value < 1024 or unit == _SIZES[-1]:
            return f"{value:.3g} {unit}" if value < 999.5 else f"{value:.0f} {unit}"
        value /= 1024
    raise AssertionError


MILLISECONDS = Unit(name="ms", label="ms", heading="time/ms", per_second=1e3, digits=3)
