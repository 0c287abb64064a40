"""How long threads that could run waited, because others had the processors: what makes a time too long unseen.

Linux counts it for each thread, in ``/proc/PROCESS/task/*/schedstat``: nanoseconds on a processor, nanoseconds of
waiting for one, and how often it ran.
"""

from pathlib import Path


def waited_s(process: int | None = None) -> float:
    """Seconds that the threads of a process, or of this one, have waited in all; 0 where the system does not say."""
    waited_ns = 0
    for thread in Path("/proc", "self" if process is None else str(process), "task").glob("*"):
        try:
            waited_ns += int((thread / "schedstat").read_text().split()[1])
        except (OSError, ValueError, IndexError):  # it has ended, or nobody counts
            continue
    return waited_ns / 1e9
