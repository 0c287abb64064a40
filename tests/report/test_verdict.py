"""The line that says what was gained over the author's own schedule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hltune.commands.tune import Tuning
from hltune.report import documents, tune
from hltune.report.tables import print_comparison, print_scheduled
from hltune.report.verdict import Verdict
from hltune.values.cost import Cost, Measurement
from tests.report.conftest import shown
from tests.report.values import CRASH, STORE, SUBJECT, compared, cost, packets, row, scheduled, tuned

FEW = " (too few turns for an interval)"


@pytest.mark.parametrize(
    ("manual", "best", "text"),
    [
        (cost(2.3, 2.31, 2.29), cost(1.0, 1.01, 0.99), f"2.3 times as fast as your own schedule{FEW}"),
        (
            cost(*[2.3, 2.31, 2.29] * 3),
            cost(*[1.0] * 9),
            "2.3 times as fast as your own schedule (95% interval 2.29 to 2.31)",
        ),
        (
            cost(1.0, 1.01, 0.99),
            cost(1.5, 1.51, 1.49),
            f"1.50 times as slow as your own schedule, which stays the fastest{FEW}",
        ),
        (
            cost(*[1.0] * 9),
            cost(*[1.4, 1.5, 1.6] * 3),
            "1.50 times as slow as your own schedule, which stays the fastest (95% interval 1.40 to 1.60)",
        ),
        (replace(cost(9.0), pruned=True), cost(*[1.0] * 9), "9.0 times as fast as your own schedule"),
        (cost(1.0, 1.2, 0.9), cost(1.1, 1.0, 1.0), "a tie with your own schedule (too few turns to be sure)"),
        (packets(1_000_000), packets(1_000_000), "a tie with your own schedule"),
        (packets(1_000_000), packets(993_000), "1.01 times as fast as your own schedule"),
        (packets(1_000_001), packets(1_000_000), "less than 1.01 times as fast as your own schedule"),
        (
            packets(1_000_000),
            packets(1_000_001),
            "less than 1.01 times as slow as your own schedule, which stays the fastest",
        ),
        (packets(1_500_000), packets(1_000_000), "1.50 times as fast as your own schedule"),
        (CRASH, cost(1.0), "your own schedule failed. run: killed by signal 11"),
        (cost(1.0), CRASH, "nothing works so far but your own schedule"),
    ],
)
def test_says_what_was_gained(manual: Measurement, best: Measurement, text: str) -> None:
    verdict = Verdict.of([row("manual", manual), row("manual-part", cost(0.1, 0.1, 0.1)), row("other", best)])
    assert verdict is not None
    assert verdict.text == verdict.document["summary"] == text


@pytest.mark.parametrize(
    ("expert", "best", "text"),
    [
        (cost(*[2.2, 2.3, 2.4] * 3), cost(*[2.0] * 9), "1.15 times as fast as the expert (95% interval 1.10 to 1.20)"),
        (cost(*[1.0, 1.2, 0.9] * 3), cost(*[1.1, 1.0, 1.0] * 3), "a tie with the expert"),
        (
            packets(1_000_000),
            packets(1_500_000),
            "1.50 times as slow as the expert's schedule, which stays the fastest",
        ),
        (CRASH, cost(1.0), "the expert's schedule failed. run: killed by signal 11"),
    ],
)
def test_without_an_own_schedule_says_it_of_the_expert(expert: Measurement, best: Cost, text: str) -> None:
    rows = (row("other", best), row("expert", expert))
    result = replace(compared(), rows=rows)
    assert shown(lambda console: print_comparison(console, result)).splitlines()[0] == text
    document: Mapping[str, Any] = documents.comparisons([result], {})
    assert document["expert"]["summary"] == text and "manual" not in document
    after = tuned(SUBJECT, *rows)
    assert shown(lambda console: tune.print_tuned(console, after, ())).splitlines()[0] == text


def test_the_own_schedule_comes_before_the_expert() -> None:
    verdict = Verdict.of([row("other", cost(1.0)), row("expert", cost(2.0)), row("manual", cost(3.0))])
    assert verdict is not None and verdict.name == "manual"


def test_says_nothing_without_a_written_schedule() -> None:
    assert Verdict.of([row("default", cost(1.0))]) is None


@pytest.mark.parametrize("command", ["schedule", "compare", "tune"])
def test_the_first_line_of_every_summary_says_it(command: str) -> None:
    best, manual = cost(*[1.0] * 9), cost(*[2.3, 2.31, 2.29] * 3)
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
    gained = "2.3 times as fast as your own schedule (95% interval 2.29 to 2.31)"
    assert text.splitlines()[0] == document["manual"]["summary"] == gained


@pytest.mark.parametrize(
    ("manual", "line"),
    [(cost(2.3), r"^manual +- +2,?300(\.0+)? +your own schedule$"), (CRASH, r"^manual +- +- +failed: run$")],
)
@pytest.mark.parametrize("tried", [1, 3])
def test_the_own_schedule_is_in_the_table_of_searches(tried: int, manual: Measurement, line: str) -> None:
    result = scheduled(cost(1.0))
    result = replace(result, manual=manual, tried=result.tried[:tried])
    text = shown(lambda console: print_scheduled(console, result))
    assert re.search(line, text, re.MULTILINE), text


@pytest.mark.parametrize(
    ("left_out", "text"),
    [
        (("default", "mullapudi2016"), "your own schedule works; nothing else was tried, for want of time"),
        ((), "your own schedule works; nothing else was tried"),
    ],
)
def test_what_was_not_tried_has_not_failed(left_out: tuple[str, ...], text: str) -> None:
    rows = [row("manual", cost(1.0)), row("manual-part", cost(0.9))]
    verdict = Verdict.of(rows, left_out=left_out)
    assert verdict is not None and verdict.text == text
