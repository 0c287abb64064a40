"""`hltune cluster`: flags to options, the result to people."""

from typing import Annotated

from cyclopts import Parameter

from hltune.cli.arguments import MACHINE, OUTPUT
from hltune.cli.output import JsonFlags


def cluster_status(
    *,
    cluster: Annotated[str, Parameter(group=MACHINE, metavar="ADDRESS")] = "auto",
    output: JsonFlags = JsonFlags(),
    debug: Annotated[bool, Parameter(group=OUTPUT)] = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """`hltune cluster status`.

    Args:
        cluster: auto for the cluster that runs here, or its address.
        debug: Show the traceback of an error.
    """
    from hltune.cluster.requirement import prepare_for

    prepare_for(cluster)
    from hltune.cluster.connection import status
    from hltune.cluster.kinds import Computer
    from hltune.cluster.survey import survey
    from hltune.report.cluster import document, print_status
    from hltune.report.progress import show_progress

    (nodes, silent), computers = status(cluster), list[Computer]()
    if not nodes and not silent:  # else computers have nodes, which should not be disturbed
        with show_progress() as progress:
            progress.phase("asking the computers of the cluster what they are")
            computers = survey(cluster, progress.note)
    output.show(document, print_status, nodes, computers, silent)
