from __future__ import annotations

from hltune.values.errors import Failure
from hltune.values.reasons import reasons


def failure(message: str, stage: str = "compile") -> Failure:
    return Failure(stage=stage, kind="error", message=message)


def test_failures_that_differ_in_numbers_are_one_reason() -> None:
    found = reasons(
        [
            failure("input in is accessed at -3, which is before the min (0) in dimension 0", "run"),
            failure("took longer than its limit of 4.5 s"),
            failure("input in is accessed at 1921, which is before the min (0) in dimension 1", "run"),
            failure("took longer than its limit of 20 s"),
            failure("took longer than its limit of 20 s"),
            failure("took longer than its limit of 20 s", "run"),
        ]
    )
    assert [(each.count, each.stage) for each in found] == [(3, "compile"), (2, "run"), (1, "run")]
    assert found[0].message == "took longer than its limit of N s (--compile-timeout)"
    assert found[0].example == "took longer than its limit of 4.5 s"
    assert str(found[0]) == "3 in compile: took longer than its limit of N s (--compile-timeout)"
    assert found[2].message == "took longer than its limit of N s (--run-timeout)"


def test_names_with_digits_and_other_words_stay_apart() -> None:
    assert len(reasons([failure("f1 is wrong"), failure("f2 is wrong"), failure("f1 is late")])) == 3


def test_what_is_named_beside_what_failed_does_not_count() -> None:
    text = "Cannot unroll dimension {}.v0 of function image_im because its extent is no constant"
    assert len(reasons([failure(text.format("x")), failure(text.format("_0"))])) == 1


def test_names_that_halide_numbers_are_alike() -> None:
    assert len(reasons([failure("sum$1 is wrong"), failure("sum$2 is wrong")])) == 1


def test_no_failures() -> None:
    assert reasons([]) == ()
