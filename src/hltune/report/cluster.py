"""What the nodes of a cluster do, and which kinds of computers it has, for people and scripts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from hltune.cluster.kinds import Computer
from hltune.cluster.node import Status
from hltune.report.layout import Document, numbers, plain_table, print_lines
from hltune.values.machine_id import MachineId


def document(nodes: Sequence[Status], computers: Sequence[Computer] = (), silent: int = 0) -> Document:
    """A node each, the kinds of computers, and how many nodes do not answer yet."""
    kinds = [{**_kind(kind), "computers": count} for kind, count in _counted(nodes, computers).items()]
    return {"nodes": [_node(each) for each in nodes], "kinds": kinds, "silent": silent}


def _counted(nodes: Sequence[Status], computers: Sequence[Computer]) -> Counter[MachineId]:
    """How many computers there are of each kind."""
    of_nodes = {each.about.computer: each.about.kind for each in nodes}
    return Counter([*of_nodes.values(), *(each.kind for each in computers)])


def _kind(kind: MachineId) -> Document:
    return {"key": kind.key, "cpu": kind.cpu, "target": kind.target, "cores": kind.threads, "halide": kind.halide}


def _node(node: Status) -> Document:
    about = node.about
    return {
        "name": about.name,
        "computer": about.computer,
        "kind": about.kind.key,
        "machine": None if about.machine is None else about.machine.document(),
        "key": about.machine and about.machine.key,
        "measures": about.machine is not None and about.alone,
        "cores": about.cores,
        "versions": {"halide": about.halide, "hltune": about.hltune},
        **{name: value for name, value in asdict(node).items() if name != "about"},
        "per_minute": _per_minute(node),
    }


def print_status(
    console: Console, nodes: Sequence[Status], computers: Sequence[Computer] = (), silent: int = 0
) -> None:
    """A line per node; or else, as long as nobody uses the cluster, one per kind of computers."""
    if silent:
        print_lines(console, f"nodes that do not answer, for they begin or have too much to do: {silent}")
    if not nodes and silent:
        return
    if not nodes:
        print_lines(console, "no run of hltune uses this cluster at present")
        _print_kinds(console, _counted((), computers))
        return
    table = plain_table("node", "machine", "cores", "busy", "pipelines", "measured", "per minute")
    for node in nodes:
        about, busy = node.about, [job for job in node.jobs if job is not None]
        machine = f"{about.kind.key} {about.kind.cpu}"
        if about.machine is None:
            machine += ", which does not run this target"
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


def _print_kinds(console: Console, kinds: Counter[MachineId]) -> None:
    table = plain_table("key", "machine", *numbers("cores", "computers"))
    for kind, count in kinds.most_common():
        table.add_row(kind.key, kind.cpu, str(kind.threads), str(count))
    console.print(table)


def _per_minute(node: Status) -> float:
    return 60 * node.measured / max(node.seconds, 1e-9)
