"""How text and tables look."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.style import StyleType
from rich.table import Column, Table
from rich.text import Text

from hltune.machine.tolerance import EXACT
from hltune.runtime.streams import give_up
from hltune.workspace.rows import Row

Document = dict[str, Any]
"""What ``--json`` writes, or a part of it."""
_LEAST_TEXT, _GAP = 20, 2
"""Characters that text has at least, and between columns."""
CHANGED = "was changed to stay inside of its images: as found, it reads or writes beyond them"
"""What is said of a schedule that was repaired, after its name."""


class LastingConsole(Console):
    """Where people read. They may go away, and a log's disk may be full: the work goes on."""

    def on_broken_pipe(self) -> None:
        """Says nothing from now on, nor does the interpreter when it ends."""
        self.quiet = True
        give_up(sys.stderr if self.stderr else sys.stdout)


def print_lines(console: Console, *lines: object) -> None:
    """Prints lines as they are, however long."""
    for line in lines:
        console.print(Text(str(line)), soft_wrap=True)


def print_failures(console: Console, rows: Iterable[Row]) -> None:
    """Prints a line for each row that has no cost, or that is not what was found."""
    rows = list(rows)
    print_lines(console, *(f"{row.name} {CHANGED}" for row in rows if row.repaired))
    print_lines(console, *(f"{row.name} failed. {row.failure}" for row in rows if row.failure))


def print_verification(console: Console, found: Document | None) -> None:
    """Prints the tolerance of each output where floats take part, and why; integers alone have to be equal.

    Args:
        found: see `hltune.report.documents.verification`.
    """
    if found is not None:
        rounded = (each for each in found["outputs"] if each["reason"] != EXACT)
        print_lines(
            console, *(f"tolerance of {each['name']}: {each['tolerance']} ({each['reason']})" for each in rounded)
        )


class LiteralTable(Table):
    """A table that shows text as it is: brackets are no markup, whoever wrote them."""

    def add_row(
        self, *renderables: RenderableType | None, style: StyleType | None = None, end_section: bool = False
    ) -> None:
        """Adds a row of cells."""
        cells = (_literal(each or "") for each in renderables)
        super().add_row(*cells, style=style, end_section=end_section)


def plain_table(*columns: Column | str) -> Table:
    """A table without lines."""
    table = LiteralTable(*columns, box=None, pad_edge=False)
    for column in table.columns:
        column.header = _literal(column.header)
    return table


def print_table(console: Console, table: Table) -> None:
    """Prints a table of which no figure is cut: columns that may be wrapped make room, and else it is too wide."""
    widths: list[int] = []
    for column in table.columns:
        cells = (Measurement.get(console, console.options, cell).maximum for cell in (column.header, *column.cells))
        widest = max(cells, default=0)
        widths.append(widest if column.no_wrap else min(widest, _LEAST_TEXT))
    needed = sum(widths) + _GAP * (len(widths) - 1)
    if needed > console.width:
        table.width = needed
    console.print(table, crop=False)


def numbers(*headings: str) -> list[Column]:
    """Columns that are flush right; what is beside them makes room, see `print_table`."""
    return [Column(heading, justify="right", no_wrap=True) for heading in headings]


def number(value: float | None, form: str) -> str:
    """A number as it stands in a table; a dash for None."""
    return "-" if value is None else format(value, form)


def percent(share: float | None) -> str:
    """A part of a whole; a dash for None."""
    return number(share, ".0%")


def count(value: float | None) -> str:
    """A cost or another large number, to three digits or to the unit; a dash for None."""
    return number(value, ",.3g" if value is not None and value < 999.5 else ",.0f")


def facts(*rows: tuple[str, ...]) -> Table:
    """A table without headings, for what a result consists of."""
    grid = LiteralTable.grid(padding=(0, 2))
    for row in rows:
        grid.add_row(*row)
    return grid


def _literal(cell: RenderableType) -> RenderableType:
    """Strings, which Rich would parse, as what they say."""
    return Text(cell) if isinstance(cell, str) else cell
