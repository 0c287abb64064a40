"""The line that says what was gained over the author's own schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hltune.commands.tune import Tuning
from hltune.report import documents, tune
from hltune.report.own import Own
from hltune.report.tables import print_comparison, print_scheduled
from hltune.values.cost import Measurement
from tests.report.conftest import shown
from tests.report.values import CRASH, STORE, SUBJECT, compared, cost, packets, row, scheduled, tuned


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


@pytest.mark.parametrize("command", ["schedule", "compare", "tune"])
def test_the_first_line_of_every_summary_says_it(command: str) -> None:
    best, manual = cost(1.0, 1.01, 0.99), cost(2.3, 2.31, 2.29)
    rows = (row("tuned-0123abcd", best, finder="tuned"), row("manual", manual))
    document: Mapping[str, Any]
    if command == "schedule":
        scheduled_ = replace(scheduled(best), manual=manual)
        text, document = shown(lambda console: print_scheduled(console, scheduled_)), documents.scheduled(scheduled_)
    elif command == "compare":
        compared_ = replace(compared(), rows=rows)
        text = shown(lambda console: print_comparison(console, compared_))
        document = documents.comparisons([compared_], {})
    else:
        tuned_ = tuned(SUBJECT, *rows)
        text = shown(lambda console: tune.print_tuned(console, tuned_, ()))
        document = tune.document(Tuning(results=(tuned_,), failed={}), STORE)
    assert text.splitlines()[0] == document["manual"]["summary"] == "2.3 times as fast as your own schedule"
