"""Costs as people see them."""

from __future__ import annotations

import pytest

from hltune.values.unit import MILLISECONDS
from tests.report.values import PACKETS


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (0.0, "0.000"),
        (1.2345678, "1,234.568"),
        (1.2e-4, "0.120"),
        (4.567e-5, "0.0457"),
        (1e-6, "0.00100"),
        (2.49e-7, "0.000249"),
    ],
)
def test_short_times_have_three_digits_as_well(seconds: float | None, said: str) -> None:
    assert MILLISECONDS.text(seconds) == said


def test_what_is_counted_has_no_decimals() -> None:
    assert [PACKETS.text(each) for each in (3e-9, 1.5e-3)] == ["3", "1,500,000"]


def test_scripts_can_tell_short_times_apart_as_people_can() -> None:
    assert [MILLISECONDS.from_seconds(each) for each in (12.34e-12, 12.84e-12)] == [1.234e-8, 1.284e-8]
    assert MILLISECONDS.from_seconds(1.23456789e-3) == 1.234568
