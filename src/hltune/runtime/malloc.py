"""Limits of glibc's malloc, which machines reproduce and features compute with; see `hltune.machine.heap`."""

LEAST_MAPPED = 128 << 10
"""Bytes: what is larger is mapped from the system, until such a buffer was given back; as much stays in the heap."""
LARGEST_MOVING = 32 << 20
"""Bytes: what is larger is always mapped, and changes no limit."""
KEPT = 128 << 10
"""Bytes: what malloc takes from the system beyond what it needs, and leaves free at the heap's end when it trims it."""
