"""Cores and memory of this computer."""

import os

_MEMORY_SHARE = 0.8


def physical_memory_bytes() -> int:
    """All memory of this computer."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def memory_share_bytes(processes: int) -> int:
    """Most of the memory, divided among so many processes."""
    return int(physical_memory_bytes() * _MEMORY_SHARE) // processes


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))
