"""A random program for people: its text, its stages, and a picture of how they depend on each other."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from hltune.programs.program import Node, Program
from hltune.report.layout import Document, plain_table, print_lines, print_table
from hltune.report.pictures import drawn
from hltune.values.errors import InputError

_FORMS = (".svg", ".png")
_COLUMN, _ROW = 2.4, 0.9
"""Size of a place in the picture, in inches."""
_ARROW: dict[str, object] = {"arrowstyle": "->", "color": "0.6", "shrinkA": 46, "shrinkB": 46}


def document(program: Program) -> Document:
    """All of it but the pipeline itself."""
    return {
        "name": program.spec.name,
        "seed": program.seed,
        "stages": program.stages,
        "hash": program.spec.content_hash,
        "nodes": [asdict(node) for node in program.nodes],
        "text": list(program.text),
    }


def print_program(console: Console, program: Program) -> None:
    """The definitions, and a line per stage."""
    print_lines(console, *program.text, "")
    table = plain_table("name", "kind", "type", "size", "reads")
    for node in program.nodes:
        table.add_row(node.name, node.kind, node.dtype, _size(node), ", ".join(node.reads))
    print_table(console, table)


def check_picture(path: Path) -> None:
    """Raises InputError unless the name says a form that can be drawn."""
    if path.suffix not in _FORMS:
        raise InputError("unknown form of picture", where=str(path), expected=" or ".join(_FORMS), found=path.suffix)


def plot_program(program: Program, path: Path) -> None:
    """Draws the stages from left to right, each to the right of all that it reads."""
    places = _places(program.nodes)
    columns, rows = (1 + max(place[axis] for place in places.values()) for axis in (0, 1))
    with drawn(path, size=(_COLUMN * columns, max(2.0, _ROW * rows))) as axes:
        axes.set_axis_off()
        axes.set_xlim(-0.5, columns - 0.5)
        axes.set_ylim(rows - 0.5, -0.5)
        for node in program.nodes:
            for source in node.reads:
                axes.annotate("", xytext=places[source], xy=places[node.name], zorder=1, arrowprops=_ARROW)
            label = f"{node.name}\n{node.dtype} {_size(node)}"
            colour = "#dbe9f6" if node.kind == "input" else "white"
            axes.text(
                *places[node.name],
                label,
                ha="center",
                va="center",
                fontsize=7,
                zorder=2,
                bbox={"boxstyle": "round", "facecolor": colour, "edgecolor": "0.4"},
            )
        axes.set_title(program.spec.name, fontsize=9)


def _size(node: Node) -> str:
    return "x".join(map(str, node.extents))


def _places(nodes: tuple[Node, ...]) -> dict[str, tuple[int, int]]:
    """Column and row: the column is the longest way from an input."""
    rows = Counter[int]()
    places: dict[str, tuple[int, int]] = {}
    for node in nodes:
        column = 1 + max((places[source][0] for source in node.reads), default=-1)
        places[node.name] = (column, rows[column])
        rows[column] += 1
    return places
