"""What people are told if no schedule can be run at all."""

from __future__ import annotations

import pytest

from hltune.machine.reference import _nothing_runs
from hltune.machine.reference_job import Undecided
from hltune.values.errors import Failure, InputError, NothingRuns

LATE = "took longer than its limit of 20 s"


@pytest.mark.parametrize(
    ("stages", "advice"),
    [
        (("run", "run"), "raise --run-timeout, or schedule for a smaller size"),
        (("compile", "compile"), "raise --compile-timeout, or schedule for a smaller size"),
        (("run", "compile"), "raise --compile-timeout and --run-timeout, or schedule for a smaller size"),
    ],
)
def test_the_limit_that_was_reached_names_its_flag(stages: tuple[str, ...], advice: str) -> None:
    failures = tuple((f"schedule {n}", Failure(stage=s, kind="timeout", message=LATE)) for n, s in enumerate(stages))
    error = _nothing_runs("p", Undecided(failures))
    assert isinstance(error, NothingRuns)
    assert error.todo == advice and LATE in str(error.found)


def test_what_one_thread_said_is_the_reason_for_all() -> None:
    said, crash = (
        Failure(stage="run", kind="error", message="no"),
        Failure(stage="run", kind="crash", message="SIGSEGV"),
    )
    for failures in ((said, crash), (crash, said)):
        error = _nothing_runs("p", Undecided(tuple(("any", each) for each in failures)))
        assert isinstance(error, InputError) and error.found == "no"
    late = Failure(stage="run", kind="timeout", message=LATE)
    assert not isinstance(_nothing_runs("p", Undecided((("any", said), ("other", late)))), InputError)


def test_a_crash_is_no_limit() -> None:
    crashes = tuple((name, Failure(stage="run", kind="crash", message="SIGSEGV")) for name in ("any", "other"))
    error = _nothing_runs("p", Undecided(crashes))
    assert isinstance(error, InputError) and "crashes on these inputs" in str(error)
    late = ("third", Failure(stage="run", kind="timeout", message=LATE))
    assert "within its limits" in str(_nothing_runs("p", Undecided((*crashes, late))))


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("Requirement Failed: (false) 0 the divisor is zero", "give other images or scalars with -i"),
        ("Input buffer im is accessed at 640, which is beyond the max (639) in dimension 0", "check that the"),
    ],
)
def test_the_pipelines_own_words_come_first(message: str, advice: str) -> None:
    error = _nothing_runs("p", Undecided((("any", Failure(stage="run", kind="error", message=message)),)))
    assert isinstance(error, InputError)
    assert error.found == message and str(error.todo).startswith(advice)
