"""How long threads that could run waited, because others had the processors: what makes a time too long unseen.

Linux counts it for each thread, in ``/proc/self/task/*/schedstat``: nanoseconds on a processor, nanoseconds of waiting
for one, and how often it ran.
"""

from dataclasses import dataclass
from pathlib import Path

_LEAST_S = 0.2
"""Less timing says little about the machine."""


def waited_s() -> float:
    """Seconds that the threads of this process have waited, all together; 0 where the system does not say."""
    waited_ns = 0
    for thread in Path("/proc/self/task").glob("*"):
        try:
            waited_ns += int((thread / "schedstat").read_text().split()[1])
        except (OSError, ValueError, IndexError):  # it has ended, or nobody counts
            continue
    return waited_ns / 1e9


@dataclass(slots=True)
class Waiting:
    """What timed calls have waited, and how long they took, in seconds."""

    waited_s: float = 0.0
    timed_s: float = 0.0

    def add(self, waited_s: float, timed_s: float) -> None:
        """One turn more. Threads that ended meanwhile took what they had waited with them."""
        self.waited_s += max(0.0, waited_s)
        self.timed_s += timed_s

    def take(self) -> float | None:
        """Seconds of waiting per second of timing since the last call; None after too little timing."""
        if self.timed_s < _LEAST_S:
            return None
        share = self.waited_s / self.timed_s
        self.waited_s = self.timed_s = 0.0
        return share
