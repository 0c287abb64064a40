from __future__ import annotations

import math
from collections.abc import Callable, Container
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hltune.machine.host import jobs
from hltune.machine.host.jobs import WARM_S, TimeJob, Turn, time_calls, without_calls, without_idle
from hltune.values.cost import lower_decile
from hltune.values.directives import Atomic, Schedule
from hltune.values.errors import Failure
from hltune.values.roles import Stage
from tests.machine.opened import OPTIONS


class Clock:
    """Stands still but for what calls take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.calls = 0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)

    def call(self, seconds: float, *, cold_s: float | None = None, cold: Container[int] = (1,)) -> Callable[[], None]:
        """A function that takes so long; the calls of these numbers, from 1, as long as cold ones do."""

        def spend() -> None:
            self.calls += 1
            self.now += cold_s if cold_s is not None and self.calls in cold else seconds

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


@pytest.mark.parametrize("disturbed", [1, 2])
def test_one_disturbed_call_is_not_all_that_is_known(clock: Clock, disturbed: int) -> None:
    repeats = time_calls(clock.call(1e-3, cold_s=0.5, cold=(disturbed,)), turn_s=0.1, sample_s=0.01)
    assert clock.calls == 2 + 10 * len(repeats)
    assert repeats == pytest.approx([1e-3] * len(repeats))


def test_what_seems_slow_while_it_is_cold_is_timed_like_others(clock: Clock) -> None:
    repeats = time_calls(clock.call(4e-5, cold_s=2e-4, cold=range(10)), turn_s=0.03, sample_s=0.002, prune_s=1e-4)
    assert len(repeats) > 10 and repeats == pytest.approx([4e-5] * len(repeats))


def test_what_stays_slow_is_not_called_for_long(clock: Clock) -> None:
    before = clock.now
    assert time_calls(clock.call(2e-4), turn_s=0.03, sample_s=0.002, prune_s=1e-4) == pytest.approx((2e-4,))
    assert clock.now - before == pytest.approx(WARM_S, abs=3e-4)
    assert time_calls(clock.call(0.02), turn_s=0.03, sample_s=0.002, prune_s=1e-4) == pytest.approx((0.02,))


def test_the_calls_themselves_do_not_count() -> None:
    assert without_calls([3e-6, 4e-6], [1e-6, 1.1e-6]) == pytest.approx((2e-6, 3e-6), rel=0.02)
    assert all(each > 0 for each in without_calls([1e-6], [2e-6]))


def test_an_empty_pipeline_takes_no_longer_than_the_calls(clock: Clock) -> None:
    """It seems to where something else has the processor: once, and then it is tried again, or always."""
    once = clock.call(1e-6, cold_s=0.01, cold=(1, 2))
    assert without_idle([3e-6, 4e-6], once) == pytest.approx((2e-6, 3e-6), rel=0.02)
    assert without_idle([3e-6, 4e-6], clock.call(0.01)) == (3e-6, 4e-6)
    stalled = clock.call(1e-6, cold_s=0.02, cold=(clock.calls + 50,))
    assert without_idle([6e-5, 7e-5], stalled) == pytest.approx((5.9e-5, 6.9e-5), rel=0.01)


@pytest.mark.parametrize("seconds", [2e-5, 6e-5, 1.8e-4])
def test_whatever_is_short_is_timed_without_the_call(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Else what is a little slower would seem slower still."""
    called = SimpleNamespace(
        call=clock.call(seconds), poison=lambda: None, task=SimpleNamespace(schedule=Schedule()), verify=None
    )
    monkeypatch.setattr(jobs, "compile_idle", lambda *_: SimpleNamespace(call=clock.call(4e-6)))
    monkeypatch.setattr(jobs, "settle", lambda _: None)
    process = SimpleNamespace(
        state={"key": (called, 0)}, enter=lambda *_, **__: None, on_main_thread=lambda call: call()
    )
    job = TimeJob(key="key", options=OPTIONS, last=False, prune_s=math.inf, long_s=math.inf)
    turn = job.run(cast(Any, process))
    assert isinstance(turn, Turn)
    assert lower_decile(turn.repeats) == pytest.approx(seconds - 4e-6)


@pytest.mark.parametrize(
    ("schedule", "fails"),
    [(Schedule(), False), (Schedule((Atomic(Stage("out", 0)),)), True), (Schedule(base="0" * 64), True)],
)
def test_what_may_race_is_verified_after_every_turn(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, schedule: Schedule, fails: bool
) -> None:
    wrong = Failure(stage="verify", kind="wrong output", message="3 values differ")
    called = SimpleNamespace(
        call=clock.call(2e-3), poison=lambda: None, task=SimpleNamespace(schedule=schedule), verify=lambda *_: wrong
    )
    monkeypatch.setattr(jobs, "settle", lambda _: None)
    process = SimpleNamespace(
        state={"key": (called, 0)}, enter=lambda *_, **__: None, on_main_thread=lambda call: call()
    )
    job = TimeJob(key="key", options=OPTIONS, last=False, prune_s=math.inf, long_s=math.inf)
    assert (job.run(cast(Any, process)) == wrong) == fails and ("key" in process.state) != fails
