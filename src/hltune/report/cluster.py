"""What the nodes of a cluster do, for people and scripts."""

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from hltune.cluster.node import Status
from hltune.report.documents import Document
from hltune.report.layout import plain_table, print_lines


def document(nodes: Sequence[Status]) -> Document:
    """A node each."""
    return {"nodes": [_node(each) for each in nodes]}


def _node(node: Status) -> Document:
    about = node.about
    return {
        "name": about.name,
        "computer": about.computer,
        "machine": None if about.machine is None else about.machine.document(),
        "key": about.machine and about.machine.key,
        "measures": about.machine is not None and about.alone,
        "cores": about.cores,
        "versions": {"halide": about.halide, "hltune": about.hltune},
        **{name: value for name, value in asdict(node).items() if name != "about"},
        "per_minute": _per_minute(node),
    }


def print_status(console: Console, nodes: Sequence[Status]) -> None:
    """A line per node."""
    if not nodes:
        print_lines(console, "no run of hltune uses this cluster at present")
        return
    table = plain_table("node", "machine", "cores", "busy", "pipelines", "measured", "per minute")
    for node in nodes:
        about, busy = node.about, [job for job in node.jobs if job is not None]
        machine = "none" if about.machine is None else f"{about.machine.key} {about.machine.cpu}"
        table.add_row(
            about.name,
            machine if about.alone else f"{machine}, measured on by another run",
            str(about.cores),
            ", ".join(busy) or "-",
            ", ".join(node.sessions) or "-",
            str(node.measured),
            f"{_per_minute(node):.0f}",
        )
    console.print(table)


def _per_minute(node: Status) -> float:
    return 60 * node.measured / max(node.seconds, 1e-9)
