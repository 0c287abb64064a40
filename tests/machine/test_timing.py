from __future__ import annotations

import time

from hltune.machine.timing import time_calls


def test_short_calls_are_batched() -> None:
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1

    repeats = time_calls(call, first_s=1e-5, turn_s=0.01, sample_s=0.001)
    assert calls == 100 * len(repeats)


def test_a_long_call_is_made_once_and_timed() -> None:
    repeats = time_calls(lambda: time.sleep(0.05), first_s=0.05, turn_s=0.01, sample_s=0.001)
    assert len(repeats) == 1
    assert repeats[0] >= 0.05
