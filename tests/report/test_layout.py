"""No figure of a table is cut, however narrow the terminal is."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.table import Column

from hltune.report.layout import count, numbers, plain_table, print_table
from hltune.values.unit import size

LOOP = "parallel output.s0.y.yo of output"
FIGURES = ("1,234,567", "1.25 MiB", "97%")


@pytest.mark.parametrize("width", [80, 40, 20])
def test_text_makes_room_for_figures(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    table = plain_table(Column("loops", overflow="fold"), *numbers("iterations", "touches", "T0"))
    table.add_row(2 * LOOP, *FIGURES)
    print_table(Console(width=width), table)
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert "…" not in printed and all(each in lines[1] for each in FIGURES) and "iterations" in lines[0]
    names = "".join(lines[1:])
    for figure in FIGURES:
        names = names.replace(figure, "", 1)
    assert names.replace(" ", "") == 2 * LOOP.replace(" ", "")
    assert max(map(len, lines)) <= max(width, 20 + 2 + 10 + 2 + 8 + 2 + 3)


def test_a_table_that_fits_stays_as_narrow_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    table = plain_table(Column("schedule", no_wrap=True), *numbers("ms"))
    table.add_row("tuned", "1.5")
    print_table(Console(width=80), table)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 13


@pytest.mark.parametrize(
    ("value", "text"), [(0.123456, "0.123"), (999.4, "999"), (999.6, "1,000"), (16384.0, "16,384"), (None, "-")]
)
def test_large_numbers_are_no_powers_of_ten(value: float | None, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(("value", "text"), [(999.7 * 1024, "1000 KiB"), (1023.0, "1023 B"), (1536.0, "1.5 KiB")])
def test_nor_are_sizes(value: float, text: str) -> None:
    assert size(value) == text
