from __future__ import annotations

from hltune.values.errors import Failure
from hltune.values.reasons import counted, limits_to_raise, reasons


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
    assert found[2].message == "took longer than its limit of N s (--run-timeout)"


def test_people_see_the_newest_one_and_no_placeholders() -> None:
    found = reasons([failure(f"took longer than {limit} s, 3 times as long as others") for limit in (9, 4.5, 4)])
    assert found[0].message == "took longer than N s, N times as long as others"
    assert str(found[0]) == "3 in compile, the newest: took longer than 4 s, 3 times as long as others"
    (single,) = reasons([failure("took longer than its limit of 20 s", "run")])
    assert str(single) == "1 in run: took longer than its limit of 20 s (--run-timeout)"


def test_long_messages_are_cut_where_many_are_shown_together() -> None:
    (found,) = reasons([failure("so it is\n" * 50)])
    assert len(str(found)) < 200 and str(found).endswith("...") and "\n" not in str(found)
    assert found.text == ("so it is " * 50).strip()


def test_names_with_digits_and_other_words_stay_apart() -> None:
    assert len(reasons([failure("f1 is wrong"), failure("f2 is wrong"), failure("f1 is late")])) == 3


def test_what_is_named_beside_what_failed_does_not_count() -> None:
    text = "Cannot unroll dimension {}.v0 of function image_im because its extent is no constant"
    assert len(reasons([failure(text.format("x")), failure(text.format("_0"))])) == 1


def test_names_that_halide_numbers_are_alike() -> None:
    assert len(reasons([failure("sum$1 is wrong"), failure("sum$2 is wrong")])) == 1


def test_no_failures() -> None:
    assert reasons([]) == ()


def test_of_alike_failures_the_one_that_is_seen_to_this_day_is_shown() -> None:
    rows = (
        ("run", "it took 4 s", 1, None, True),
        ("run", "it took 3 s", 2, "a", True),
        ("run", "it took 2 s", 1, "b", False),
    )
    (found,) = counted(rows)
    assert (found.count, found.example, found.schedule_hash, found.otherwise_since) == (4, "it took 4 s", "b", False)
    (found,) = counted(rows[:2])
    assert (found.schedule_hash, found.otherwise_since) == ("a", True)


def test_only_limits_that_were_reached_are_to_be_raised() -> None:
    late = Failure(stage="run", kind="timeout", message="took longer than its limit of 4.5 s")
    skipped = Failure(stage="Adams2019 search", kind="timeout", message="skipped: 0.0 s are left of 8 s")
    assert limits_to_raise([failure("no such name"), failure("no memory", "run")]) is None
    assert limits_to_raise([late, failure("no such name")]) == "raise the limit that was reached: --run-timeout"
    assert str(limits_to_raise([skipped, late])).endswith(": --run-timeout or --search-timeout")
