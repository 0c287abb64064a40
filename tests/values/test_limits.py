"""Whoever meets a limit is told its flag, wherever the failure is shown."""

from __future__ import annotations

import pytest

from hltune.values.errors import Failure, JobFailed
from hltune.values.limits import HEAP, LATE, given_up_s
from hltune.values.reasons import reasons

LATE_MESSAGE = f"{LATE} of 20 s"
HEAP_MESSAGE = f"4096 bytes more {HEAP} of 1048576 bytes; 1000000 were in use at most"


@pytest.mark.parametrize(
    ("stage", "message", "flag"),
    [
        ("Adams2019 search", LATE_MESSAGE, "--search-timeout"),
        ("Li2018 search", LATE_MESSAGE, "--search-timeout"),
        ("compile", LATE_MESSAGE, "--compile-timeout"),
        ("compile for export", LATE_MESSAGE, "--compile-timeout"),
        ("run", LATE_MESSAGE, "--run-timeout"),
        ("timing", LATE_MESSAGE, "--run-timeout"),
        ("run", HEAP_MESSAGE, "--heap-limit"),
    ],
)
def test_the_flag_is_named_wherever_a_failure_is_shown(stage: str, message: str, flag: str) -> None:
    failure = Failure(stage=stage, kind="timeout", message=message)
    assert failure.text == f"{message} ({flag})"
    assert str(failure) == f"{stage}: {message} ({flag})"
    assert JobFailed(failure).document()["what"] == str(failure)
    assert reasons([failure])[0].message.endswith(f" ({flag})")


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("run generator", LATE_MESSAGE),
        ("run in the emulator", LATE_MESSAGE),
        ("Adams2019 search", "skipped: 3 s are left of 120 s (--search-timeout)"),
        ("run", "killed by signal 11"),
    ],
)
def test_no_flag_where_none_would_help(stage: str, message: str) -> None:
    failure = Failure(stage=stage, kind="timeout", message=message)
    assert failure.flag is None
    assert str(failure) == f"{stage}: {message}"


@pytest.mark.parametrize(
    ("message", "seconds"),
    [(LATE_MESSAGE, 20.0), ("took longer than 4.25 s, 3 times as long as others", 4.25), ("killed by signal 11", None)],
)
def test_when_something_was_given_up_is_read_whoever_set_the_limit(message: str, seconds: float | None) -> None:
    assert given_up_s(message) == seconds
