"""Which tails a repair changes, and when it is tried."""

from __future__ import annotations

import pytest

from hltune.schedule.repair import is_about_sizes, is_outside, repaired, with_repairs
from hltune.values.cost import failed_repair, repair_of
from hltune.values.directives import ComputeRoot, Schedule, Split, Stage, Vectorize
from hltune.values.errors import Failure

F, UPDATE = Stage("f"), Stage("f", 0)
OUTSIDE = Failure(
    stage="run",
    kind="error",
    message="Error: Input buffer im is accessed at 128, which is beyond the max (101) in dimension 0",
)


def schedule(*tails: str, update: str = "GuardWithIf", factor: int = 8) -> Schedule:
    pure = [Split(F, "x", f"x{n}", f"xi{n}", factor, tail) for n, tail in enumerate(tails)]
    return Schedule((ComputeRoot(F), *pure, Vectorize(F, "xi0"), Split(UPDATE, "y", "yo", "yi", 4, update)))


def test_pure_stages_shift_and_updates_are_guarded() -> None:
    first, second, third = repaired(schedule("RoundUp", "Auto", "ShiftInwards", update="Auto"))
    assert first == schedule("ShiftInwards", "ShiftInwards", "ShiftInwards", update="GuardWithIf")
    assert second == schedule("GuardWithIf", "GuardWithIf", "ShiftInwards")
    assert third == schedule("GuardWithIf", "GuardWithIf", "GuardWithIf")


def test_nothing_to_change() -> None:
    assert not list(repaired(schedule("GuardWithIf")))
    assert not list(repaired(Schedule(base="0" * 64)))
    assert not list(repaired(Schedule((Split(F, "x", "xo", "xi", 1, "RoundUp"),))))


@pytest.mark.parametrize(
    ("message", "outside"),
    [
        (OUTSIDE.message, True),
        ("Input buffer a b is accessed at -3, which is before the min (0) in dimension 1", True),
        ("Output buffer o is accessed at 130, which is beyond the max (99) in dimension 0", True),
        ("error -4: access_out_of_bounds: Input buffer im", True),
        ("Input buffer im requires a stride", False),
        ("values differ", False),
    ],
)
def test_messages(message: str, outside: bool) -> None:
    assert is_outside(message) == outside


WRONG = Failure(stage="verify", kind="wrong output", message="values differ")


def test_the_first_that_works_is_taken() -> None:
    tried: list[Schedule] = []

    def attempt(each: Schedule) -> int | Failure:
        tried.append(each)
        return len(tried) if len(tried) == 3 else OUTSIDE

    given = schedule("RoundUp", "ShiftInwards")
    assert with_repairs(given, attempt) == (schedule("GuardWithIf", "ShiftInwards"), 3)
    assert tried[0] == given and len(tried) == 3


def test_a_failure_stays_what_it_was() -> None:
    slow = Failure(stage="run", kind="timeout", message="took longer than its limit of 20 s")
    given = schedule("RoundUp")
    for failure, attempts in ((WRONG, 1), (OUTSIDE, 3)):
        outcomes = iter([failure, slow, slow])
        tried: list[Schedule] = []
        assert with_repairs(given, lambda each: (tried.append(each), next(outcomes))[1]) == (given, failure)  # noqa: B023
        assert len(tried) == attempts


def test_a_repaired_schedule_that_is_wrong_is_named() -> None:
    outcomes = iter([OUTSIDE, WRONG, 3])
    repair = schedule("ShiftInwards")
    measured, failure = with_repairs(schedule("RoundUp"), lambda _: next(outcomes))
    assert measured == repair and isinstance(failure, Failure)
    assert failure == failed_repair(WRONG, repair) and failure.is_wrong and repair_of(failure) == repair


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Error: Constraint violated: input.extent.0 (4) == 3 (3)", True),
        ("Error: Input buffer image is accessed at 640, which is beyond the max (639) in dimension 0", True),
        ("Error: Bounds given for processed in v1 (from 0 to 1951) do not cover required region", True),
        ("Error: Requirement Failed: (false) 0.000000 divisor is zero", False),
        ("wrong output image: 3 of 9 values differ", False),
    ],
)
def test_what_is_about_sizes(message: str, *, expected: bool) -> None:
    assert is_about_sizes(message) is expected
