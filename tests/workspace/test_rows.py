"""The order of what was measured side by side."""

from __future__ import annotations

from hltune.workspace.rows import fastest_first
from tests.report.values import CRASH, cost, row


def test_what_never_led_a_comparison_stays_without_proof() -> None:
    found = row("tuned", cost(1.0))
    record, unproven = found.record("tuned"), found.record("tuned", compared=False)
    assert record is not None and record.has_won
    assert unproven is not None and not unproven.has_won


def test_rows_are_in_order_of_their_turns_failures_last() -> None:
    lucky, steady = cost(0.5, *[2.0] * 8), cost(*[1.8] * 9)
    rows = [row("broken", CRASH), row("slow", cost(*[9.0] * 9)), row("lucky", lucky), row("steady", steady)]
    assert [each.name for each in fastest_first(rows)] == ["steady", "lucky", "slow", "broken"]
    same = row("same", steady)
    assert [each.name for each in fastest_first([*rows, same], "same")][:2] == ["same", "steady"]
