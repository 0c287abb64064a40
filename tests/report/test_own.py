"""The line that says what was gained over the author's own schedule."""

from __future__ import annotations

import pytest

from hltune.report.own import Own
from hltune.values.cost import Measurement
from tests.report.values import CRASH, cost, packets, row


@pytest.mark.parametrize(
    ("manual", "best", "text"),
    [
        (cost(2.3, 2.31, 2.29), cost(1.0, 1.01, 0.99), "2.3 times as fast as your own schedule"),
        (
            cost(1.0, 1.01, 0.99),
            cost(1.5, 1.51, 1.49),
            "1.50 times as slow as your own schedule, which stays the fastest",
        ),
        (cost(1.0, 1.2, 0.9), cost(1.1, 1.0, 1.0), "a tie with your own schedule"),
        (packets(1_000_000), packets(1_000_001), "a tie with your own schedule"),
        (packets(1_500_000), packets(1_000_000), "1.50 times as fast as your own schedule"),
        (CRASH, cost(1.0), "your own schedule failed. run: killed by signal 11"),
        (cost(1.0), CRASH, "nothing works so far but your own schedule"),
    ],
)
def test_says_what_was_gained(manual: Measurement, best: Measurement, text: str) -> None:
    own = Own.of([row("manual", manual), row("manual-part", cost(0.1, 0.1, 0.1)), row("other", best)])
    assert own is not None
    assert own.text == own.document["summary"] == text


def test_says_nothing_without_an_own_schedule() -> None:
    assert Own.of([row("default", cost(1.0))]) is None
