"""Timing of a call that is already compiled."""

import math
import time
from collections.abc import Callable

_MAX_REPEATS = 1000


def time_calls(
    call: Callable[[], object], *, turn_s: float, sample_s: float, prune_s: float = math.inf
) -> tuple[float, ...]:
    """Calls twice, then repeats a call for about `turn_s`; returns the seconds per call of every repeat, at least one.

    Args:
        call: what to time.
        turn_s: how long to repeat it.
        sample_s: short calls are timed in batches of this length; a repeat is then the mean of its batch.
        prune_s: when both of the first calls take longer, the quicker one is the only repeat.
    """
    first_s, second_s = _seconds(call), _seconds(call)
    if min(first_s, second_s) > prune_s:
        return (min(first_s, second_s),)
    batch = max(1, round(sample_s / max(second_s, 1e-7)))
    end = time.perf_counter() + turn_s
    repeats = [_seconds(call, batch)]
    while len(repeats) < _MAX_REPEATS and time.perf_counter() < end:
        repeats.append(_seconds(call, batch))
    return tuple(repeats)


def _seconds(call: Callable[[], object], count: int = 1) -> float:
    began = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - began) / count
