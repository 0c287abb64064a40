"""Halide's profiler: what its reports say, and that a real one says it."""

from __future__ import annotations

import pytest

from hltune.machine.host.profile import profile_of
from hltune.pipeline.target import TargetInfo
from hltune.schedule.parse import parse_schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import PipelineSpec
from hltune.values.profile import Profile
from tests.machine.opened import load, opened

PARALLEL = """\
sharp
 total time: 4.000000 ms  samples: 4  runs: 1  time per run: 4.000000 ms
 average threads used: 1.500000
 heap allocations: 1024  peak heap usage: 12288 bytes
    waiting for parallel tasks to finish:  1.000ms (25.0%)  threads: 1.00
    halide_malloc:                         0.000ms ( 0.0%)  threads: 0.00
    sharp:                                 2.000ms (50.0%)  threads: 2.00
    rows$1:                                1.000ms (25.0%)  threads: 1.00  peak: 12288  num: 1024  avg: 6144 stack: 96
"""
SERIAL = """\
sharp
 total time: 6.000000 ms  samples: 6  runs: 1  time per run: 6.000000 ms
 heap allocations: 0  peak heap usage: 0 bytes
    sharp:                                 6.000ms (100.0%)
"""
UNSEEN = """\
sharp
 total time: 5.000000 ms  samples: 0  runs: 1  time per run: 5.000000 ms
 heap allocations: 0  peak heap usage: 0 bytes
    sharp:                                 0.000ms ( 0.0%)
"""


def test_samples_of_all_runs_are_added() -> None:
    profile = profile_of([PARALLEL, SERIAL, UNSEEN], {})
    assert isinstance(profile, Profile)
    parts = {part.name: part for part in profile.parts}
    assert {name: part.samples for name, part in parts.items()} == {
        "waiting for parallel tasks to finish": 1,
        "halide_malloc": 0,
        "sharp": 8,
        "rows_1": 1,
    }
    assert profile.share(parts["sharp"]) == pytest.approx(0.8)
    assert sum(map(profile.share, profile.parts)) == pytest.approx(1.0)
    assert parts["sharp"].threads == pytest.approx((2 * 2.0 + 6 * 1.0) / 8)
    assert (parts["rows_1"].heap_peak_bytes, parts["rows_1"].stack_bytes) == (12288, 96)
    assert parts["rows_1"].allocations == pytest.approx(1024 / 3)
    assert (profile.seconds, profile.runs, profile.heap_peak_bytes) == (pytest.approx(5e-3), 3, 12288)


def test_funcs_have_their_names_in_the_schedule() -> None:
    profile = profile_of([PARALLEL], {"rows$1": "part"})
    assert isinstance(profile, Profile)
    names = [part.name for part in profile.parts]
    assert names == ["waiting for parallel tasks to finish", "halide_malloc", "sharp", "part"]


def test_what_is_no_report_is_a_failure() -> None:
    for reports in ([], ["nonsense\n"]):
        failure = profile_of(reports, {})
        assert isinstance(failure, Failure) and "has not reported" in failure.message


@pytest.mark.alone
def test_a_func_that_does_all_the_work_has_all_the_time(blur: PipelineSpec, host: TargetInfo) -> None:
    schedule = parse_schedule("rows.compute_root();", blur.funcs)
    with opened(blur, host) as session:
        profile = session.profile(schedule, seconds=0.7)
    assert isinstance(profile, Profile)
    parts = {part.name: part for part in profile.parts}
    assert {"rows", "blurred"} <= parts.keys() and profile.samples > 50
    assert profile.share(parts["rows"]) + profile.share(parts["blurred"]) > 0.8
    assert parts["rows"].heap_peak_bytes >= 256 * 130 * 2


def test_what_an_rfactor_makes_is_called_as_in_the_schedule(host: TargetInfo) -> None:
    sums = load("columns", host)
    schedule = parse_schedule("part = sums.update(0).rfactor({{r_y, u}}); part.compute_root();", sums.funcs)
    with opened(sums, host) as session:
        profile = session.profile(schedule, seconds=0.1)
    assert isinstance(profile, Profile)
    assert {"part", "sums"} <= {part.name for part in profile.parts}


def test_a_schedule_that_fails_is_a_failure(blur: PipelineSpec, host: TargetInfo) -> None:
    schedule = parse_schedule("blurred.vectorize(x); rows.compute_at(blurred, x);", blur.funcs)
    with opened(blur, host) as session:
        outcome = session.profile(schedule, seconds=0.1)
    assert isinstance(outcome, Failure) and outcome.stage == "compile"
