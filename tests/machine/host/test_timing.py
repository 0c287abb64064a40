from __future__ import annotations

from collections.abc import Callable

import pytest

from hltune.machine.host.jobs import time_calls


class Clock:
    """Stands still but for what calls take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.calls = 0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)

    def call(self, seconds: float, *, cold_s: float | None = None) -> Callable[[], None]:
        """A function that takes so long; the first time as long as cold ones do."""

        def spend() -> None:
            self.calls += 1
            self.now += cold_s if cold_s is not None and self.calls == 1 else seconds

        return spend


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_short_calls_are_batched(clock: Clock) -> None:
    repeats = time_calls(clock.call(0.001, cold_s=0.05), turn_s=0.1, sample_s=0.01)
    assert clock.calls == 2 + 10 * len(repeats)
    assert len(repeats) in (10, 11)
    assert repeats == pytest.approx([0.001] * len(repeats))


def test_a_long_call_is_timed_once(clock: Clock) -> None:
    repeats = time_calls(clock.call(0.05), turn_s=0.01, sample_s=0.001)
    assert (repeats, clock.calls) == (pytest.approx((0.05,)), 2)
