from __future__ import annotations

import time

import pytest

from hltune.machine.host.jobs import time_calls

pytestmark = pytest.mark.alone


def test_short_calls_are_batched() -> None:
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        time.sleep(0.001 if calls > 1 else 0.05)  # the first call is cold

    repeats = time_calls(call, turn_s=0.1, sample_s=0.01)
    warm = calls - 2
    assert warm % len(repeats) == 0
    assert 5 <= warm // len(repeats) <= 10
    assert max(repeats) < 0.05


def test_a_long_call_is_timed_once() -> None:
    repeats = time_calls(lambda: time.sleep(0.05), turn_s=0.01, sample_s=0.001)
    assert len(repeats) == 1
    assert repeats[0] >= 0.05
