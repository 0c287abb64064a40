"""What a model says that a schedule costs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Seconds, and how many times more or less that may be (one standard deviation)."""

    seconds: float
    factor: float
