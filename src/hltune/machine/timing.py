"""Timing of a call that is already compiled."""

from __future__ import annotations

import time
from collections.abc import Callable

_MAX_REPEATS = 1000


def time_calls(call: Callable[[], object], *, turn_s: float, sample_s: float) -> tuple[float, ...]:
    """Warms up, then repeats a call for about `turn_s`; returns the seconds per call of every repeat, at least one.

    Args:
        sample_s: short calls are timed in batches of this length; a repeat is then the mean of its batch.
    """
    call()
    began = time.perf_counter()
    call()
    batch = max(1, round(sample_s / max(time.perf_counter() - began, 1e-7)))
    repeats: list[float] = []
    end = time.perf_counter() + turn_s
    while len(repeats) < _MAX_REPEATS:
        began = time.perf_counter()
        for _ in range(batch):
            call()
        now = time.perf_counter()
        repeats.append((now - began) / batch)
        if now >= end:
            break
    return tuple(repeats)
