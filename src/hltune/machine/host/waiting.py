"""How much of the time that calls were timed their threads waited for a processor."""

from dataclasses import dataclass

_LEAST_S = 0.2
"""Less timing says little about the machine."""


@dataclass(slots=True)
class Waiting:
    """What timed calls have waited, and how long they took, in seconds.

    Attributes:
        threads: that calls run on, each of which waits.
    """

    threads: int
    waited_s: float = 0.0
    timed_s: float = 0.0

    def add(self, waited_s: float, timed_s: float) -> None:
        """One turn more. Threads that ended meanwhile took what they had waited with them."""
        self.waited_s += max(0.0, waited_s)
        self.timed_s += timed_s

    def take(self) -> float | None:
        """Seconds that a thread has waited per second of timing since the last call; None after too little timing."""
        if self.timed_s < _LEAST_S:
            return None
        share = self.waited_s / self.timed_s / self.threads
        self.waited_s = self.timed_s = 0.0
        return share
